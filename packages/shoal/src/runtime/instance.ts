/**
 * A running copy of an MSU type, on its thread: takes events out of its inbox and runs handlers. What it sends goes
 * through its {@link Outbox}; how its messages end is the business of its {@link Endings}. Everything here happens on
 * one thread.
 *
 * I1. Every accepted message is ended exactly once, by {@link Endings.end}; what the thread held when it died is
 *     ended by the replacement ({@link Endings.recover}).
 * I2. One event at a time (`sync`), or up to `concurrency` in progress (`async`); replies are never held back.
 * I3. What is awaited ends by its promise or by the run limit, whichever comes first (`#inService`): what comes later
 *     finds that it has ended.
 * I4. A reply is sent before its request is ended, so that a death in between yields a second, failed reply,
 *     which the requester no longer knows, and never none.
 */
import {
  type Connection,
  type FailureReason,
  failureReasons,
  type GraphMsu,
  type InstanceId,
  type LifeHandlers,
  type Reply,
  type SchedulingOrder,
  sheddingReasons,
} from '../model/index.ts';
import { doneCode, ends, failedCode, type LaneReader, shedCode } from '../transport/index.ts';
import { type Codec, createCodec, DecodeError, Envelope, EnvelopeKind } from '../wire/index.ts';
import { releaseConnection } from './connection-owner.ts';
import { detailCodec, Endings } from './endings.ts';
import { EventMeter } from './event-meter.ts';
import { expectedMs } from './expected-work.ts';
import { Inbox } from './inbox.ts';
import { MovingKeys, stateCodec } from './moving-keys.ts';
import { Outbox } from './outbox.ts';
import type { OnReply } from './pending-requests.ts';
import { InstanceFloat, portBytesFloat } from './shared-block.ts';
import type { ThreadRuntime } from './thread-runtime.ts';

type AnyHandler = (payload: unknown, message: Envelope) => unknown;
type AnyHandlers = LifeHandlers & Readonly<Record<string, unknown>>;

export interface LivePort {
  readonly name: string;
  readonly codec: Codec;
  readonly replyCodec: Codec | null;
  readonly isConnection: boolean;
  /** What the type's create() has returned for it. */
  handler: AnyHandler;
}

/** Until then no turn asks for its events. */
const notCreated: AnyHandler = () => {
  throw new Error('the instance has no handlers yet');
};

/** A message whose handler has returned and that has not ended. */
interface InService {
  readonly message: Envelope;
  readonly lane: LaneReader | null;
  readonly index: number;
  /** When its run limit is over; `Infinity`: there is none, or its handler is done. */
  readonly limitEndsAtMs: number;
}

const expired = shedCode('expired');
const stopping = shedCode('stopping');
const handlerError = failedCode('handler-error');
const decodeError = failedCode('decode-error');
const replyLost = failedCode('reply-lost');
const threadLost = failedCode('thread-lost');
const runLimit = failedCode('run-limit');

/** Between two attempts to send a reply for which there was no room, and when it is given up: milliseconds. */
const replyRetryMs = 1;
const replyRetryMaxMs = 5_000;

export class Instance {
  readonly id: InstanceId;
  readonly graph: GraphMsu;
  readonly thread: ThreadRuntime;
  readonly stats: Float64Array;
  readonly meter: EventMeter;
  readonly inbox: Inbox;
  readonly mayAwait: boolean;
  /** The message in whose chain the running code is. */
  current: Envelope | null = null;
  inProgress = 0;
  isDraining = false;
  /**
   * Its thread need not note that there is something in its inbox: it has, or the instance has no turns (yet, or any more).
   * Kept by {@link ThreadRuntime}.
   */
  isNoted = true;
  /** Waiting messages; kept up to date between polls. */
  waiting = 0;
  #handlers: AnyHandlers = {} as AnyHandlers;
  /** Of a keyed type. */
  readonly keys: MovingKeys | null;
  readonly ports: readonly LivePort[];
  readonly outbox: Outbox;
  readonly endings: Endings;
  readonly #concurrency: number;
  readonly #isFifo: boolean;
  /** What is in progress beyond its turn: awaited, or waiting for room for its reply. */
  readonly #inService = new Set<InService>();

