/**
 * How the messages of one instance end: the requester gets its reply, those upstream with an error handler a notice, a
 * connection that nobody took is closed, and the end is counted.
 */
import { type Connection, type FailureReason, resourcesMax } from '../model/index.ts';
import { doneCode, ends, failedCode, type LaneReader } from '../transport/index.ts';
import { type Codec, createCodec, DecodeError, EncodeError, Envelope, EnvelopeKind } from '../wire/index.ts';
import { releaseConnection } from './connection-owner.ts';
import type { Instance } from './instance.ts';
import { Notices } from './notices.ts';
import { InstanceFloat, portBytesFloat, resourcesFloat } from './shared-block.ts';
import type { ThreadRuntime } from './thread-runtime.ts';

const runLimit = failedCode('run-limit');
const threadLost = failedCode('thread-lost');

/** The detail of a failed reply. */
export const detailCodec: Codec = createCodec({ kind: 'record', fields: { detail: 'string' } });
/** Characters of an error's message that travel. */
const detailMax = 200;

export class Endings {
  readonly #instance: Instance;
  readonly #thread: ThreadRuntime;
  readonly #stats: Float64Array;
  readonly notices: Notices;

  constructor(instance: Instance) {
    this.#instance = instance;
    this.#thread = instance.thread;
    this.#stats = instance.stats;
    this.notices = new Notices(instance);
  }

  /** Ends a message as failed. */
  fail(message: Envelope, lane: LaneReader | null, index: number, end: number, error: unknown): void {
    this.#stats[InstanceFloat.errors] = (this.#stats[InstanceFloat.errors] as number) + 1;
    const reason = ends[end] as FailureReason;
    const detail = describeError(error);
    if (reason === 'handler-error' || reason === 'reply-lost')
      this.#thread.reportError(this.#instance, reason, error);
    this.#tell(message, lane, end, detail);
    this.#releaseConnection(message, lane, index);
    this.end(lane, index, end);
  }

  /** Ends a message unhandled. */
  drop(message: Envelope, lane: LaneReader | null, index: number, end: number): void {
    this.#tell(message, lane, end, '');
    this.#releaseConnection(message, lane, index);
    this.end(lane, index, end);
  }

  /** The requester gets its reply; those upstream with an error handler get a notice. */
  #tell(message: Envelope, lane: LaneReader | null, end: number, detail: string): void {
    if (message.kind === EnvelopeKind.request) {
      const problem = this.reply(message, lane, end, detailCodec, { detail });
      // A reply has its slot, but a long detail shares the bytes of its lane with others: without it, it fits.
      if (problem === 'no-room' && detail !== '') this.reply(message, lane, end, detailCodec, { detail: '' });
    }
    this.notices.tell(message, end);
  }

  /**
   * A connection that nobody took is closed; it must not leak. Whether it was taken is known of the object that the
   * handler was given: only what no handler has seen is decoded here.
   */
  #releaseConnection(message: Envelope, lane: LaneReader | null, index: number): void {
    const port = this.#instance.ports[message.port];
    if (port?.isConnection !== true) return;
    try {
      releaseConnection((message.payload ?? lane?.payload(index, port.codec)) as Connection);
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
    }
  }

  /** Counts the end of a message: the one place where messages of a living instance end. */
  end(lane: LaneReader | null, index: number, end: number): void {
    if (lane === null) this.#instance.meter.ended(end);
    else lane.finish(index, end);
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
        if (!requester.inbox.acceptReply(reply)) return 'no-room';
        thread.addReady(requester);
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
      const at = portBytesFloat + 2 * request.port + 1;
      this.#stats[at] = (this.#stats[at] as number) + way.writer.writtenBytes;
      thread.ring(way.bell);
      return null;
    }
    return written === 'too-large' ? new Error('the reply is too large') : 'no-room';
  }

  /**
   * After a thread died: ends what it held. `end` says why it died. What waited in lanes stays and is handled;
   * what was in the dead heap is lost, and counted.
   */
  recover(end: number): void {
    const { inbox, graph, meter } = this.#instance;
    for (const lane of [...inbox.lanes]) {
      const held = lane.recover();
      // What was killed takes so long at least; if that were not noted, it would seem cheap.
      if (end === runLimit && graph.execution === 'sync')
        for (const index of held) meter.recordSize(graph.runLimitMs, lane.payloadBytes(index));
      for (const index of held) {
        const envelope = new Envelope();
        lane.readHeader(index, envelope);
        this.#tell(envelope, lane, end, '');
        this.#releaseLost(lane, index, envelope);
        lane.finishRecovered(index, end);
      }
    }
    for (const lane of inbox.replyLanes) {
      for (const index of lane.recover()) lane.finishRecovered(index, doneCode);
    }
    this.#countLost();
    this.notices.recover();
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
    stats.fill(0, resourcesFloat, resourcesFloat + resourcesMax);
  }
}

function describeError(error: unknown): string {
  const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return text.slice(0, detailMax);
}
