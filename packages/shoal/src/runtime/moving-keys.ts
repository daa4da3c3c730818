/**
 * What an instance of a keyed type does about keys that are, or become, another's. Everything here happens on its thread.
 *
 *   a message of a key that it does not hold, in a bucket that it does not own
 *       ──► to the next instance, by id, that holds keys of the bucket, and in the end to the owner
 *   a state of a key in a bucket that it does not own, where the type exports and imports states
 *       ──► to the owner, before any later message of the key
 *
 * Both go by a lane of their own from this instance to the other (within a thread: a queue), which the other serves
 * before all else that it is sent.
 *
 * I1. No state is made at an instance that does not own its bucket, but by a message that was not routed by key.
 * I2. What is on its way and is not there yet counts as held here, so that senders keep to this way and stay behind it.
 *     One case needs no counting: what a sender sent here goes on to the owner, and nobody else holds keys of the bucket.
 *     A sender then goes to the owner next, and finds there that what was passed on is served first.
 * I3. A message that is passed on among those that hold keys of its bucket goes from the first of them, by id, to the next,
 *     and from the last to the owner, who handles it; behind whatever of its bucket is still on its way. The owner, too,
 *     asks them first, where a message was not sent to it as the owner. It comes to an end because tables come one at a
 *     time (I3 of `agent-links.ts`): with several under way it may take a detour more.
 * I4. A state that cannot be moved (its export throws, it is too large, there is no room) stays where it is. One that has
 *     left its instance is never refused.
 */
import { type InstanceId, type Key, type LifeHandlers, ShoalError } from '../model/index.ts';
import { doneCode, type LaneReader, type LaneWriter, shedCode } from '../transport/index.ts';
import {
  type Codec,
  createCodec,
  DecodeError,
  EncodeError,
  Envelope,
  EnvelopeKind,
  routedToHolder,
} from '../wire/index.ts';
import type { Instance } from './instance.ts';
import type { KeyOwners, Sibling } from './key-owners.ts';
import { CountedStates, HeldKeys, type StatesHost } from './keyed-states.ts';
import { bucketOf } from './routing/index.ts';
import { InstanceFloat } from './shared-block.ts';
import type { ThreadRuntime } from './thread-runtime.ts';

const undeliverable = shedCode('undeliverable');

/** The value of a state on its way. */
export const stateCodec: Codec = createCodec({ kind: 'value', fields: null });
/** Payloads are passed on as they came. */
const rawCodec: Codec = createCodec({ kind: 'bytes', fields: null });

/** Between two looks at what is on its way. */
const lookPeriodMs = 1;
/** In one turn of the thread at most so long, and so many keys looked at, for moving states. */
const moveMaxMs = 0.5;
const moveMaxKeys = 512;
/** Where states had to stay behind, another attempt is made after this. */
const moveRetryMs = 5;

/** The way to another thread. */
export interface SiblingLink {
  readonly writer: LaneWriter;
  readonly bell: Int32Array;
}

interface OnItsWay {
  readonly bucket: number;
  readonly position: number;
}

/** To one other instance of the type. */
class Way {
  readonly to: InstanceId;
  /** What counts as held here, oldest first. */
  counted: OnItsWay[] = [];
  readonly #thread: ThreadRuntime;
  readonly #link: SiblingLink | null;

  /** `link`: null within the thread. */
  constructor(to: InstanceId, thread: ThreadRuntime, link: SiblingLink | null) {
    this.to = to;
    this.#thread = thread;
    this.#link = link;
  }

