/**
 * The queue of one instance, over all the ways into it: lanes from other threads and queues within its own. It
 * decides which event is next; it does not run events.
 *
 * I1. Replies and notices come in lanes of their own and are never held back by what the instance is busy with:
 *     an event that awaits a reply could not end otherwise.
 * I2. `fifo`: across all ways in, by the time of acceptance. `priority`, `edf` and `sjf`: waiting messages are moved
 *     into a local order; their slots stay theirs, so a replacement rebuilds that order by a scan.
 * I3. Starvation-free: in `priority` order a message gains one priority for every second that it has waited; by `edf`
 *     one without a deadline, and a timer, has the rank of a deadline a second after its acceptance; by `sjf` one lets
 *     pass what comes within a second at most.
 * I4. What other instances of the type have passed on goes before all other messages, in any order, and their lanes are
 *     looked at last. A sender that has gone over from another instance to this one waited until that one had passed on
 *     its messages: whoever sees here what the sender sent directly, sees afterwards what was passed on before.
 */
import type { QueueOrder, SchedulingOrder } from '../model/index.ts';
import { type LaneReader, rankOf } from '../transport/index.ts';
import { Envelope } from '../wire/index.ts';
import { sjfRank } from './expected-work.ts';
import { Heap } from './heap.ts';
import { LocalQueue } from './local-queue.ts';

interface WaitingMessage {
  readonly envelope: Envelope;
  readonly lane: LaneReader | null;
  readonly index: number;
  readonly rank: number;
  readonly arrival: number;
}

/** Where the next event is. */
const From = { nowhere: 0, localReplies: 1, local: 2, lane: 3, waiting: 4, passedOn: 5 } as const;
type From = (typeof From)[keyof typeof From];

const noLanes: readonly LaneReader[] = [];

export class Inbox {
  readonly order: QueueOrder;
  /** Milliseconds that a message of so many bytes, -1 by reference, will take here: what `sjf` goes by. */
  readonly #expectedMs: (bytes: number) => number;
  /** {@link order} is another than `fifo`. */
  readonly #isArranged: boolean;
  /** Messages accepted from other threads; at the end those of {@link siblingLanes}. */
  readonly lanes: LaneReader[] = [];
  /** What instances of the type on other threads have passed on (I4). */
  readonly siblingLanes: LaneReader[] = [];
  /** Replies and notices from other threads. */
  readonly replyLanes: LaneReader[] = [];
  /** Messages and timer events from the same thread, by {@link accept}. */
  readonly local: LocalQueue;
  /** Replies and notices from the same thread. */
  readonly localReplies: LocalQueue;
  /** What instances of the type on the same thread have passed on (I4). */
  readonly passedOn: LocalQueue;
  readonly #waiting: Heap<WaitingMessage>;
  /** How many of them came from the same thread: their bound is that of {@link local}. */
  #waitingLocal = 0;
  readonly #closing = new Set<LaneReader>();
  #arrivals = 0;
  /** Of the event that {@link take} took last: its lane, null for what came by reference, and its place there. */
  lane: LaneReader | null = null;
  index = 0;
  /** Of the event that is chosen or was taken last: another instance of the type has passed it on. */
  isPassedOn = false;
  #from: From = From.nowhere;
  /** Of the event that is chosen. */
  #lane: LaneReader | null = null;
  /** Events in lanes that the last poll has seen and that are not taken. */
  #inLanes = 0;
  /** Events anywhere but in {@link local}: most inboxes have none, most of the time. */
  #elsewhere = 0;

  constructor(
    order: QueueOrder,
    localMax: number,
    repliesMax: number,
    expectedMs: (bytes: number) => number,
  ) {
    this.order = order;
    this.#expectedMs = expectedMs;
    this.#isArranged = order !== 'fifo';
    this.local = new LocalQueue(localMax);
    this.localReplies = new LocalQueue(repliesMax);
    this.passedOn = new LocalQueue(localMax);
    this.#waiting = new Heap((a, b) => a.rank < b.rank || (a.rank === b.rank && a.arrival < b.arrival));
  }

