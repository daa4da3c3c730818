/**
 * The queue of one instance, over all the ways into it: lanes from other threads and queues within its own. It
 * decides which event is next; it does not run events.
 *
 * I1. Replies and notices come in lanes of their own and are never held back by what the instance is busy with:
 *     an event that awaits a reply could not end otherwise.
 * I2. `fifo`: across all ways in, by the time of acceptance. `priority` and `edf`: waiting messages are moved
 *     into a local order; their slots stay theirs, so a replacement rebuilds that order by a scan.
 * I3. Starvation-free: in `priority` order a message gains one priority for every second that it has waited.
 */
import type { QueueOrder } from '../model/index.ts';
import { type LaneReader, rankOf } from '../transport/index.ts';
import { Envelope } from '../wire/index.ts';
import { Heap } from './heap.ts';
import { LocalQueue } from './local-queue.ts';

/** An event taken from an inbox. `lane` is null for what came by reference. */
export interface TakenEvent {
  envelope: Envelope;
  lane: LaneReader | null;
  index: number;
}

interface WaitingMessage {
  readonly envelope: Envelope;
  readonly lane: LaneReader | null;
  readonly index: number;
  readonly rank: number;
  readonly arrival: number;
}

export class Inbox {
  readonly order: QueueOrder;
  /** Messages accepted from other threads. */
  readonly lanes: LaneReader[] = [];
  /** Replies and notices from other threads. */
  readonly replyLanes: LaneReader[] = [];
  /** Messages and timer events from the same thread. */
  readonly local: LocalQueue;
  /** Replies and notices from the same thread. */
  readonly localReplies: LocalQueue;
  readonly #waiting: Heap<WaitingMessage>;
  readonly #closing = new Set<LaneReader>();
  #arrivals = 0;

  constructor(order: QueueOrder, localMax: number, repliesMax: number) {
    this.order = order;
    this.local = new LocalQueue(localMax);
    this.localReplies = new LocalQueue(repliesMax);
    this.#waiting = new Heap((a, b) => a.rank < b.rank || (a.rank === b.rank && a.arrival < b.arrival));
  }

  /** Looks at every lane. Answers how many messages wait (replies not counted). */
  poll(): number {
    let waiting = this.local.length + this.#waiting.size;
    for (const lane of this.lanes) waiting += lane.poll();
    for (const lane of this.replyLanes) lane.poll();
    if (this.#closing.size > 0) this.#dropClosed();
    if (this.order !== 'fifo' && waiting > this.#waiting.size) this.#arrange();
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
      for (const lanes of [this.lanes, this.replyLanes]) {
        const at = lanes.indexOf(lane);
        if (at >= 0) lanes.splice(at, 1);
      }
      this.#closing.delete(lane);
    }
  }

  /** Messages that wait, as of the last poll. */
  get length(): number {
    let waiting = this.local.length + this.#waiting.size;
    for (const lane of this.lanes) waiting += lane.waiting;
    return waiting;
  }

  #arrange(): void {
    for (const lane of this.lanes) {
      while (lane.waiting > 0) {
        const envelope = new Envelope();
        const index = lane.advanceNext();
        lane.readHeader(index, envelope);
        this.#arrangeOne(envelope, lane, index);
      }
    }
    while (this.local.length > 0) this.#arrangeOne(this.local.shift(), null, 0);
  }

  #arrangeOne(envelope: Envelope, lane: LaneReader | null, index: number): void {
    const rank = rankOf(this.order, envelope.enqueuedAtMs, envelope.priority, envelope.deadlineAtMs);
    this.#waiting.push({ envelope, lane, index, rank, arrival: this.#arrivals++ });
  }

  /**
   * What a thread compares its instances by: the rank of the next event in the thread's order; `Infinity` where
   * there is none that may be taken. `takesMessages`: false while the instance is as busy as it may be (I1).
   */
  nextRank(takesMessages: boolean, order: QueueOrder = 'fifo'): number {
    let rank = this.#replyAt();
    if (!takesMessages) return rank;
    if (this.order !== 'fifo') {
      if (this.local.length > 0) this.#arrange();
      const first = this.#waiting.peek()?.envelope;
      return first === undefined ? rank : Math.min(rank, rankOfEnvelope(order, first));
    }
    const local = this.local.peek();
    if (local !== undefined) rank = Math.min(rank, rankOfEnvelope(order, local));
    for (const lane of this.lanes) {
      if (lane.waiting > 0) {
        const at = order === 'fifo' ? lane.nextEnqueuedAtMs() : lane.nextRank(order);
        if (at < rank) rank = at;
      }
    }
    return rank;
  }

  /** When the oldest reply or notice was accepted; `Infinity`: there is none. */
  #replyAt(): number {
    let at = this.localReplies.peek()?.enqueuedAtMs ?? Number.POSITIVE_INFINITY;
    for (const lane of this.replyLanes) {
      if (lane.waiting > 0) {
        const laneAt = lane.nextEnqueuedAtMs();
        if (laneAt < at) at = laneAt;
      }
    }
    return at;
  }

  /** Takes the next event into service. There must be one. */
  take(takesMessages: boolean, taken: TakenEvent): void {
    if (this.#takeReply(takesMessages, taken)) return;
    if (this.order !== 'fifo') {
      const { envelope, lane, index } = this.#waiting.pop() as WaitingMessage;
      taken.envelope = envelope;
      taken.lane = lane;
      taken.index = index;
      lane?.start(index, envelope);
      return;
    }
    this.#takeOldest(this.lanes, this.local, taken);
  }

  /** Replies go first, unless a message is older (or none may be taken). */
  #takeReply(takesMessages: boolean, taken: TakenEvent): boolean {
    const reply = this.#replyAt();
    if (reply === Number.POSITIVE_INFINITY) return false;
    if (takesMessages && this.order === 'fifo' && this.nextRank(true) < reply) return false;
    this.#takeOldest(this.replyLanes, this.localReplies, taken);
    return true;
  }

  #takeOldest(lanes: readonly LaneReader[], local: LocalQueue, taken: TakenEvent): void {
    let oldest: LaneReader | null = null;
    let at = local.peek()?.enqueuedAtMs ?? Number.POSITIVE_INFINITY;
    for (const lane of lanes) {
      if (lane.waiting > 0) {
        const laneAt = lane.nextEnqueuedAtMs();
        if (laneAt < at) {
          at = laneAt;
          oldest = lane;
        }
      }
    }
    taken.lane = oldest;
    if (oldest === null) {
      taken.envelope = local.shift();
      taken.index = 0;
    } else {
      taken.envelope = new Envelope();
      taken.index = oldest.take(taken.envelope);
    }
  }
}

function rankOfEnvelope(order: QueueOrder, envelope: Envelope): number {
  if (order === 'fifo') return envelope.enqueuedAtMs;
  return rankOf(order, envelope.enqueuedAtMs, envelope.priority, envelope.deadlineAtMs);
}
