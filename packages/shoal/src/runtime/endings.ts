/**
 * How the messages of one instance end: the requester gets its reply, those upstream with an error handler a notice, a
 * connection that nobody took is closed, and the end is counted.
 */
import type { Connection, FailureReason, InstanceId } from '../model/index.ts';
import { doneCode, ends, failedCode, type LaneReader } from '../transport/index.ts';
import { type Codec, createCodec, DecodeError, EncodeError, Envelope, EnvelopeKind } from '../wire/index.ts';
import { releaseConnection } from './connection-owner.ts';
import type { Instance } from './instance.ts';
import { countersMax, InstanceFloat, resourcesFloat } from './shared-block.ts';
import type { ThreadRuntime } from './thread-runtime.ts';

const threadLost = failedCode('thread-lost');

/** The detail of a failed reply. */
export const detailCodec: Codec = createCodec({ kind: 'record', fields: { detail: 'string' } });
/** Characters of an error's message that travel. */
const detailMax = 200;

export class Endings {
  readonly #instance: Instance;
  readonly #thread: ThreadRuntime;
  readonly #stats: Float64Array;

  constructor(instance: Instance) {
    this.#instance = instance;
    this.#thread = instance.thread;
    this.#stats = instance.stats;
  }

  /** Ends a message as failed. */
  fail(message: Envelope, lane: LaneReader | null, index: number, end: number, error: unknown): void {
    this.#stats[InstanceFloat.errors] = (this.#stats[InstanceFloat.errors] as number) + 1;
    const reason = ends[end] as FailureReason;
    const detail = describeError(error);
    if (reason === 'handler-error' || reason === 'reply-lost')
      this.#thread.reportError(this.#instance, reason, error);
    this.#tell(message, lane, end, reason, detail);
    this.#releaseConnection(message, lane, index);
    this.end(lane, index, end);
  }

  /** Ends a message unhandled. */
  drop(message: Envelope, lane: LaneReader | null, index: number, end: number): void {
    const reason = ends[end] as string;
    this.#tell(message, lane, end, reason, '');
    this.#releaseConnection(message, lane, index);
    this.end(lane, index, end);
  }

