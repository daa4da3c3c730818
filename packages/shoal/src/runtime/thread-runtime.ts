/**
 * What runs on one thread: its instances, the routes by which they send, its timers; and the turn, which serves
 * them. Drivers (`thread-loop.ts`) decide when a turn is due.
 *
 * I1. A turn ends after `turnMaxEvents` events or `turnMaxMs`, whatever waits, so that I/O is served.
 * I2. Bells are rung for what was sent before the thread waits, before an event that may be long, and at the latest
 *     `ringDelayMs` after sending; what a handler sends, when it has returned.
 */
import {
  type Clock,
  type InstanceId,
  type Limits,
  type SchedulingOrder,
  schedulingOrders,
  type ThreadId,
} from '../model/index.ts';
import type { LaneWriter } from '../transport/index.ts';
import { Envelope } from '../wire/index.ts';
import { ring, stopWaitingByPipe, waitByPipe } from './bell.ts';
import { type DueEntry, DueHeap } from './due-heap.ts';
import type { Instance } from './instance.ts';
import type { MessageIds } from './message-ids.ts';
import type { Route } from './route.ts';
import { type ThreadBlock, ThreadFloat, ThreadWord } from './shared-block.ts';

/** Between two looks for requests that have timed out, and for what is awaited too long: they end at most so much late. */
const expiryPeriodMs = 10;
/** Between two looks at the lanes that no bell has asked for, while there are turns. */
const lookPeriodMs = 10;
/** A bell waits at most this long for company, so that a batch is one notification. */
const ringDelayMs = 0.05;
/** A thread that has served nothing for so long is in a lull: what comes is served at once, and not with what comes after. */
export const quietMs = 0.05;
/** A few messages may come close on one another in a lull, too: so many in a row are served at once all the same. */
export const closeMax = 4;
/** Messages that one that is served at once may lead to, one by another, before the rest waits for a turn. */
const chainedMax = 7;
/** Events a batch may hold before its bells are rung. */
const ringMaxEvents = 32;

/** The way back to an instance in another thread: for replies and notices. */
export interface ReplyWay {
  readonly writer: LaneWriter;
  readonly bell: Int32Array;
  readonly wantsNotices: boolean;
}

/** What a thread does. */
const Phase = { idle: 0, turn: 1, atOnce: 2 } as const;
type Phase = (typeof Phase)[keyof typeof Phase];

/** What a thread tells the agent. */
export interface ThreadObserver {
  /** User code threw. */
  onError(instance: Instance, what: string, error: unknown): void;
  /** An instance has a new custom counter. */
  onCounter(instance: Instance, slot: number, name: string): void;
}

export class ThreadRuntime {
  readonly id: ThreadId;
  readonly limits: Limits;
  readonly block: ThreadBlock;
  readonly instances: Map<InstanceId, Instance> = new Map();
  readonly routes: Map<number, Route> = new Map();
  readonly replyWays: Map<InstanceId, ReplyWay> = new Map();
  /** Filled and written to a lane at once; never kept. */
  readonly scratch: Envelope = new Envelope();
  readonly random: () => number;
  /** The clock as of the last event. */
  nowMs = 0;
  delayedCount = 0;
  /** Asks the driver for a turn. Set by the driver. */
  onTurnWanted: () => void = () => {};
  readonly #clock: Clock;
  readonly #scheduling: SchedulingOrder;
  /** {@link #scheduling} is another than `fifo`: whatever comes may go before what is there. */
  readonly #isOrdered: boolean;
  readonly #words: Int32Array;
  readonly #floats: Float64Array;
  readonly #due = new DueHeap();
  /** When the first of {@link #due} is due. */
  #dueAtMs = Number.POSITIVE_INFINITY;
  readonly #dirtyBells: Int32Array[] = [];
  readonly #observer: ThreadObserver;
  #list: readonly Instance[] = [];
  /** Those with something in their inboxes, and perhaps others: only they are asked what comes next. */
  readonly #ready: Instance[] = [];
  /** Nothing expires before this; what would have may have ended meanwhile. `Infinity`: nothing does. */
  #expiryAtMs = Number.POSITIVE_INFINITY;
  #phase: Phase = Phase.idle;
  /** When a turn, or what was served at once, ended last. */
  #servedAtMs = 0;
  /** Messages in a row that were served at once, each less than {@link quietMs} after the one before. */
  #close = 0;
  /** While messages are served at once: within whose code, what comes next, how many were next, and whether a turn is due. */
  #caller: Instance | null = null;
  #next: Instance | null = null;
  #nextMessage: Envelope | null = null;
  #chained = 0;
  #wantsTurn = false;
  readonly #messageIds: MessageIds;
  #rungAtMs = 0;
  /** Events since the bells were rung. */
  #sinceRing = 0;
  /** What is picked may go on while its next event ranks no later than this: no other instance can have an earlier one. */
  #othersRank = 0;
  /** No look for what has expired before this. */
  #nextExpiryMs = 0;
  /** The first turn after this looks at the lanes, whatever the bell says. */
  #nextLookMs = 0;
  /** The bell as it was before the lanes were last looked at; -1: look, whatever the bell says. */
  #bellPolled = -1;

