/**
 * What an instance of a keyed type does about keys that are, or become, another's. Everything here happens on its thread.
 *
 *   a message of a key that has its state here                 ──► here
 *   else, where the owner knows another place of the key       ──► there; and back, if the key is not there any more
 *   else, where another instance owns the bucket               ──► to the owner
 *   else                                                       ──► here, where the key gets its state
 *
 * A table comes in steps (I3 of `agent-links.ts`). All instances are told of it. Then owners hand over: whoever loses a
 * bucket leaves keys that are new to the next owner, and gives it, key by key, the state; or, where that cannot be moved
 * now or ever, the place: that it stays. Then the table is in force for the others, and at last senders get it.
 *
 * Messages, states and places go by a lane of their own from one instance to the other (within a thread: a queue), which
 * the other serves before all else that it is sent.
 *
 * I1. For every bucket one instance decides whether a key in it is new: its owner, and from when that hands over, the next
 *     one, for what comes from there. A key gets its state only where that is decided. What the next owner must know of a
 *     key is on its way before any message of the key is.
 * I2. A message follows earlier ones of its key that are on their way from here and are not there yet; or may have come back
 *     and have not been seen.
 * I3. A message is sent to a place only by the owner, and comes back to it, not to any other; then the place is forgotten.
 *     What a place sends its owner (the state, that the key has ended) is ahead of what comes back.
 * I4. A state that cannot be moved (its export throws, it is too large) stays until it ends; one that is in service or finds
 *     no room moves later. One that has left its instance is never refused.
 */
import { type InstanceId, type Key, type LifeHandlers, ShoalError } from '../model/index.ts';
import { doneCode, type LaneReader, shedCode } from '../transport/index.ts';
import {
  type Codec,
  createCodec,
  DecodeError,
  EncodeError,
  Envelope,
  EnvelopeKind,
  routedBack,
  routedToFormer,
} from '../wire/index.ts';
import type { Instance } from './instance.ts';
import type { KeyOwners, Sibling } from './key-owners.ts';
import { CountedStates, type StatesHost } from './keyed-states.ts';
import { bucketOf } from './routing/index.ts';
import { InstanceFloat } from './shared-block.ts';
import { type OnItsWay, rawCodec, type SiblingLink, type Towards, Underway, Way } from './sibling-way.ts';
import type { ThreadRuntime } from './thread-runtime.ts';

const undeliverable = shedCode('undeliverable');

/** The value of a state on its way. */
export const stateCodec: Codec = createCodec({ kind: 'value', fields: null });
const noBytes = new Uint8Array(0);

/** Between two looks at what is on its way. */
const lookPeriodMs = 1;
/** In one turn of the thread keys are moved for half as long as has passed since the last one, within these bounds. */
const moveShare = 0.5;
const moveMinMs = 0.5;
const moveMaxMs = 5;
/** So many keys are gone through between two looks at the clock. */
const movePerLook = 64;
/** Where something had to stay behind, another attempt is made after this. */
const moveRetryMs = 5;

/** Where a message goes on to. */
interface Step {
  readonly way: Way | undefined;
  readonly towards: Towards;
  /** See {@link Envelope.routedBy}. */
  readonly routedBy: number;
}