  /** The requester gets its reply; those upstream with an error handler get a notice. */
  #tell(message: Envelope, lane: LaneReader | null, end: number, reason: string, detail: string): void {
    if (message.kind === EnvelopeKind.request) this.reply(message, lane, end, detailCodec, { detail });
    this.#notify(message, end, reason);
  }

  /** A connection that nobody took is closed; it must not leak. */
  #releaseConnection(message: Envelope, lane: LaneReader | null, index: number): void {
    const port = this.#instance.ports[message.port];
    if (port?.isConnection !== true) return;
    try {
      releaseConnection((lane === null ? message.payload : lane.payload(index, port.codec)) as Connection);
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
    }
  }

  /** Counts the end of a message: the one place where messages of a living instance end. */
  end(lane: LaneReader | null, index: number, end: number): void {
    if (lane === null) {
      const at = InstanceFloat.localEnds + end;
      this.#stats[at] = (this.#stats[at] as number) + 1;
    } else {
      lane.finish(index, end);
    }
  }

  /** Sends a reply. Answers null, or why it could not be carried. */
  reply(
    request: Envelope,
    lane: LaneReader | null,
    end: number,
    codec: Codec | null,
    payload: unknown,
  ): Error | 'no-room' | null {
    const thread = this.#thread;
    const reply = new Envelope();
    reply.kind = EnvelopeKind.reply;
    reply.port = end;
    reply.sender = this.#instance.id;
    reply.enqueuedAtMs = thread.nowMs;
    reply.correlation = request.correlation;
    reply.id = request.id;
    // What another instance of the type has passed on came by another way than its reply goes.
    let way = lane === null ? undefined : thread.replyWays.get(request.sender);
    if (way === undefined) {
      const requester = thread.instances.get(request.sender);
      if (requester !== undefined) {
        reply.payload = payload;
        if (!requester.inbox.localReplies.push(reply)) return 'no-room';
        thread.requestTurn();
        return null;
      }
      way = thread.replyWays.get(request.sender);
      if (way === undefined) return new Error('there is no way back to the requester');
    }
    let written: string;
    try {
      written = way.writer.write(reply, codec, payload);
    } catch (error) {
      if (!(error instanceof EncodeError)) throw error;
      return error;
    }
    if (written === 'accepted') {
      thread.ring(way.bell);
      return null;
    }
    return written === 'too-large' ? new Error('the reply is too large') : 'no-room';
  }

  /** Tells every instance upstream that has an error handler. */
  #notify(message: Envelope, end: number, reason: string): void {
    const told = new Set<InstanceId>([this.#instance.id]);
    for (const upstream of message.provenance) {
      if (told.has(upstream)) continue;
      told.add(upstream);
      const notice = new Envelope();
      notice.kind = EnvelopeKind.notice;
      notice.port = end;
      notice.sender = this.#instance.id;
      notice.id = message.id;
      notice.flowKey = message.flowKey;
      notice.enqueuedAtMs = this.#thread.nowMs;
      const local = this.#thread.instances.get(upstream);
      if (local !== undefined) {
        if (local.handlers.onError === undefined) continue;
        const { localReplies } = local.inbox;
        if (localReplies.length < this.#thread.limits.requestsMax && localReplies.push(notice))
          this.#thread.requestTurn();
        else this.#countCoalesced();
        continue;
      }
      const way = this.#thread.replyWays.get(upstream);
      if (way === undefined || !way.wantsNotices) continue;
      if (way.writer.write(notice, null, reason, this.#thread.limits.requestsMax) === 'accepted') {
        this.#thread.ring(way.bell);
      } else {
        this.#countCoalesced();
      }
    }
  }

  #countCoalesced(): void {
    const at = InstanceFloat.noticesCoalesced;
    this.#stats[at] = (this.#stats[at] as number) + 1;
  }

  /**
   * After a thread died: ends what it held. `end` says why it died. What waited in lanes stays and is handled;
   * what was in the dead heap is lost, and counted.
   */
  recover(end: number): void {
    for (const lane of [...this.#instance.inbox.lanes]) {
      for (const index of lane.recover()) {
        const envelope = new Envelope();
        lane.readHeader(index, envelope);
        this.#tell(envelope, lane, end, ends[end] as string, '');
        this.#releaseLost(lane, index, envelope);
        lane.finishRecovered(index, end);
      }
    }
    for (const lane of this.#instance.inbox.replyLanes) {
      for (const index of lane.recover()) lane.finishRecovered(index, doneCode);
    }
    this.#countLost();
    this.#stats[InstanceFloat.inService] = 0;
  }

  /** The dead thread may have taken the connection, and closed it by dying; the inode tells (see `discardConnection`). */
  #releaseLost(lane: LaneReader, index: number, envelope: Envelope): void {
    const port = this.#instance.ports[envelope.port];
    if (port?.isConnection !== true) return;
    releaseConnection(lane.payload(index, port.codec) as Connection);
  }

  #countLost(): void {
    const stats = this.#stats;
    let ended = 0;
    for (let end = 0; end < ends.length; end++) ended += stats[InstanceFloat.localEnds + end] as number;
    const lost = (stats[InstanceFloat.localAccepted] as number) - ended;
    const at = InstanceFloat.localEnds + threadLost;
    stats[at] = (stats[at] as number) + lost;
    stats[InstanceFloat.states] = 0;
    stats[InstanceFloat.waitingReported] = 0;
    stats[InstanceFloat.holdsHandles] = 0;
    stats.fill(0, resourcesFloat, resourcesFloat + countersMax);
  }
}

function describeError(error: unknown): string {
  const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return text.slice(0, detailMax);
}