  /** Messages that the same thread may send now. */
  get localCredit(): number {
    return Math.max(0, this.local.max - this.local.length - this.#waitingLocal);
  }

  /** Takes a message from the same thread; false where as many as may wait do. */
  accept(envelope: Envelope): boolean {
    if (this.local.length + this.#waitingLocal >= this.local.max) return false;
    this.local.pushAlways(envelope);
    return true;
  }

  /** Takes a reply or a notice from the same thread. */
  acceptReply(envelope: Envelope): boolean {
    if (!this.localReplies.push(envelope)) return false;
    this.#elsewhere++;
    return true;
  }

  /** Takes what another instance of the type, on the same thread, passes on. */
  acceptPassedOn(envelope: Envelope): boolean {
    if (!this.passedOn.push(envelope)) return false;
    this.#elsewhere++;
    return true;
  }

  addLane(lane: LaneReader): void {
    this.lanes.splice(this.lanes.length - this.siblingLanes.length, 0, lane);
  }

  addSiblingLane(lane: LaneReader): void {
    this.siblingLanes.push(lane);
    this.lanes.push(lane);
  }

  /** Looks at every lane. Answers how many messages wait (replies not counted). */
  poll(): number {
    let inLanes = 0;
    for (const lane of this.lanes) inLanes += lane.poll();
    const waiting = this.local.length + this.passedOn.length + this.#waiting.size + inLanes;
    for (const lane of this.replyLanes) inLanes += lane.poll();
    this.#elsewhere += inLanes - this.#inLanes;
    this.#inLanes = inLanes;
    if (this.#closing.size > 0) this.#dropClosed();
    // A single one needs no order, and is taken from its lane.
    if (this.#isArranged && waiting > Math.max(1, this.#waiting.size)) this.#arrange();
    return waiting;
  }

  /** Lanes whose senders are gone: dropped as soon as they are empty. */
  closeLanes(gone: ReadonlySet<number>): void {
    for (const lanes of [this.lanes, this.replyLanes]) {
      for (const lane of lanes) if (gone.has(lane.memory.id)) this.#closing.add(lane);
    }
  }

  #dropClosed(): void {
    for (const lane of this.#closing) {
      if (lane.poll() > 0) continue;
      for (const lanes of [this.lanes, this.siblingLanes, this.replyLanes]) {
        const at = lanes.indexOf(lane);
        if (at >= 0) lanes.splice(at, 1);
      }
      this.#closing.delete(lane);
    }
  }

  /** Nothing to choose from: what a thread finds with most of its instances, most of the time. */
  get isEmpty(): boolean {
    return this.#elsewhere === 0 && this.local.length === 0;
  }

  /** Messages that wait, as of the last poll. */
  get length(): number {
    let waiting = this.local.length + this.passedOn.length + this.#waiting.size;
    for (const lane of this.lanes) waiting += lane.waiting;
    return waiting;
  }

  /** When the oldest of what the last poll has seen, and that is in no order of its own yet, was accepted; `Infinity`: none. */
  oldestAtMs(): number {
    let oldest = Number.POSITIVE_INFINITY;
    for (const lane of this.lanes) if (lane.waiting > 0) oldest = Math.min(oldest, lane.nextEnqueuedAtMs());
    for (const queue of [this.local, this.passedOn])
      oldest = Math.min(oldest, queue.peek()?.enqueuedAtMs ?? Number.POSITIVE_INFINITY);
    return oldest;
  }

  /** Answers whether what others have passed on until now has been taken, whenever it is asked. */
  markPassedOn(): () => boolean {
    const local = this.passedOn.taken + this.passedOn.length;
    const marks = this.siblingLanes.map((lane) => {
      lane.poll();
      return { lane, end: lane.end };
    });
    return () => this.passedOn.taken >= local && marks.every(({ lane, end }) => lane.hasTaken(end));
  }

  #arrange(): void {
    const count = this.lanes.length - this.siblingLanes.length;
    for (let i = 0; i < count; i++) {
      const lane = this.lanes[i] as LaneReader;
      while (lane.waiting > 0) {
        const envelope = new Envelope();
        const index = lane.advanceNext();
        this.#inLanes--;
        lane.readHeader(index, envelope);
        this.#arrangeOne(envelope, lane, index);
      }
    }
    this.#waitingLocal += this.local.length;
    this.#elsewhere += this.local.length;
    while (this.local.length > 0) this.#arrangeOne(this.local.shift(), null, 0);
  }

  #arrangeOne(envelope: Envelope, lane: LaneReader | null, index: number): void {
    const { order } = this;
    const rank =
      order === 'sjf'
        ? sjfRank(envelope.enqueuedAtMs, this.#expectedMs(lane?.payloadBytes(index) ?? -1))
        : rankOfEnvelope(order, envelope);
    this.#waiting.push({ envelope, lane, index, rank, arrival: this.#arrivals++ });
  }

  /**
   * Chooses the next event, for {@link take}. Answers its rank in an order, by which a thread compares its instances;
   * `Infinity`: there is none that may be taken. `takesMessages`: false while the instance is as busy as it may
   * be (I1). Replies go first, unless a message of a FIFO inbox, or a single one, is older.
   */
  chooseNext(takesMessages: boolean, order: SchedulingOrder = 'fifo'): number {
    if (this.#elsewhere > 0 || this.#isArranged) return this.#chooseAmongAll(takesMessages, order);
    const first = takesMessages ? this.local.peek() : undefined;
    this.isPassedOn = false;
    this.#lane = null;
    this.#from = first === undefined ? From.nowhere : From.local;
    if (first === undefined) return Number.POSITIVE_INFINITY;
    return order === 'fifo' ? first.enqueuedAtMs : rankOfEnvelope(order, first);
  }

  #chooseAmongAll(takesMessages: boolean, order: SchedulingOrder): number {
    let from: From = From.nowhere;
    let at = Number.POSITIVE_INFINITY;
    let lane: LaneReader | null = null;
    if (this.localReplies.length > 0) {
      from = From.localReplies;
      at = (this.localReplies.peek() as Envelope).enqueuedAtMs;
    }
    const replyLanes = this.#inLanes > 0 ? this.replyLanes : noLanes;
    const lanes = this.#inLanes > 0 ? this.lanes : noLanes;
    for (let i = 0; i < replyLanes.length; i++) {
      const candidate = replyLanes[i] as LaneReader;
      if (candidate.waiting > 0 && candidate.nextEnqueuedAtMs() < at) {
        from = From.lane;
        at = candidate.nextEnqueuedAtMs();
        lane = candidate;
      }
    }
    const passedOnAt = takesMessages ? this.#choosePassedOn() : Number.POSITIVE_INFINITY;
    this.isPassedOn = passedOnAt < at;
    if (this.isPassedOn) return this.#rankOfPassedOn(order);
    // A reply that is older goes first; no other message does.
    const takesOthers = takesMessages && passedOnAt === Number.POSITIVE_INFINITY;
    if (takesOthers && this.#isArranged && this.local.length + this.#waiting.size > 0) {
      if (from === From.nowhere) return this.#chooseArranged(order);
    } else if (takesOthers) {
      let isMessage = false;
      if (this.local.length > 0 && (this.local.peek() as Envelope).enqueuedAtMs < at) {
        from = From.local;
        at = (this.local.peek() as Envelope).enqueuedAtMs;
        isMessage = true;
      }
      for (let i = 0; i < lanes.length; i++) {
        const candidate = lanes[i] as LaneReader;
        if (candidate.waiting > 0 && candidate.nextEnqueuedAtMs() < at) {
          from = From.lane;
          at = candidate.nextEnqueuedAtMs();
          lane = candidate;
          isMessage = true;
        }
      }
      if (isMessage && order !== 'fifo')
        at =
          from === From.lane
            ? (lane as LaneReader).nextRank(order)
            : rankOfEnvelope(order, this.local.peek() as Envelope);
    }
    this.#from = from;
    this.#lane = lane;
    return at;
  }

  /** Finds the oldest of what was passed on, and answers when it was accepted; `Infinity`: there is none. */
  #choosePassedOn(): number {
    let at = Number.POSITIVE_INFINITY;
    if (this.passedOn.length === 0 && this.siblingLanes.length === 0) return at;
    this.#from = From.passedOn;
    this.#lane = null;
    if (this.passedOn.length > 0) at = (this.passedOn.peek() as Envelope).enqueuedAtMs;
    for (const candidate of this.siblingLanes) {
      if (candidate.waiting === 0 || candidate.nextEnqueuedAtMs() >= at) continue;
      at = candidate.nextEnqueuedAtMs();
      this.#from = From.lane;
      this.#lane = candidate;
    }
    return at;
  }

  #rankOfPassedOn(order: SchedulingOrder): number {
    return this.#lane?.nextRank(order) ?? rankOfEnvelope(order, this.passedOn.peek() as Envelope);
  }