  constructor(thread: ThreadRuntime, id: InstanceId, graph: GraphMsu, block: SharedArrayBuffer) {
    this.thread = thread;
    this.id = id;
    this.graph = graph;
    this.stats = new Float64Array(block);
    this.meter = new EventMeter(this.stats, thread, graph.runLimitMs > 0);
    this.mayAwait = graph.execution !== 'sync';
    this.#concurrency = graph.execution === 'async' ? graph.concurrency : 1;
    const max = graph.queueMaxMessages > 0 ? graph.queueMaxMessages : thread.limits.laneMaxMessages;
    this.#isFifo = graph.order === 'fifo';
    this.inbox = new Inbox(graph.order, max, thread.limits.requestsMax * 2, (bytes) =>
      expectedMs(this.stats, bytes),
    );
    this.outbox = new Outbox(this);
    this.endings = new Endings(this);
    this.keys = graph.state === 'keyed' ? new MovingKeys(this) : null;
    this.ports = graph.in.map((port) => ({
      name: port.name,
      codec: createCodec(port.message),
      replyCodec: port.reply === null ? null : createCodec(port.reply),
      isConnection: port.message.kind === 'connection',
      handler: notCreated,
    }));
  }

  /** What the type's create() has returned; set once. */
  get handlers(): AnyHandlers {
    return this.#handlers;
  }

  set handlers(handlers: AnyHandlers) {
    this.#handlers = handlers;
    for (const port of this.ports) port.handler = handlers[port.name] as AnyHandler;
  }

  // ── taking events ────────────────────────────────────────────────────────────────────────────────────────

  /** Looks for new messages. */
  poll(): void {
    this.waiting = this.inbox.poll();
    this.meter.publishQueue(this.waiting, this.waiting);
  }

  /** Chooses the next event. Answers its rank in the order of the thread; `Infinity`: none may be taken. */
  chooseNext(scheduling: SchedulingOrder): number {
    return this.inbox.chooseNext(this.inProgress < this.#concurrency, scheduling);
  }

  /** Takes the event that {@link chooseNext} has chosen, and there must be one, and runs it. */
  runNext(): void {
    const { inbox } = this;
    const envelope = inbox.take();
    const { lane, index } = inbox;
    switch (envelope.kind) {
      case EnvelopeKind.message:
      case EnvelopeKind.request:
        this.meter.publishQueue(this.waiting - 1, this.waiting--);
        this.#runMessage(envelope, lane, index);
        break;
      case EnvelopeKind.reply:
        this.#runReply(envelope, lane, index);
        lane?.finish(index, doneCode);
        break;
      case EnvelopeKind.notice:
        this.#runNotice(envelope);
        lane?.finish(index, doneCode);
        break;
      case EnvelopeKind.timer:
        this.waiting--;
        this.#runTimer(envelope);
        break;
      case EnvelopeKind.state:
        this.meter.publishQueue(this.waiting - 1, this.waiting--);
        this.#runImport(envelope, lane, index);
        break;
      case EnvelopeKind.place:
      case EnvelopeKind.ended:
        this.meter.publishQueue(this.waiting - 1, this.waiting--);
        if (envelope.kind === EnvelopeKind.place) this.keys?.notePlace(envelope.flowKey, envelope.sender);
        else this.keys?.noteEnded(envelope.flowKey, envelope.sender);
        this.endings.end(lane, index, doneCode);
        break;
    }
    this.meter.end();
  }

  /**
   * A message need not wait: none does that has been seen (in a lane that a sender had to look at, it need not be noted
   * yet), and it may take one.
   */
  get isFree(): boolean {
    return !this.isNoted && this.waiting === 0 && this.inProgress < this.#concurrency && this.#isFifo;
  }

  /** Runs a message that has been accepted by reference, and has not waited. */
  serve(message: Envelope): void {
    this.#runMessage(message, null, 0);
    this.meter.end();
    this.meter.settle();
  }

  #runMessage(message: Envelope, lane: LaneReader | null, index: number): void {
    const thread = this.thread;
    const startedAt = thread.nowMs;
    if (message.deadlineAtMs <= startedAt) return this.endings.drop(message, lane, index, expired);
    if (this.keys !== null && this.#sendOn(this.keys, message, lane, index)) return;
    const port = this.ports[message.port] as LivePort;
    let bytes = -1;
    if (lane !== null) {
      bytes = lane.payloadBytes(index);
      this.#countBytesIn(portBytesFloat + 2 * message.port, bytes);
      try {
        message.payload = lane.payload(index, port.codec);
      } catch (error) {
        if (!(error instanceof DecodeError)) throw error;
        return this.endings.fail(message, lane, index, decodeError, error);
      }
    }
    this.meter.begin(startedAt);
    this.current = message;
    let result: unknown;
    try {
      result = port.handler.call(this.#handlers, message.payload, message);
    } catch (error) {
      this.current = null;
      this.meter.account(startedAt, 0);
      return this.endings.fail(message, lane, index, handlerError, error);
    }
    this.current = null;
    if (
      result !== undefined &&
      result !== null &&
      typeof result === 'object' &&
      typeof (result as { then?: unknown }).then === 'function'
    ) {
      this.meter.account(startedAt, 0);
      return this.#await(result as PromiseLike<unknown>, message, lane, index, startedAt);
    }
    this.meter.account(startedAt, 1, bytes);
    this.meter.recordSojourn(message.enqueuedAtMs);
    this.#succeed(message, lane, index, port, result);
  }

  #countBytesIn(at: number, bytes: number): void {
    this.stats[at] = (this.stats[at] as number) + bytes;
  }

  /** Sends on what belongs to another instance of the type: what was routed by key, by a table of a lesser version, may. */
  #sendOn(keys: MovingKeys, message: Envelope, lane: LaneReader | null, index: number): boolean {
    if (message.routedBy >= keys.threshold || message.routedBy === 0) return false;
    return keys.sendOn(message, lane, index, this.inbox.isPassedOn);
  }