  constructor(options: {
    id: ThreadId;
    limits: Limits;
    block: ThreadBlock;
    clock: Clock;
    scheduling: SchedulingOrder;
    random: () => number;
    messageIds: MessageIds;
    observer: ThreadObserver;
  }) {
    this.id = options.id;
    this.limits = options.limits;
    this.block = options.block;
    this.#words = options.block.words;
    this.#floats = options.block.floats;
    this.random = options.random;
    this.#clock = options.clock;
    // The constant of that name: what came in a message is another string, which V8 compares letter by letter.
    this.#scheduling = schedulingOrders.find((order) => order === options.scheduling) ?? 'fifo';
    this.#isOrdered = options.scheduling !== 'fifo';
    this.#observer = options.observer;
    this.nowMs = options.clock.now();
    this.#messageIds = options.messageIds;
  }

  /** Milliseconds on the machine's clock; within a turn, as of the last event (cheap). */
  time(): number {
    return this.#phase === Phase.idle ? this.tick() : this.nowMs;
  }

  /** Reads the clock. */
  tick(): number {
    this.nowMs = this.#clock.now();
    return this.nowMs;
  }

  nextMessageId(): number {
    return this.#messageIds.next();
  }

  add(instance: Instance): void {
    this.instances.set(instance.id, instance);
    instance.isNoted = false;
    this.#list = [...this.instances.values()];
    this.lanesChanged();
  }

  delete(id: InstanceId): void {
    const at = this.#ready.findIndex((instance) => instance.id === id);
    if (at >= 0) this.#ready.splice(at, 1);
    const instance = this.instances.get(id);
    if (instance !== undefined) instance.isNoted = true;
    this.instances.delete(id);
    this.#list = [...this.instances.values()];
  }

  /** An instance has other lanes than before: something may be in them already. */
  lanesChanged(): void {
    this.#bellPolled = -1;
    this.requestTurn();
  }

  reportError(instance: Instance, what: string, error: unknown): void {
    this.#observer.onError(instance, what, error);
  }

  nameCounter(instance: Instance, slot: number, name: string): void {
    this.#observer.onCounter(instance, slot, name);
  }