  get #queue(): Instance['inbox']['passedOn'] | undefined {
    return this.#thread.instances.get(this.to)?.inbox.passedOn;
  }

  next(): number {
    const queue = this.#queue;
    return this.#link === null ? (queue?.taken ?? 0) + (queue?.length ?? 0) : this.#link.writer.next;
  }

  hasEnded(position: number): boolean {
    if (this.#link !== null) return this.#link.writer.hasEnded(position);
    return (this.#queue?.taken ?? Number.POSITIVE_INFINITY) > position;
  }

  eachPending(visit: (flowKey: Key, position: number) => void): void {
    if (this.#link !== null) this.#link.writer.eachPending(visit);
    else this.#queue?.each((envelope, position) => visit(envelope.flowKey, position));
  }

  credit(): number {
    if (this.#link !== null) return this.#link.writer.credit();
    const queue = this.#queue;
    return queue === undefined ? 0 : queue.max - queue.length;
  }

  /** By a lane; throws where the value cannot be encoded. */
  write(envelope: Envelope, codec: Codec, payload: unknown): 'accepted' | 'queue-full' | 'too-large' {
    if (this.#link === null) {
      envelope.payload = payload;
      return this.#thread.instances.get(this.to)?.acceptPassedOn(envelope) === true
        ? 'accepted'
        : 'queue-full';
    }
    const written = this.#link.writer.write(envelope, codec, payload);
    if (written === 'accepted') this.#thread.ring(this.#link.bell);
    return written;
  }

  /** A message, as it came. */
  pass(message: Envelope, lane: LaneReader | null, index: number, codec: Codec): boolean {
    if (lane === null) return this.write(message, codec, message.payload) === 'accepted';
    const isLocal = this.#link === null;
    const payload = lane.payload(index, isLocal ? codec : rawCodec);
    return this.write(message, rawCodec, payload) === 'accepted';
  }
}

export class MovingKeys implements StatesHost {
  readonly states: CountedStates;
  readonly held: HeldKeys;
  /** Of the newest table; 0: there is none yet. */
  version = 0;
  readonly #instance: Instance;
  readonly #thread: ThreadRuntime;
  #owners: KeyOwners | null = null;
  readonly #ways = new Map<InstanceId, Way>();
  /** Buckets of which something is on its way and counted: the way that they keep to. */
  readonly #kept = new Map<number, { readonly way: Way; count: number }>();
  #isLooking = false;
  #moving: Iterator<Key> | null = null;
  /** Another round through the keys is needed. */
  #movesAgain = false;
  /** Their states cannot be moved. */
  readonly #immovable = new Set<Key>();

  constructor(instance: Instance, memory: SharedArrayBuffer) {
    this.#instance = instance;
    this.#thread = instance.thread;
    this.held = new HeldKeys(memory);
    this.states = new CountedStates(this, this.held);
  }

  // ── what its states need ─────────────────────────────────────────────────────────────────────────────────

  get id(): InstanceId {
    return this.#instance.id;
  }

  get name(): string {
    return this.#instance.graph.name;
  }

  get statesMax(): number {
    return this.#thread.limits.statesMax;
  }

  ownsBucket(bucket: number): boolean {
    return this.#owners === null || this.#owners.ownerOf(bucket)?.sibling.instanceId === this.id;
  }

  isServing(key: Key): boolean {
    return this.#instance.isServing((message) => message.flowKey === key);
  }

  after(delayMs: number, run: () => void): void {
    this.#thread.after(delayMs, run);
  }

  sizeChanged(size: number): void {
    this.#instance.stats[InstanceFloat.states] = size;
  }

  /** A message that names this instance may make a state here; it moves on only where it cannot stay. */
  gainedForeign(): void {
    if (this.states.isImporting || this.#instance.isDraining) this.#moveStates();
  }

  /** What was routed by a table of a lesser version is looked at by {@link sendOn}; all, while something is on its way. */
  get threshold(): number {
    return this.#kept.size > 0 ? Number.POSITIVE_INFINITY : this.version;
  }

  /** Nothing that counts is on its way from here. */
  get isQuiet(): boolean {
    this.#settle();
    return this.#kept.size === 0;
  }

  /** Nothing is held here, or on its way from here. */
  get isEmpty(): boolean {
    return this.isQuiet && this.states.size === 0 && this.states.freed === 0;
  }

  // ── tables ───────────────────────────────────────────────────────────────────────────────────────────────

  /** Takes a newer table. `links`: the ways to instances on other threads. */
  install(owners: KeyOwners, links: ReadonlyMap<InstanceId, SiblingLink>): void {
    this.#owners = owners;
    this.version = owners.version;
    for (const { instanceId } of owners.siblings) {
      if (instanceId === this.id || this.#ways.has(instanceId)) continue;
      this.#ways.set(instanceId, new Way(instanceId, this.#thread, links.get(instanceId) ?? null));
    }
    this.#immovable.clear();
    this.#recount();
    if (owners.isInForce) this.#moveStates();
  }

  /** All instances have the table. */
  putInForce(): void {
    this.#moveStates();
  }

  forget(id: InstanceId): void {
    const way = this.#ways.get(id);
    if (way === undefined) return;
    for (const { bucket } of way.counted) this.#uncount(bucket);
    this.#ways.delete(id);
  }

  /** The thread is another, and the states are lost with the one before: only what that had passed on counts. */
  forgetLost(): void {
    this.held.reset((bucket) => this.#kept.get(bucket)?.count ?? 0);
  }

  /** By an older table there was nobody else; now whatever is on its way counts (I2). */
  #recount(): void {
    const before = [...this.#ways.values()].flatMap((way) => way.counted);
    this.#kept.clear();
    for (const way of this.#ways.values()) {
      way.counted = [];
      way.eachPending((flowKey, position) => this.#count(way, bucketOf(flowKey), position));
    }
    // Only now, so that no bucket seems to be empty in between.
    for (const { bucket } of before) this.held.add(bucket, -1, false);
  }

  #count(way: Way, bucket: number, position: number): void {
    this.held.add(bucket, 1, false);
    way.counted.push({ bucket, position });
    const kept = this.#kept.get(bucket);
    if (kept === undefined) this.#kept.set(bucket, { way, count: 1 });
    else kept.count++;
    if (this.#isLooking) return;
    this.#isLooking = true;
    this.after(lookPeriodMs, () => this.#look());
  }

  #uncount(bucket: number): void {
    this.held.add(bucket, -1, false);
    const kept = this.#kept.get(bucket);
    if (kept !== undefined && --kept.count === 0) this.#kept.delete(bucket);
  }

  #look(): void {
    this.#settle();
    this.#isLooking = this.#kept.size > 0;
    if (this.#isLooking) this.after(lookPeriodMs, () => this.#look());
  }

  /** What is there no longer counts here. */
  #settle(): void {
    if (this.#kept.size === 0) return;
    for (const way of this.#ways.values()) {
      for (let first = way.counted[0]; first !== undefined && way.hasEnded(first.position); ) {
        way.counted.shift();
        this.#uncount(first.bucket);
        first = way.counted[0];
      }
    }
  }

  // ── messages ─────────────────────────────────────────────────────────────────────────────────────────────

  /**
   * Sends on a message that was routed by an older table, or to whoever may hold its key, and ends it here: `done`, as a
   * delayed message does that was handed on; where it cannot be taken, `shed: undeliverable`. False: its place is here.
   * `wasPassedOn`: another instance of the type has sent it on before.
   */
  sendOn(message: Envelope, lane: LaneReader | null, index: number, wasPassedOn: boolean): boolean {
    const owners = this.#owners;
    if (owners === null || this.states.has(message.flowKey)) return false;
    const bucket = bucketOf(message.flowKey);
    this.#settle();
    const kept = this.#kept.get(bucket)?.way.to;
    const owner = owners.ownerFor(this.id, bucket);
    // Where all are draining nobody owns anything, and whoever has a message handles it.
    const ownerId = owner?.sibling.instanceId ?? this.id;
    let to: InstanceId;
    let isCounted = true;
    if (message.routedBy >= this.version) {
      // To the owner as such: its place is here, but behind what is still out looking for whoever holds its key.
      if (kept === undefined || wasPassedOn) return false;
      to = kept;
    } else {
      // From one that may hold it to the next; those before have seen it.
      const goesOn = wasPassedOn && message.routedBy === routedToHolder;
      if (kept !== undefined) to = kept;
      else {
        const holders = owners.siblings.filter(
          ({ instanceId, held }) =>
            instanceId !== this.id && instanceId !== ownerId && Atomics.load(held, bucket) > 0,
        );
        to = holders.find(({ instanceId }) => !goesOn || instanceId > this.id)?.instanceId ?? ownerId;
        if (to === this.id) return false;
        isCounted = wasPassedOn || holders.length > 0 || !owners.isInForce;
      }
    }
    message.routedBy = owner !== null && to === ownerId ? owner.version : routedToHolder;
    const { endings } = this.#instance;
    const way = this.#ways.get(to);
    const position = way?.next() ?? 0;
    try {
      const codec = this.#instance.ports[message.port]?.codec as Codec;
      if (way?.pass(message, lane, index, codec) === true) {
        if (isCounted) this.#count(way, bucket, position);
        endings.end(lane, index, doneCode);
      } else endings.drop(message, lane, index, undeliverable);
    } catch (error) {
      // What cannot be decoded fails here as it would there.
      if (error instanceof DecodeError) return false;
      if (!(error instanceof EncodeError)) throw error;
      this.#instance.countError('message for another instance', error);
      endings.drop(message, lane, index, undeliverable);
    }
    return true;
  }

  // ── states ───────────────────────────────────────────────────────────────────────────────────────────────

  get #handlers(): Required<Pick<LifeHandlers, 'exportState' | 'importState'>> | null {
    const { exportState, importState } = this.#instance.handlers;
    return exportState === undefined || importState === undefined
      ? null
      : (this.#instance.handlers as Required<LifeHandlers>);
  }

  /** Begins to move what belongs to others, where the type can. */
  #moveStates(): void {
    if (this.#owners?.isInForce !== true || this.#handlers === null) return;
    this.#movesAgain = this.#moving !== null;
    if (this.#movesAgain || this.states.size === 0) return;
    this.#moving = this.states.keys();
    this.after(0, () => this.#moveSome());
  }

  #moveSome(): void {
    const thread = this.#thread;
    const startedAt = thread.tick();
    thread.enter(this.id, startedAt);
    for (let seen = 0; seen < moveMaxKeys && this.#moving !== null; seen++) {
      const next = this.#moving.next();
      if (next.done === true) {
        this.#moving = this.#movesAgain ? this.states.keys() : null;
        this.#movesAgain = false;
        if (this.#moving !== null) this.after(moveRetryMs, () => this.#moveSome());
        return;
      }
      if (!this.#move(next.value)) this.#movesAgain = true;
      if (thread.tick() - startedAt > moveMaxMs) break;
    }
    if (this.#moving !== null) this.after(0, () => this.#moveSome());
  }

  /** False: it is to be tried again. */
  #move(key: Key): boolean {
    const bucket = bucketOf(key);
    // Until the next table is in force nothing moves; then everything is looked at again.
    const owner = this.#owners?.isInForce === true ? this.#owners.ownerOf(bucket) : null;
    const handlers = this.#handlers;
    if (owner === null || owner.sibling.instanceId === this.id || handlers === null) return true;
    if (this.#immovable.has(key)) return true;
    if (this.isServing(key)) return false;
    const way = this.#ways.get(owner.sibling.instanceId);
    if (way === undefined) return true;
    // A bucket of which something is on its way elsewhere waits for that, so that it keeps to one way.
    const kept = this.#kept.get(bucket)?.way ?? way;
    if (kept !== way || !hasRoom(owner.sibling, way, this.statesMax)) return false;
    let state: unknown;
    try {
      state = handlers.exportState(key);
      if (typeof (state as PromiseLike<unknown> | null)?.then === 'function')
        throw new ShoalError(
          'SHOAL_BAD_CALL',
          `exportState of '${this.name}' must answer at once, not await.`,
        );
    } catch (error) {
      this.#keep(key, error);
      return true;
    }
    const position = way.next();
    let written: ReturnType<Way['write']>;
    try {
      written = way.write(this.#envelope(key), stateCodec, state);
      if (written === 'too-large')
        this.#keep(
          key,
          new Error(`it is larger than limits.messageMaxBytes (${this.#thread.limits.messageMaxBytes})`),
        );
    } catch (error) {
      if (!(error instanceof EncodeError)) throw error;
      written = 'too-large';
      this.#keep(key, error);
    }
    if (written !== 'accepted') {
      // It may have been taken out.
      if (!this.states.has(key)) this.importState(key, state);
      return written === 'too-large';
    }
    this.#count(way, bucket, position);
    this.states.delete(key);
    return true;
  }

  #envelope(key: Key): Envelope {
    const envelope = new Envelope();
    envelope.kind = EnvelopeKind.state;
    envelope.flowKey = key;
    envelope.sender = this.id;
    envelope.origin = this.id;
    envelope.enqueuedAtMs = this.#thread.nowMs;
    return envelope;
  }

  #keep(key: Key, error: unknown): void {
    this.#immovable.add(key);
    this.#instance.countError(`the state of key ${key} stays where it is`, error);
  }

  /** Puts a state in. False: it could not be, and is lost; that is counted and logged. */
  importState(key: Key, state: unknown): boolean {
    this.states.isImporting = true;
    try {
      this.#instance.handlers.importState?.(key, state);
      return true;
    } catch (error) {
      this.#instance.countError(`import of the state of key ${key}`, error);
      return false;
    } finally {
      this.states.isImporting = false;
    }
  }
}

/** As well as can be known here: what others send meanwhile is taken, too (I4). */
function hasRoom(sibling: Sibling, way: Way, statesMax: number): boolean {
  const states = (sibling.stats[InstanceFloat.states] as number) + way.counted.length;
  return states < statesMax && way.credit() > 0;
}