  /** Takes what another instance of the type, on this thread, passes on. */
  acceptPassedOn(envelope: Envelope): boolean {
    if (!this.inbox.acceptPassedOn(envelope)) return false;
    this.waiting++;
    this.meter.accepted();
    this.thread.addReady(this);
    return true;
  }

  /** Whether a message that is meant is in progress beyond its turn. */
  isServing(isMeant: (message: Envelope) => boolean): boolean {
    for (const { message } of this.#inService) if (isMeant(message)) return true;
    return false;
  }

  /** What is in progress beyond its turn. */
  *inProgressMessages(): Generator<Envelope> {
    for (const { message } of this.#inService) yield message;
  }

  /** Takes the state of a key that another instance of the type has handed over. */
  #runImport(envelope: Envelope, lane: LaneReader | null, index: number): void {
    const startedAt = this.thread.nowMs;
    this.meter.begin(startedAt);
    let end = doneCode;
    try {
      const state = lane === null ? envelope.payload : lane.payload(index, stateCodec);
      if (this.keys?.importState(envelope.flowKey, state) !== true) end = handlerError;
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      this.countError(`import of the state of key ${envelope.flowKey}`, error);
      end = decodeError;
    }
    this.meter.account(startedAt, 0);
    this.endings.end(lane, index, end);
  }

  #await(
    result: PromiseLike<unknown>,
    message: Envelope,
    lane: LaneReader | null,
    index: number,
    startedAt: number,
  ): void {
    const { runLimitMs } = this.graph;
    const limitEndsAtMs = runLimitMs > 0 ? startedAt + runLimitMs : Number.POSITIVE_INFINITY;
    const service = this.#hold({ message, lane, index, limitEndsAtMs });
    /** False where the message has ended by its run limit, or with the instance. */
    const settle = (): boolean => {
      if (!this.#release(service)) return false;
      this.meter.recordService(this.thread.tick() - startedAt, 1, lane?.payloadBytes(index) ?? -1);
      this.thread.requestTurn();
      return true;
    };
    result.then(
      (value) => {
        if (!settle()) return this.#countOrphan();
        this.meter.recordSojourn(message.enqueuedAtMs);
        this.#succeed(message, lane, index, this.ports[message.port] as LivePort, value);
      },
      (error) => {
        if (settle()) this.endings.fail(message, lane, index, handlerError, error);
        else this.countError('handler whose message had ended', error);
      },
    );
  }

  /**
   * Ends what is awaited beyond the run limit: nothing blocks the thread, so it need not be killed. The place of the
   * message is free; its handler cannot be stopped, and what comes of it is ignored.
   */
  #endAwaited(nowMs: number): void {
    for (const service of this.#inService) {
      if (service.limitEndsAtMs > nowMs) continue;
      this.#release(service);
      const { runLimitMs } = this.graph;
      const { message, lane, index } = service;
      const error = new Error(`its handler was still awaited after ${runLimitMs} ms, its run limit`);
      this.meter.recordService(
        nowMs - service.limitEndsAtMs + runLimitMs,
        1,
        lane?.payloadBytes(index) ?? -1,
      );
      this.meter.recordSojourn(message.enqueuedAtMs);
      this.thread.reportError(this, 'run-limit', error);
      this.endings.fail(message, lane, index, runLimit, error);
    }
  }