  /** Runs something in a turn after a delay. */
  after(delayMs: number, run: () => void): DueEntry {
    const entry = this.#due.add(this.time() + delayMs, run);
    if (entry.dueAtMs < this.#dueAtMs) this.#dueAtMs = entry.dueAtMs;
    this.requestTurn();
    return entry;
  }

  cancel(entry: DueEntry): void {
    this.#due.cancel(entry);
  }

  requestTurn(): void {
    if (this.#phase === Phase.idle) this.onTurnWanted();
    else this.#wantsTurn = true;
  }

  /** Something was put into the inbox of an instance. */
  addReady(instance: Instance): void {
    this.#noteReady(instance);
    this.requestTurn();
  }

  #noteReady(instance: Instance): void {
    if (instance.isNoted) return;
    instance.isNoted = true;
    this.#ready.push(instance);
  }

  /** An instance begins to wait for something that expires then. */
  noteExpiry(atMs: number): void {
    if (atMs >= this.#expiryAtMs) return;
    this.#expiryAtMs = atMs;
    this.requestTurn();
  }

  /** Marks a bell to be rung with the next batch. */
  ring(bell: Int32Array): void {
    if (!this.#dirtyBells.includes(bell)) this.#dirtyBells.push(bell);
    // What is served at once is followed by the rings for what it has sent.
    if (this.#phase !== Phase.atOnce) this.requestTurn();
  }

  /** Called after each event: a batch is short in time and in events. */
  #ringInBatches(): void {
    if (++this.#sinceRing >= ringMaxEvents || this.nowMs - this.#rungAtMs > ringDelayMs) this.#ringBells();
  }

  #ringBells(): void {
    const bells = this.#dirtyBells;
    for (let i = 0; i < bells.length; i++) {
      ring(bells[i] as Int32Array);
    }
    // Setting the length of an array is a call into the runtime of V8.
    while (bells.length > 0) bells.pop();
    this.#sinceRing = 0;
    this.#rungAtMs = this.nowMs;
  }

  /**
   * In a lull, serves a message within the call that sends it, and after it what that leads to on this thread. Answers
   * false where the message must wait for its turn. No handler is called within another, nor one of the sender within its
   * own code.
   */
  serveAtOnce(instance: Instance, message: Envelope, sender: Instance): boolean {
    if (this.#phase === Phase.turn || this.#ready.length > 0 || !instance.isFree) return false;
    if (this.#words[ThreadWord.bell] !== this.#bellPolled) return false;
    if (this.#phase === Phase.atOnce) return this.#serveNext(instance, message);
    if (instance === sender || !this.#isLull()) return false;
    this.#serveChain(instance, message, sender);
    return true;
  }

  /** One call serves whatever comes: V8 compiles what it calls into each place that calls it, and the caches have to hold all. */
  #serveChain(first: Instance, firstMessage: Envelope, sender: Instance): void {
    this.#phase = Phase.atOnce;
    this.#caller = sender;
    this.#chained = 0;
    this.#wantsTurn = false;
    let instance: Instance | null = first;
    let message = firstMessage;
    first.meter.accepted();
    try {
      do {
        this.#next = null;
        instance.serve(message);
        // In a lull little comes that might go with what it sends: the rings follow at once.
        if (this.#dirtyBells.length > 0) this.#ringAndLook();
        instance = this.#next as Instance | null;
        message = this.#nextMessage as Envelope;
      } while (instance !== null);
    } finally {
      this.#next = null;
      this.#nextMessage = null;
      this.#phase = Phase.idle;
      this.#servedAtMs = this.nowMs;
    }
    if (this.#wantsTurn) this.onTurnWanted();
  }

  /**
   * Who is rung may take this thread's core at once, and answer before it goes on. Then it need not tell by the pipe, and
   * the answer is served in a turn at once, without a round of the event loop.
   */
  #ringAndLook(): void {
    const hasWaited = stopWaitingByPipe(this.#words);
    this.#ringBells();
    if (hasWaited && !waitByPipe(this.#words, this.#bellPolled)) this.#wantsTurn = true;
  }

  #isLull(): boolean {
    if (this.nowMs - this.#servedAtMs >= quietMs) this.#close = 0;
    else if (this.#close === closeMax) return false;
    else this.#close++;
    return true;
  }

  /** Has a message served when the handler that sends it has returned. */
  #serveNext(instance: Instance, message: Envelope): boolean {
    if (this.#next !== null || instance === this.#caller || this.#chained === chainedMax) return false;
    instance.meter.accepted();
    this.#chained++;
    this.#next = instance;
    this.#nextMessage = message;
    return true;
  }

  /** Serves what is due and what waits, within the bounds of a turn. Answers whether more waits. */
  turn(): boolean {
    this.#phase = Phase.turn;
    const startedAt = this.tick();
    this.#floats[ThreadFloat.beatAt] = startedAt;
    if (this.#dueAtMs <= startedAt) this.#runDue(startedAt);
    const isLookDue = startedAt >= this.#nextLookMs;
    if (isLookDue) this.#nextLookMs = startedAt + lookPeriodMs;
    if (this.#expiryAtMs <= startedAt && this.#nextExpiryMs <= startedAt) this.#expire(startedAt);
    const endsAt = startedAt + this.limits.turnMaxMs;
    const eventsMax = this.limits.turnMaxEvents;
    const scheduling = this.#scheduling;
    let events = 0;
    let hasMore = true;
    this.#poll(isLookDue);
    while (events < eventsMax && this.nowMs < endsAt) {
      let instance = this.#pick();
      if (instance === null) {
        // What other threads have sent meanwhile.
        if (this.#poll(false)) instance = this.#pick();
        if (instance === null) {
          hasMore = false;
          break;
        }
      }
      do {
        if (this.#dirtyBells.length > 0 && instance.meter.mayBeLong) this.#ringBells();
        instance.runNext();
        events++;
        if (this.#dirtyBells.length > 0) this.#ringInBatches();
      } while (
        events < eventsMax &&
        this.nowMs < endsAt &&
        instance.chooseNext(scheduling) <= this.#othersRank
      );
      instance.meter.settle();
    }
    if (this.#dirtyBells.length > 0) this.#ringBells();
    this.#phase = Phase.idle;
    this.#servedAtMs = this.nowMs;
    return hasMore;
  }

  /**
   * Looks at the lanes if the bell has rung since, or `always`. Whoever writes to a lane rings, unless it dies in
   * between: so turns look at them regardless once in {@link lookPeriodMs}. Answers whether it has looked.
   */
  #poll(always: boolean): boolean {
    // A plain read costs a tenth of an atomic one, and misses nothing: a wait begins with an atomic one from before the turn.
    if (this.#words[ThreadWord.bell] === this.#bellPolled && !always) return false;
    this.#bellPolled = Atomics.load(this.#words, ThreadWord.bell);
    const list = this.#list;
    for (let i = 0; i < list.length; i++) {
      const instance = list[i] as Instance;
      instance.poll();
      if (!instance.inbox.isEmpty) this.#noteReady(instance);
    }
    return true;
  }

  /** The instance whose next event comes first in the thread's order. */
  #pick(): Instance | null {
    const ready = this.#ready;
    if (ready.length === 0) return null;
    const scheduling = this.#scheduling;
    let kept = 0;
    let first: Instance | null = null;
    let least = Number.POSITIVE_INFINITY;
    // In order of time, whatever comes from now on ranks later than now. In other orders anything may come before.
    let others = this.#isOrdered ? Number.NEGATIVE_INFINITY : this.nowMs;
    for (let i = 0; i < ready.length; i++) {
      const instance = ready[i] as Instance;
      const rank = instance.chooseNext(scheduling);
      if (rank === Number.POSITIVE_INFINITY && instance.inbox.isEmpty) {
        instance.isNoted = false;
        continue;
      }
      if (kept < i) ready[kept] = instance;
      kept++;
      if (rank < least) {
        if (least < others) others = least;
        least = rank;
        first = instance;
      } else if (rank < others) {
        others = rank;
      }
    }
    while (ready.length > kept) ready.pop();
    this.#othersRank = others;
    return first;
  }

  #runDue(nowMs: number): void {
    this.#due.runDue(nowMs);
    this.#dueAtMs = this.#due.nextDueAtMs();
  }

  #expire(nowMs: number): void {
    this.#nextExpiryMs = nowMs + expiryPeriodMs;
    // What begins to wait meanwhile is noted.
    this.#expiryAtMs = Number.POSITIVE_INFINITY;
    for (const instance of this.#list) if (instance.mayExpire) this.noteExpiry(instance.expire(nowMs));
  }

  /** When the next turn is due even if no bell rings: milliseconds of the clock; `Infinity`: never. */
  nextDueAtMs(): number {
    return Math.min(this.#dueAtMs, Math.max(this.#expiryAtMs, this.#nextExpiryMs));
  }
}