export class MovingKeys implements StatesHost {
  readonly states: CountedStates;
  readonly #instance: Instance;
  readonly #thread: ThreadRuntime;
  /** By the table that is in force; null: there is none yet. */
  #owners: KeyOwners | null = null;
  /** By a table that is not in force yet. */
  #next: KeyOwners | null = null;
  #isHandingOver = false;
  /** What was in the lanes when the instance began to hand over has been taken: it may be states and places. */
  #hasSeenEarlier: () => boolean = () => true;
  readonly #ways = new Map<InstanceId, Way>();
  /** Keys in buckets of this instance, as a rule, that have their states elsewhere: where. */
  readonly #places = new Map<Key, InstanceId>();
  /** Keys with states here, in buckets of others: those whose owners know. */
  readonly #announced = new Set<Key>();
  /** Those of them that may have ended. */
  readonly #ending = new Set<Key>();
  readonly #underway: Readonly<Record<Towards, Underway>> = {
    owner: new Underway(),
    place: new Underway(),
    back: new Underway(),
    told: new Underway(),
  };
  /** What has ended elsewhere, oldest first, and whether what was here by then has been taken. */
  readonly #returning: { readonly all: readonly OnItsWay[]; readonly isTaken: () => boolean }[] = [];
  #isLooking = false;
  #moving: Iterator<Key> | null = null;
  #movedAtMs = 0;
  /** After the round through the keys that is under way, there is another through all; or through those that are left. */
  #movesAgain = false;
  readonly #left = new Set<Key>();
  /** Some of them keep others waiting. */
  #isIncomplete = false;
  /** Their states cannot be moved. */
  readonly #immovable = new Set<Key>();
  #onHandedOver: (() => void)[] = [];

  constructor(instance: Instance) {
    this.#instance = instance;
    this.#thread = instance.thread;
    this.states = new CountedStates(this);
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

  sizeChanged(size: number): void {
    this.#instance.stats[InstanceFloat.states] = size;
  }

  /** A message that names this instance may make a state of any key here; it moves on only where it cannot stay. */
  gained(key: Key): void {
    if (this.#ownerElsewhere(bucketOf(key)) === null) return;
    if (this.states.isImporting || this.#instance.isDraining) this.#moveStates();
  }

  lost(key: Key): void {
    if (!this.#announced.has(key)) return;
    if (this.#ending.size === 0) this.#after(0, () => this.#tellEnded());
    this.#ending.add(key);
  }

  isServing(key: Key): boolean {
    return this.#instance.isServing((message) => message.flowKey === key);
  }

  #after(delayMs: number, run: () => void): void {
    this.#thread.after(delayMs, run);
  }

  /** What was routed by a table of a lesser version is looked at by {@link sendOn}. */
  get threshold(): number {
    const isAny = this.#isHandingOver || this.#places.size > 0 || this.#isLooking;
    return isAny ? Number.POSITIVE_INFINITY : (this.#owners?.version ?? 0);
  }

  /** Nothing is on its way to owners. */
  get isQuiet(): boolean {
    const { owner, back, told } = this.#underway;
    return owner.count + back.count + told.count === 0;
  }

  /** Nothing is held here, known here or on its way from here. */
  get isEmpty(): boolean {
    return (
      this.isQuiet &&
      this.#underway.place.count === 0 &&
      this.states.size + this.#places.size + this.#ending.size === 0
    );
  }

  // ── tables ───────────────────────────────────────────────────────────────────────────────────────────────

  /** Takes a newer table. `links`: the ways to instances on other threads. */
  install(owners: KeyOwners, links: ReadonlyMap<InstanceId, SiblingLink>, isInForce: boolean): void {
    const before = this.#next ?? this.#owners;
    if (isInForce || before === null) {
      this.#owners = owners;
      this.#next = null;
      this.#isHandingOver = false;
    } else this.#next = owners;
    for (const { instanceId, restarts, isHere } of owners.siblings) {
      const known = before?.siblings.find((sibling) => sibling.instanceId === instanceId);
      // Whoever has lost its thread is told anew what stays here.
      if (known !== undefined && known.restarts !== restarts) this.#announced.clear();
      if (instanceId === this.id || this.#ways.has(instanceId)) continue;
      const link = links.get(instanceId) ?? null;
      // The ways of an instance that has just been made come with the next table.
      if (link === null && !isHere) continue;
      const way = new Way(instanceId, this.#thread, link);
      this.#ways.set(instanceId, way);
      // Of an earlier life of this instance.
      way.eachPending((key, position) => this.#note(way, { key, position, towards: 'owner' }));
    }
    this.#immovable.clear();
  }

  /** Hands over what the next table gives to others; resolves when they have all of it. */
  handOver(): Promise<void> {
    if (this.#next === null) return Promise.resolve();
    this.#isHandingOver = true;
    this.#hasSeenEarlier = this.#instance.inbox.markPassedOn();
    this.#thread.lanesChanged();
    const handedOver = new Promise<void>((resolve) => this.#onHandedOver.push(resolve));
    this.#moving = null;
    this.#moveStates();
    return handedOver;
  }

  /** All owners have handed over. */
  putInForce(): void {
    if (this.#next === null) return;
    this.#owners = this.#next;
    this.#next = null;
    this.#isHandingOver = false;
    for (const key of this.#announced)
      if (this.#ownerElsewhere(bucketOf(key)) === null) this.#announced.delete(key);
    this.#moveStates();
  }

  forget(id: InstanceId): void {
    const way = this.#ways.get(id);
    if (way === undefined) return;
    for (const { key, towards } of way.onItsWay.splice(0)) this.#underway[towards].remove(key);
    this.#ways.delete(id);
    for (const [key, place] of this.#places) if (place === id) this.#places.delete(key);
  }

  /** The instance is removed: nobody waits for it. */
  close(): void {
    for (const resolve of this.#onHandedOver.splice(0)) resolve();
  }

  /** By which table the next owner of a bucket, or the present one, gets what is not this instance's; null: it is. */
  #tableFor(bucket: number): KeyOwners | null {
    const owners = this.#owners;
    if (owners === null) return null;
    if (!owners.owns(this.id, bucket)) return owners.ownerOf(bucket) === null ? null : owners;
    return this.#isHandingOver && this.#next?.owns(this.id, bucket) === false ? this.#next : null;
  }

  /** The owner of a bucket that is not this instance's, now or by the next table; null: it is. */
  #ownerElsewhere(bucket: number): Sibling | null {
    if (this.#next?.owns(this.id, bucket) === true) return null;
    return this.#tableFor(bucket)?.ownerOf(bucket) ?? null;
  }

  // ── what is on its way ───────────────────────────────────────────────────────────────────────────────────

  #note(way: Way, one: OnItsWay): void {
    way.onItsWay.push(one);
    this.#underway[one.towards].add(one.key, way);
    if (this.#isLooking) return;
    this.#isLooking = true;
    this.#after(lookPeriodMs, () => this.#look());
  }

  /** What has ended elsewhere may have come back: it counts until all that has come here by then has been taken (I2). */
  #look(): void {
    while (this.#returning[0]?.isTaken() === true)
      for (const { key, towards } of this.#returning.shift()?.all ?? []) this.#underway[towards].remove(key);
    const ended = [...this.#ways.values()].flatMap((way) => way.takeEnded());
    const all = ended.filter(({ towards }) => towards !== 'told');
    for (const { key, towards } of ended) if (towards === 'told') this.#underway.told.remove(key);
    if (all.length > 0) this.#returning.push({ all, isTaken: this.#instance.inbox.markPassedOn() });
    this.#isLooking = Object.values(this.#underway).some(({ count }) => count > 0);
    if (this.#isLooking) this.#after(lookPeriodMs, () => this.#look());
  }

  // ── messages ─────────────────────────────────────────────────────────────────────────────────────────────

  /**
   * Sends on a message that is to be handled elsewhere, and ends it here: `done`, as a delayed message does that was handed
   * on; where it cannot be taken, `shed: undeliverable`. False: its place is here.
   * `wasPassedOn`: another instance of the type has sent it on before.
   */
  sendOn(message: Envelope, lane: LaneReader | null, index: number, wasPassedOn: boolean): boolean {
    const step = this.#stepOf(message, wasPassedOn);
    if (step === null) return false;
    const { way, towards } = step;
    message.routedBy = step.routedBy;
    const { endings } = this.#instance;
    const position = way?.next() ?? 0;
    try {
      const codec = this.#instance.ports[message.port]?.codec as Codec;
      if (way?.pass(message, lane, index, codec) === true) {
        this.#note(way, { key: message.flowKey, position, towards });
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

  /** Null: here. */
  #stepOf({ flowKey: key, routedBy }: Envelope, wasPassedOn: boolean): Step | null {
    if (this.#owners === null) return null;
    const { owner, place, back } = this.#underway;
    if (routedBy < 0) {
      // Behind others that went back.
      const isHere = back.wayOf(key) === undefined && this.#isHere(key);
      return isHere ? null : this.#stepBack(-routedBy as InstanceId, key);
    }
    const bucket = bucketOf(key);
    const isBack = routedBy === routedBack;
    if (!isBack) {
      const toOwner = wasPassedOn ? undefined : (owner.wayOf(key) ?? back.wayOf(key));
      if (toOwner !== undefined) return this.#stepToOwner(bucket, toOwner);
      const toPlace = place.wayOf(key);
      if (toPlace !== undefined) return this.#stepToPlace(toPlace);
    }
    if (this.#isHere(key)) return null;
    const known = this.#places.get(key);
    if (known !== undefined) {
      const way = this.#ways.get(known);
      if (!isBack && way !== undefined) return this.#stepToPlace(way);
      this.#places.delete(key);
    }
    // The next owner decides on what comes to it as such, and on a key whose place it has been told.
    const next = this.#next;
    const isForNext = next?.owns(this.id, bucket) === true && (isBack || routedBy >= next.version);
    const step = isForNext ? null : this.#stepToOwner(bucket);
    // What follows must not overtake others of the key that come back.
    return isBack && step !== null ? { ...step, towards: 'told' } : step;
  }

  #isHere(key: Key): boolean {
    return this.states.has(key) || (this.#announced.has(key) && this.isServing(key));
  }

  #stepToPlace(way: Way): Step {
    return { way, towards: 'place', routedBy: -this.id };
  }

  /** `follows`: the way of what is to arrive before it. */
  #stepToOwner(bucket: number, follows?: Way): Step | null {
    const table = this.#tableFor(bucket);
    const owner = table?.ownerOf(bucket)?.instanceId;
    if (follows === undefined && owner === undefined) return null;
    const way = follows ?? this.#ways.get(owner as InstanceId);
    const routedBy = table !== null && way?.to === owner ? table.version : routedToFormer;
    return { way, towards: 'owner', routedBy };
  }

  /** The key is not here any more. Where the one that thought so is gone, whoever owns it gets it. */
  #stepBack(to: InstanceId, key: Key): Step | null {
    const way = this.#ways.get(to);
    return way === undefined
      ? this.#stepToOwner(bucketOf(key))
      : { way, towards: 'back', routedBy: routedBack };
  }

  // ── what other instances say ─────────────────────────────────────────────────────────────────────────────

  /** Puts a state in. False: it could not be, and is lost; that is counted and logged. */
  importState(key: Key, state: unknown): boolean {
    this.#places.delete(key);
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

  /** The state of a key stays with another instance. */
  notePlace(key: Key, place: InstanceId): void {
    if (place === this.id || this.states.has(key)) return;
    this.#places.set(key, place);
    if (this.#ownerElsewhere(bucketOf(key)) !== null) this.#moveStates();
  }

  /** A key whose place was another instance has ended. */
  noteEnded(key: Key, place: InstanceId): void {
    if (this.#places.get(key) === place) this.#places.delete(key);
    else this.#tell(EnvelopeKind.ended, key, place);
  }

  /** Tells the owner of a key, if that is another, where its place is or was. False: there is no room now. */
  #tell(kind: typeof EnvelopeKind.place | typeof EnvelopeKind.ended, key: Key, place: InstanceId): boolean {
    const owner = this.#ownerElsewhere(bucketOf(key));
    const way = owner === null ? undefined : this.#ways.get(owner.instanceId);
    if (way === undefined) return true;
    const position = way.next();
    if (way.write(this.#envelope(kind, key, place), rawCodec, noBytes) !== 'accepted') return false;
    this.#note(way, { key, position, towards: 'told' });
    return true;
  }

  #tellEnded(): void {
    for (const key of this.#ending) {
      if (!this.states.has(key)) {
        if (this.isServing(key) || !this.#tell(EnvelopeKind.ended, key, this.id)) continue;
        this.#announced.delete(key);
      }
      this.#ending.delete(key);
    }
    if (this.#ending.size > 0) this.#after(lookPeriodMs, () => this.#tellEnded());
  }

  // ── moving ───────────────────────────────────────────────────────────────────────────────────────────────

  get #handlers(): Required<Pick<LifeHandlers, 'exportState' | 'importState'>> | null {
    const { exportState, importState } = this.#instance.handlers;
    return exportState === undefined || importState === undefined
      ? null
      : (this.#instance.handlers as Required<LifeHandlers>);
  }

  /** Begins a round through all keys, in which what belongs to others goes to them, or their owners learn its place. */
  #moveStates(): void {
    this.#movesAgain = this.#moving !== null;
    if (!this.#movesAgain) this.#beginRound(this.#keysToMove());
  }

  #beginRound(keys: Iterator<Key>): void {
    this.#moving = keys;
    this.#left.clear();
    this.#isIncomplete = false;
    this.#movedAtMs = this.#thread.nowMs;
    this.#after(0, () => this.#moveSome());
  }

  *#keysToMove(): Generator<Key> {
    yield* this.states.keys();
    for (const { flowKey } of this.#instance.inProgressMessages()) yield flowKey;
    yield* this.#places.keys();
  }

  #moveSome(): void {
    const thread = this.#thread;
    const moving = this.#moving;
    if (moving === null) return;
    if (!this.#hasSeenEarlier()) return this.#after(lookPeriodMs, () => this.#moveSome());
    const startedAt = thread.tick();
    const share = (startedAt - this.#movedAtMs) * moveShare;
    const endsAt = startedAt + Math.min(moveMaxMs, Math.max(moveMinMs, share));
    const { meter } = this.#instance;
    meter.begin(startedAt);
    const isOver = this.#moveUntil(endsAt, moving);
    meter.end();
    if (isOver) return this.#endRound();
    this.#movedAtMs = thread.nowMs;
    this.#after(0, () => this.#moveSome());
  }

  /** Answers whether there are no more. */
  #moveUntil(endsAtMs: number, moving: Iterator<Key>): boolean {
    do {
      for (let seen = 0; seen < movePerLook; seen++) {
        const next = moving.next();
        if (next.done === true) return true;
        this.#move(next.value);
      }
    } while (this.#thread.tick() < endsAtMs);
    return false;
  }

  #endRound(): void {
    this.#moving = null;
    if (this.#isHandingOver && !this.#isIncomplete) this.#endHandOver();
    if (!this.#movesAgain && this.#left.size === 0) return;
    this.#after(moveRetryMs, () => {
      if (this.#moving !== null) return;
      this.#beginRound(this.#movesAgain ? this.#keysToMove() : [...this.#left].values());
      this.#movesAgain = false;
    });
  }

  /** All is sent: it must be there, too, before others may send to the next owners. */
  #endHandOver(): void {
    const siblings = this.#next?.siblings ?? [];
    const isUnderway = siblings.some(
      ({ instanceId, hasBegun }) => hasBegun && this.#ways.get(instanceId)?.isTelling === true,
    );
    if (!isUnderway) this.close();
    else this.#after(lookPeriodMs, () => this.#endHandOver());
  }

  /** Of a key in a bucket of another: its state goes there, or the owner learns of its place. */
  #move(key: Key): void {
    const bucket = bucketOf(key);
    const owner = this.#ownerElsewhere(bucket);
    const way = owner === null ? undefined : this.#ways.get(owner.instanceId);
    if (owner === null || way === undefined) return;
    const isHere = this.states.has(key) || this.isServing(key);
    const place = isHere ? this.id : this.#places.get(key);
    if (place === undefined) return;
    // Between two tables only what is handed over moves: others may be handing over what they have been given.
    const isHandedOver = this.#next !== null && this.#owners?.owns(this.id, bucket) === true;
    if (this.#next !== null && !isHandedOver && this.#announced.has(key)) return;
    // It keeps to one way.
    const isElsewhere = Object.values(this.#underway).some((some) => (some.wayOf(key) ?? way) !== way);
    if (isElsewhere) return this.#leave(key, true);
    if (place !== this.id) {
      if (place === owner.instanceId || this.#tell(EnvelopeKind.place, key, place)) this.#places.delete(key);
      else this.#leave(key, true);
      return;
    }
    const isMovable = this.#handlers !== null && this.states.has(key) && !this.#immovable.has(key);
    if (isMovable && (this.#next === null || isHandedOver)) {
      if (!this.isServing(key) && hasRoom(owner, way, this.statesMax)) {
        if (this.#export(key, way)) return;
      } else this.#leave(key, false);
    }
    if (this.#announced.has(key)) return;
    if (this.#tell(EnvelopeKind.place, key, this.id)) {
      this.#announced.add(key);
      if (!this.states.has(key)) this.lost(key);
    } else this.#leave(key, true);
  }

  /** For another round. `isAwaited`: the next owner must have it before its table is in force. */
  #leave(key: Key, isAwaited: boolean): void {
    this.#left.add(key);
    if (isAwaited) this.#isIncomplete = true;
  }

  /** False: it stays, for now or for good. */
  #export(key: Key, way: Way): boolean {
    const handlers = this.#handlers;
    if (handlers === null) return false;
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
      return false;
    }
    const position = way.next();
    let written: ReturnType<Way['write']>;
    try {
      written = way.write(this.#envelope(EnvelopeKind.state, key, this.id), stateCodec, state);
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
      if (written === 'queue-full') this.#leave(key, false);
      return false;
    }
    this.#note(way, { key, position, towards: 'told' });
    this.#announced.delete(key);
    this.states.delete(key);
    return true;
  }

  /** `sender`: the instance with the state. */
  #envelope(kind: Envelope['kind'], key: Key, sender: InstanceId): Envelope {
    const envelope = new Envelope();
    envelope.kind = kind;
    envelope.flowKey = key;
    envelope.sender = sender;
    envelope.origin = sender;
    envelope.enqueuedAtMs = this.#thread.nowMs;
    return envelope;
  }

  #keep(key: Key, error: unknown): void {
    this.#immovable.add(key);
    this.#instance.countError(`the state of key ${key} stays where it is`, error);
  }
}

/** As well as can be known here: what others send meanwhile is taken, too (I4). */
function hasRoom(owner: Sibling, way: Way, statesMax: number): boolean {
  const states = (owner.stats[InstanceFloat.states] as number) + way.onItsWay.length;
  return states < statesMax && way.credit() > 0;
}
