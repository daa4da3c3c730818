/** The states of a keyed instance, as its handlers see them, and what its runtime has to know of them. */
import { type InstanceId, type Key, type KeyedStates, ShoalError } from '../model/index.ts';

/** What the states need of their instance. */
export interface StatesHost {
  readonly id: InstanceId;
  readonly name: string;
  readonly statesMax: number;
  sizeChanged(size: number): void;
  /** A key has a state that it had not. */
  gained(key: Key): void;
  /** A key has no state any more. */
  lost(key: Key): void;
}

export class CountedStates implements KeyedStates<unknown> {
  readonly #states = new Map<Key, unknown>();
  readonly #host: StatesHost;
  /** What comes from another instance had room there, and is not refused here. */
  isImporting = false;

  constructor(host: StatesHost) {
    this.#host = host;
  }

  get size(): number {
    return this.#states.size;
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
    this.#host.gained(key);
  }

  delete(key: Key): boolean {
    if (!this.#states.delete(key)) return false;
    this.#host.sizeChanged(this.#states.size);
    this.#host.lost(key);
    return true;
  }

  keys(): IterableIterator<Key> {
    return this.#states.keys();
  }
}