  #chooseArranged(order: SchedulingOrder): number {
    if (this.local.length > 0) this.#arrange();
    const first = this.#waiting.peek()?.envelope;
    this.#from = first === undefined ? From.nowhere : From.waiting;
    return first === undefined ? Number.POSITIVE_INFINITY : rankOfEnvelope(order, first);
  }

  /**
   * Takes the event that {@link chooseNext} has chosen, and there must be one, into service. Where it was is in
   * {@link lane} and {@link index} until the next is taken.
   */
  take(): Envelope {
    this.lane = null;
    this.index = 0;
    if (this.#from === From.local) return this.local.shift();
    this.#elsewhere--;
    switch (this.#from) {
      case From.localReplies:
        return this.localReplies.shift();
      case From.passedOn:
        return this.passedOn.shift();
      case From.lane: {
        const lane = this.#lane as LaneReader;
        const envelope = new Envelope();
        this.#inLanes--;
        this.lane = lane;
        this.index = lane.take(envelope);
        return envelope;
      }
      case From.waiting: {
        const { envelope, lane, index } = this.#waiting.pop() as WaitingMessage;
        this.lane = lane;
        this.index = index;
        if (lane === null) this.#waitingLocal--;
        else lane.start(index);
        return envelope;
      }
      case From.nowhere:
        throw new Error('nothing was chosen');
    }
  }
}

function rankOfEnvelope(order: SchedulingOrder, envelope: Envelope): number {
  if (order === 'fifo') return envelope.enqueuedAtMs;
  return rankOf(order, envelope.enqueuedAtMs, envelope.priority, envelope.deadlineAtMs);
}