  #hold(service: InService): InService {
    this.#inService.add(service);
    this.thread.noteExpiry(service.limitEndsAtMs);
    this.#setInProgress(this.inProgress + 1);
    return service;
  }

  #release(service: InService): boolean {
    if (!this.#inService.delete(service)) return false;
    this.#setInProgress(this.inProgress - 1);
    return true;
  }

  #setInProgress(count: number): void {
    this.inProgress = count;
    this.stats[InstanceFloat.inService] = count;
  }

  // ── ending messages ──────────────────────────────────────────────────────────────────────────────────────

  #succeed(message: Envelope, lane: LaneReader | null, index: number, port: LivePort, value: unknown): void {
    if (message.kind === EnvelopeKind.request) {
      const problem = this.endings.reply(message, lane, doneCode, port.replyCodec, value);
      if (problem === 'no-room') return this.#replyLater(message, lane, index, port, value);
      if (problem !== null) return this.endings.fail(message, lane, index, replyLost, problem);
    }
    this.#endDone(message, lane, index, port);
  }

  #endDone(message: Envelope, lane: LaneReader | null, index: number, port: LivePort): void {
    if (port.isConnection) releaseConnection(message.payload as Connection);
    this.endings.end(lane, index, doneCode);
  }

  /**
   * Every outstanding request has the slot of its reply, but large replies share the bytes of a lane: the message
   * stays in service until there is room, and holds up the next as any work would.
   */
  #replyLater(
    message: Envelope,
    lane: LaneReader | null,
    index: number,
    port: LivePort,
    value: unknown,
  ): void {
    const { thread } = this;
    const service = this.#hold({ message, lane, index, limitEndsAtMs: Number.POSITIVE_INFINITY });
    const endsAt = thread.time() + replyRetryMaxMs;
    const attempt = (): void => {
      if (!this.#inService.has(service)) return;
      const problem = this.endings.reply(message, lane, doneCode, port.replyCodec, value);
      if (problem === 'no-room' && thread.nowMs < endsAt) {
        thread.after(replyRetryMs, attempt);
        return;
      }
      this.#release(service);
      if (problem === null) this.#endDone(message, lane, index, port);
      else this.endings.fail(message, lane, index, replyLost, problem === 'no-room' ? noRoom() : problem);
    };
    thread.after(replyRetryMs, attempt);
  }

  // ── replies, notices, timers ─────────────────────────────────────────────────────────────────────────────

  #runReply(envelope: Envelope, lane: LaneReader | null, index: number): void {
    const request = this.outbox.takeRequest(envelope.correlation, envelope.id);
    if (request === null) {
      this.#countOrphan();
      return;
    }
    if (lane !== null) this.#countBytesIn(request.route.bytesFloat, lane.payloadBytes(index));
    let reply: Reply<unknown>;
    try {
      reply = readReply(envelope, lane, index, request.route.replyCodec);
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      reply = { outcome: 'failed', reason: 'decode-error', detail: error.message };
    }
    this.#runCallback(request.onReply, reply, request.cause);
  }

  #runCallback(onReply: OnReply, reply: Reply<unknown>, cause: Envelope | null): void {
    const startedAt = this.thread.nowMs;
    this.meter.begin(startedAt);
    this.current = cause;
    try {
      onReply(reply);
    } catch (error) {
      this.countError('reply callback', error);
    }
    this.current = null;
    this.meter.account(startedAt, 0);
  }

  #countOrphan(): void {
    this.stats[InstanceFloat.orphans] = (this.stats[InstanceFloat.orphans] as number) + 1;
  }

  countError(what: string, error: unknown): void {
    this.stats[InstanceFloat.errors] = (this.stats[InstanceFloat.errors] as number) + 1;
    this.thread.reportError(this, what, error);
  }

  #runNotice(notice: Envelope): void {
    const { onError } = this.handlers;
    if (onError === undefined) return;
    const startedAt = this.thread.nowMs;
    this.meter.begin(startedAt);
    try {
      onError.call(this.handlers, {
        flowKey: notice.flowKey,
        messageId: notice.id,
        failedIn: notice.sender,
        reason: ends[notice.port] ?? 'unknown',
      });
    } catch (error) {
      this.countError('error handler', error);
    }
    this.meter.account(startedAt, 0);
  }

  #runTimer(event: Envelope): void {
    const startedAt = this.thread.nowMs;
    this.meter.begin(startedAt);
    try {
      const result = (event.payload as () => unknown)();
      if (result instanceof Promise) result.catch((error) => this.countError('timer', error));
    } catch (error) {
      this.countError('timer', error);
    }
    this.meter.account(startedAt, 0);
  }

  /** Puts an event of the instance's own into its queue: not a message, not counted as one. At most one a timer waits. */
  enqueueTimer(run: () => unknown, priority: number): void {
    const event = new Envelope();
    event.kind = EnvelopeKind.timer;
    event.payload = run;
    event.priority = priority;
    event.enqueuedAtMs = this.thread.nowMs;
    this.inbox.local.pushAlways(event);
    this.waiting++;
    this.thread.addReady(this);
  }

  /** Something here may have waited too long before long: a request for its reply, or a message for its handler. */
  get mayExpire(): boolean {
    return this.outbox.pendingRequests > 0 || (this.inProgress > 0 && this.graph.runLimitMs > 0);
  }

  /** Ends what has waited too long. Answers when the next of those that wait has. */
  expire(nowMs: number): number {
    this.#endAwaited(nowMs);
    const expired = this.outbox.takeExpired(nowMs);
    let nextMs = this.outbox.expiryAtMs;
    for (const { limitEndsAtMs } of this.#inService) nextMs = Math.min(nextMs, limitEndsAtMs);
    for (const { onReply, cause } of expired) this.#runCallback(onReply, { outcome: 'timeout' }, cause);
    this.meter.end();
    this.meter.settle();
    return nextMs;
  }

  // ── the edges of its life ────────────────────────────────────────────────────────────────────────────────

  /** Ends everything that waits, unhandled: the instance goes for good. */
  discard(end: number = stopping): void {
    for (const service of [...this.#inService]) {
      this.#release(service);
      this.endings.drop(service.message, service.lane, service.index, threadLost);
    }
    this.outbox.discard(end);
    this.poll();
    while (this.inbox.chooseNext(true) !== Number.POSITIVE_INFINITY) {
      const envelope = this.inbox.take();
      const { lane, index } = this.inbox;
      if (envelope.kind === EnvelopeKind.message || envelope.kind === EnvelopeKind.request) {
        if (this.keys === null || !this.#sendOn(this.keys, envelope, lane, index))
          this.endings.drop(envelope, lane, index, end);
      } else if (envelope.kind === EnvelopeKind.state) {
        this.countError(`the state of key ${envelope.flowKey} is lost`, new Error('its new owner is gone'));
        this.endings.end(lane, index, end);
      } else if (envelope.kind === EnvelopeKind.place || envelope.kind === EnvelopeKind.ended) {
        this.endings.end(lane, index, doneCode);
      } else {
        lane?.finish(index, doneCode);
      }
      if (this.inbox.lanes.length > 0) this.inbox.poll();
    }
    this.keys?.close();
    this.endings.notices.discard();
    this.waiting = 0;
    this.meter.publishQueue(0, 0);
  }

  /** What was sent to it until then has been taken, and what it has passed on has arrived. */
  hasSettled(sinceMs: number): boolean {
    this.inbox.poll();
    return this.inbox.oldestAtMs() > sinceMs && this.keys?.isQuiet !== false;
  }

  /** Nothing waits, nothing is in progress, nothing is held. */
  get isIdle(): boolean {
    return (
      this.inbox.poll() === 0 &&
      this.inProgress === 0 &&
      this.outbox.isIdle &&
      this.endings.notices.isIdle &&
      this.keys?.isEmpty !== false
    );
  }
}

function readReply(
  envelope: Envelope,
  lane: LaneReader | null,
  index: number,
  codec: Codec | null,
): Reply<unknown> {
  const end = envelope.port;
  if (end === doneCode) {
    const value = lane === null ? envelope.payload : lane.payload(index, codec as Codec);
    return { outcome: 'done', value };
  }
  if (end <= failureReasons.length) {
    const { detail } = (lane === null ? envelope.payload : lane.payload(index, detailCodec)) as {
      detail: string;
    };
    return { outcome: 'failed', reason: failureReasons[end - 1] as FailureReason, detail };
  }
  return { outcome: 'shed', reason: sheddingReasons[end - 1 - failureReasons.length] ?? 'stopping' };
}

function noRoom(): Error {
  return new Error(`there was no room for the reply within ${replyRetryMaxMs} ms`);
}
