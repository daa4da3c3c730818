/**
 * The error notices of one instance on their way upstream.
 *
 * I1. Upstream hears of every key whose message has failed here, or would keep what it holds for ever: a notice for
 *     which there is no room is kept, the newest for each instance upstream and key, and delivered when there is room.
 * I2. At most `keptNoticesMax` are kept; what is beyond that is lost and counted, as is what is kept when the instance
 *     goes or its thread dies.
 * I3. Replies come first: notices leave as many slots free as there may be outstanding requests.
 */
import { type InstanceId, keptNoticesMax } from '../model/index.ts';
import { Envelope, EnvelopeKind } from '../wire/index.ts';
import type { Instance } from './instance.ts';
import { InstanceFloat } from './shared-block.ts';

/** Between two attempts to deliver what is kept: milliseconds. */
const retryMs = 5;

export class Notices {
  readonly #instance: Instance;
  /** By instance upstream, then by key. */
  readonly #kept = new Map<InstanceId, Map<number, Envelope>>();
  #count = 0;

  constructor(instance: Instance) {
    this.#instance = instance;
  }

  /** Nothing is kept. */
  get isIdle(): boolean {
    return this.#count === 0;
  }

  /** Tells every instance upstream that has an error handler how a message ended. */
  tell(message: Envelope, end: number): void {
    const told = new Set<InstanceId>([this.#instance.id]);
    for (const upstream of message.chain) {
      if (told.has(upstream)) continue;
      told.add(upstream);
      const notice = new Envelope();
      notice.kind = EnvelopeKind.notice;
      notice.port = end;
      notice.sender = this.#instance.id;
      notice.id = message.id;
      notice.flowKey = message.flowKey;
      notice.enqueuedAtMs = this.#instance.thread.nowMs;
      if (this.#kept.has(upstream) || !this.#deliver(upstream, notice)) this.#keep(upstream, notice);
    }
  }

  /** False where there is no room. Whoever has no error handler, or is gone, needs none. */
  #deliver(upstream: InstanceId, notice: Envelope): boolean {
    const { thread } = this.#instance;
    const reserve = thread.limits.requestsMax;
    const local = thread.instances.get(upstream);
    if (local !== undefined) {
      if (local.handlers.onError === undefined) return true;
      const { localReplies } = local.inbox;
      if (localReplies.length >= localReplies.max - reserve || !local.inbox.acceptReply(notice)) return false;
      thread.addReady(local);
      return true;
    }
    const way = thread.replyWays.get(upstream);
    if (way === undefined || !way.wantsNotices) return true;
    if (way.writer.write(notice, null, undefined, reserve) !== 'accepted') return false;
    thread.ring(way.bell);
    return true;
  }

  #keep(upstream: InstanceId, notice: Envelope): void {
    // Keys are not negative: a message without one stands for itself.
    const key = notice.flowKey === 0 ? -notice.id : notice.flowKey;
    const kept = this.#kept.get(upstream);
    if (kept?.has(key)) {
      kept.set(key, notice);
      this.#add(InstanceFloat.noticesCoalesced, 1);
    } else if (this.#count >= keptNoticesMax) {
      this.#add(InstanceFloat.noticesLost, 1);
    } else {
      if (kept === undefined) this.#kept.set(upstream, new Map([[key, notice]]));
      else kept.set(key, notice);
      if (this.#count === 0) this.#retryLater();
      this.#setCount(this.#count + 1);
    }
  }

  #retryLater(): void {
    this.#instance.thread.after(retryMs, () => {
      this.#retry();
      if (this.#count > 0) this.#retryLater();
    });
  }

  #retry(): void {
    let delivered = 0;
    for (const [upstream, kept] of this.#kept) {
      for (const [key, notice] of kept) {
        if (!this.#deliver(upstream, notice)) break;
        kept.delete(key);
        delivered++;
      }
      if (kept.size === 0) this.#kept.delete(upstream);
    }
    if (delivered > 0) this.#setCount(this.#count - delivered);
  }

  /** The instance goes for good: what does not find room now is lost. */
  discard(): void {
    this.#retry();
    this.#add(InstanceFloat.noticesLost, this.#count);
    this.#kept.clear();
    this.#setCount(0);
  }

  /** After the thread died: what it kept was in its heap. */
  recover(): void {
    const { stats } = this.#instance;
    this.#add(InstanceFloat.noticesLost, stats[InstanceFloat.noticesKept] as number);
    this.#setCount(0);
  }

  #setCount(count: number): void {
    this.#count = count;
    this.#instance.stats[InstanceFloat.noticesKept] = count;
  }

  #add(at: number, count: number): void {
    const { stats } = this.#instance;
    stats[at] = (stats[at] as number) + count;
  }
}
