/**
 * The states of a keyed instance, and how many of its keys are in each bucket, for whoever routes to it.
 *
 * I1. The count of a bucket that the instance does not own never falls to 0 while one of its keys may still come back:
 *     what a handler deletes, and perhaps sets again, counts until no message of the key is in service.
 */
import { type InstanceId, type Key, type KeyedStates, ShoalError } from '../model/index.ts';
import { bucketCount, bucketOf } from './routing/index.ts';

/** Between two looks whether the last message of a deleted key has ended. */
const freeRetryMs = 1;

/** Memory of {@link HeldKeys}. Pages that are never touched cost nothing. */
export function createHeldKeys(): SharedArrayBuffer {
  return new SharedArrayBuffer(bucketCount * 4);
}

/**
 * By bucket: keys of an instance, and what it has on their way to others and counts as its own until it is there. Written
 * on its thread only. Routers elsewhere read it where it does not own the bucket: there it is stored atomically.
 */
export class HeldKeys {
  readonly counts: Uint32Array;

  constructor(memory: SharedArrayBuffer) {
    this.counts = new Uint32Array(memory);
  }

  add(bucket: number, amount: 1 | -1, isOwned: boolean): void {
    const count = (this.counts[bucket] as number) + amount;
    if (isOwned) this.counts[bucket] = count;
    else Atomics.store(this.counts, bucket, count);
  }

  /** Sets every bucket to what is to be counted there. */
  reset(countOf: (bucket: number) => number): void {
    for (let bucket = 0; bucket < bucketCount; bucket++) {
      if (this.counts[bucket] !== 0) Atomics.store(this.counts, bucket, countOf(bucket));
    }
  }
}

/** What the states need of their instance. */
export interface StatesHost {
  readonly id: InstanceId;
  readonly name: string;
  readonly statesMax: number;
  ownsBucket(bucket: number): boolean;
  /** Whether a message of the key is in service. */
  isServing(key: Key): boolean;
  /** Calls back between two events. */
  after(delayMs: number, run: () => void): void;
  sizeChanged(size: number): void;
  /** A key has a state in a bucket that the instance does not own. */
  gainedForeign(): void;
}

export class CountedStates implements KeyedStates<unknown> {
  readonly #states = new Map<Key, unknown>();
  readonly #host: StatesHost;
  readonly #held: HeldKeys;
  /** Deleted, and still counted (I1). */
  readonly #freed = new Set<Key>();
  /** What comes from another instance had room there, and is not refused here. */
  isImporting = false;

  constructor(host: StatesHost, held: HeldKeys) {
    this.#host = host;
    this.#held = held;
  }

  get size(): number {
    return this.#states.size;
  }

  /** Keys that count as held though they have no state any more. */
  get freed(): number {
    return this.#freed.size;
  }

  has(key: Key): boolean {
    return this.#states.has(key);
  }

  get(key: Key): unknown {
    return this.#states.get(key);
  }

  set(key: Key, state: unknown): void {
    if (this.#states.has(key)) {
      this.#states.set(key, state);
      return;
    }
    const { id, name, statesMax } = this.#host;
    if (this.#states.size >= statesMax && !this.isImporting) {
      throw new ShoalError(
        'SHOAL_STATES_FULL',
        `Instance ${id} of '${name}' holds ${statesMax} states, its limit: delete some, or raise limits.statesMax.`,
        { limit: statesMax },
      );
    }
    this.#states.set(key, state);
    this.#host.sizeChanged(this.#states.size);
    const bucket = bucketOf(key);
    const isOwned = this.#host.ownsBucket(bucket);
    if (!this.#freed.delete(key)) this.#held.add(bucket, 1, isOwned);
    if (!isOwned) this.#host.gainedForeign();
  }

  delete(key: Key): boolean {
    if (!this.#states.delete(key)) return false;
    this.#host.sizeChanged(this.#states.size);
    const bucket = bucketOf(key);
    if (this.#host.ownsBucket(bucket)) {
      this.#held.add(bucket, -1, true);
      return true;
    }
    if (this.#freed.size === 0) this.#host.after(0, () => this.#free());
    this.#freed.add(key);
    return true;
  }

  #free(): void {
    for (const key of this.#freed) {
      if (this.#host.isServing(key)) continue;
      this.#freed.delete(key);
      this.#held.add(bucketOf(key), -1, false);
    }
    if (this.#freed.size > 0) this.#host.after(freeRetryMs, () => this.#free());
  }

  keys(): IterableIterator<Key> {
    return this.#states.keys();
  }
}
