/**
 * A running copy of an MSU type, on its thread: takes events out of its inbox, runs handlers, ends messages, and
 * sends. Everything here happens on one thread.
 *
 * I1. Every accepted message is ended exactly once, by `#end`; what the thread held when it died is ended by the
 *     replacement ({@link Instance.recover}).
 * I2. One event at a time (`sync`), or up to `concurrency` in progress (`async`); replies are never held back.
 * I3. A reply is sent before its request is ended, so that a death in between yields a second, failed reply,
 *     which the requester no longer knows, and never none.
 */
import {
  type Acceptance,
  type Connection,
  type FailureReason,
  failureReasons,
  type GraphMsu,
  type Handlers,
  type InPorts,
  type InstanceId,
  type Key,
  type QueueOrder,
  type RefusalReason,
  type Reply,
  refusalReasons,
  type SendOptions,
  sheddingReasons,
  type TimerSpecs,
} from '../model/index.ts';
import {
  doneCode,
  ends,
  failedCode,
  type LaneReader,
  type LaneWriter,
  shedCode,
} from '../transport/index.ts';
import {
  bucketOf,
  type Codec,
  createCodec,
  DecodeError,
  EncodeError,
  Envelope,
  EnvelopeKind,
} from '../wire/index.ts';
import { releaseConnection } from './connection-owner.ts';
import type { DueEntry } from './due-heap.ts';
import { Inbox, type TakenEvent } from './inbox.ts';
import { type OnReply, PendingRequests } from './pending-requests.ts';
import type { LiveEndpoint, Route } from './route.ts';
import {
  countersMax,
  InstanceFloat,
  resourcesFloat,
  serviceHistogramFloat,
  sojournHistogramFloat,
} from './shared-block.ts';
import type { ThreadRuntime } from './thread-runtime.ts';

type AnyHandler = (payload: unknown, message: Envelope) => unknown;
type AnyHandlers = Handlers<InPorts, TimerSpecs> & Readonly<Record<string, unknown>>;

interface LivePort {
  readonly name: string;
  readonly codec: Codec;
  readonly replyCodec: Codec | null;
  readonly isConnection: boolean;
}

/** A message whose handler has returned and that has not ended. */
interface InService {
  readonly message: Envelope;
  readonly lane: LaneReader | null;
  readonly index: number;
}

const expired = shedCode('expired');
const stopping = shedCode('stopping');
const undeliverable = shedCode('undeliverable');
const handlerError = failedCode('handler-error');
const decodeError = failedCode('decode-error');
const replyLost = failedCode('reply-lost');
const threadLost = failedCode('thread-lost');

/** The detail of a failed reply. */
const detailCodec = createCodec({ kind: 'record', fields: { detail: 'string' } });
/** Between two attempts to send a reply for which there was no room, and when it is given up: milliseconds. */
const replyRetryMs = 1;
const replyRetryMaxMs = 5_000;
/** Characters of an error's message that travel. */
const detailMax = 200;

export class Instance {
  readonly id: InstanceId;
  readonly graph: GraphMsu;
  readonly thread: ThreadRuntime;
  readonly stats: Float64Array;
  readonly inbox: Inbox;
  readonly mayAwait: boolean;
  /** The message in whose chain the running code is. */
  current: Envelope | null = null;
  inProgress = 0;
  isDraining = false;
  /** Waiting messages; kept up to date between polls. */
  waiting = 0;
  handlers: AnyHandlers = {} as AnyHandlers;
  /** Whether it holds a state of a key; set when it first asks for its states. */
  holdsKey: (key: Key) => boolean = () => false;
  readonly #ports: readonly LivePort[];
  readonly #pending: PendingRequests;
  readonly #concurrency: number;
  /** What is in progress beyond its turn: awaited, or waiting for room for its reply. */
  readonly #inService = new Set<InService>();
  readonly #delayed = new Set<DueEntry>();
  readonly #taken: TakenEvent = { envelope: new Envelope(), lane: null, index: 0 };

  constructor(thread: ThreadRuntime, id: InstanceId, graph: GraphMsu, block: SharedArrayBuffer) {
    this.thread = thread;
    this.id = id;
    this.graph = graph;
    this.stats = new Float64Array(block);
    this.mayAwait = graph.execution !== 'sync';
    this.#concurrency = graph.execution === 'async' ? graph.concurrency : 1;
    const max = graph.queueMaxMessages > 0 ? graph.queueMaxMessages : thread.limits.laneMaxMessages;
    this.inbox = new Inbox(graph.order, max, thread.limits.requestsMax * 2);
    this.#pending = new PendingRequests(thread.limits.requestsMax);
    this.#ports = graph.in.map((port) => ({
      name: port.name,
      codec: createCodec(port.message),
      replyCodec: port.reply === null ? null : createCodec(port.reply),
      isConnection: port.message.kind === 'connection',
    }));
  }

  /** Messages of a lane end in order where one is in service at a time and none overtakes. */
  get isOrdered(): boolean {
    return this.graph.order === 'fifo' && this.#concurrency === 1;
  }

  // ── taking events ────────────────────────────────────────────────────────────────────────────────────────

  /** Looks for new messages. Answers whether anything may be taken. */
  poll(): boolean {
    this.waiting = this.inbox.poll();
    this.#publishQueue();
    return this.nextRank('fifo') !== Number.POSITIVE_INFINITY;
  }

  /** Rank of the next event in the order of the thread; `Infinity`: none may be taken. */
  nextRank(scheduling: QueueOrder): number {
    return this.inbox.nextRank(this.inProgress < this.#concurrency, scheduling);
  }

  #publishQueue(): void {
    const stats = this.stats;
    const length = this.waiting;
    stats[InstanceFloat.queueLength] = length;
    const window = stats[InstanceFloat.window] as number;
    if (stats[InstanceFloat.windowSeen] !== window) {
      stats[InstanceFloat.queueMin] = length;
      stats[InstanceFloat.queueMax] = length;
      stats[InstanceFloat.windowSeen] = window;
      return;
    }
    if (length < (stats[InstanceFloat.queueMin] as number)) stats[InstanceFloat.queueMin] = length;
    if (length > (stats[InstanceFloat.queueMax] as number)) stats[InstanceFloat.queueMax] = length;
  }

  /** Takes the next event and runs it. There must be one. */
  runNext(): void {
    const taken = this.#taken;
    this.inbox.take(this.inProgress < this.#concurrency, taken);
    const { envelope, lane, index } = taken;
    switch (envelope.kind) {
      case EnvelopeKind.message:
      case EnvelopeKind.request:
        this.waiting--;
        this.#publishQueue();
        this.#runMessage(envelope, lane, index);
        return;
      case EnvelopeKind.reply:
        this.#runReply(envelope, lane, index);
        lane?.finish(index, doneCode);
        return;
      case EnvelopeKind.notice:
        this.#runNotice(envelope);
        lane?.finish(index, doneCode);
        return;
      case EnvelopeKind.timer:
        this.waiting--;
        this.#runTimer(envelope);
        return;
    }
  }

  #runMessage(message: Envelope, lane: LaneReader | null, index: number): void {
    const thread = this.thread;
    const startedAt = thread.nowMs;
    if (message.deadlineAtMs <= startedAt) return this.#drop(message, lane, index, expired);
    const port = this.#ports[message.port] as LivePort;
    if (lane !== null) {
      this.stats[InstanceFloat.bytesIn] =
        (this.stats[InstanceFloat.bytesIn] as number) + lane.payloadBytes(index);
      try {
        message.payload = lane.payload(index, port.codec);
      } catch (error) {
        if (!(error instanceof DecodeError)) throw error;
        return this.#fail(message, lane, index, decodeError, error);
      }
    }
    const handler = this.handlers[port.name] as AnyHandler;
    thread.enter(this.id, startedAt);
    this.current = message;
    let result: unknown;
    try {
      result = handler.call(this.handlers, message.payload, message);
    } catch (error) {
      this.current = null;
      this.#account(startedAt);
      return this.#fail(message, lane, index, handlerError, error);
    }
    this.current = null;
    const tookMs = this.#account(startedAt);
    if (
      typeof result === 'object' &&
      result !== null &&
      typeof (result as { then?: unknown }).then === 'function'
    ) {
      return this.#await(result as PromiseLike<unknown>, message, lane, index, startedAt);
    }
    this.#recordService(tookMs, message);
    this.#succeed(message, lane, index, port, result);
  }

  /** Reads the clock after a handler; answers how long it ran. */
  #account(startedAt: number): number {
    const tookMs = this.thread.tick() - startedAt;
    const stats = this.stats;
    stats[InstanceFloat.handlerMs] = (stats[InstanceFloat.handlerMs] as number) + tookMs;
    stats[InstanceFloat.events] = (stats[InstanceFloat.events] as number) + 1;
    return tookMs;
  }

  #recordService(tookMs: number, message: Envelope): void {
    const stats = this.stats;
    const mean = stats[InstanceFloat.serviceMeanMs] as number;
    stats[InstanceFloat.serviceMeanMs] = mean === 0 ? tookMs : mean + (tookMs - mean) / 16;
    const service = serviceHistogramFloat + bucketOf(tookMs);
    stats[service] = (stats[service] as number) + 1;
    const sojourn = sojournHistogramFloat + bucketOf(this.thread.nowMs - message.enqueuedAtMs);
    stats[sojourn] = (stats[sojourn] as number) + 1;
  }

  #await(
    result: PromiseLike<unknown>,
    message: Envelope,
    lane: LaneReader | null,
    index: number,
    startedAt: number,
  ): void {
    const service = this.#hold(message, lane, index);
    /** False where the instance was removed meanwhile, and the message ended with it. */
    const settle = (): boolean => {
      if (!this.#release(service)) return false;
      this.#recordService(this.thread.tick() - startedAt, message);
      this.thread.requestTurn();
      return true;
    };
    result.then(
      (value) => {
        if (settle()) this.#succeed(message, lane, index, this.#ports[message.port] as LivePort, value);
      },
      (error) => {
        if (settle()) this.#fail(message, lane, index, handlerError, error);
      },
    );
  }

  #hold(message: Envelope, lane: LaneReader | null, index: number): InService {
    const service: InService = { message, lane, index };
    this.#inService.add(service);
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
      const problem = this.#reply(message, lane, doneCode, port.replyCodec, value);
      if (problem === 'no-room') return this.#replyLater(message, lane, index, port, value);
      if (problem !== null) return this.#fail(message, lane, index, replyLost, problem);
    }
    this.#endDone(message, lane, index, port);
  }

  #endDone(message: Envelope, lane: LaneReader | null, index: number, port: LivePort): void {
    if (port.isConnection) releaseConnection(message.payload as Connection);
    this.#end(lane, index, doneCode);
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
    const service = this.#hold(message, lane, index);
    const endsAt = thread.time() + replyRetryMaxMs;
    const attempt = (): void => {
      if (!this.#inService.has(service)) return;
      const problem = this.#reply(message, lane, doneCode, port.replyCodec, value);
      if (problem === 'no-room' && thread.nowMs < endsAt) {
        thread.after(replyRetryMs, attempt);
        return;
      }
      this.#release(service);
      if (problem === null) this.#endDone(message, lane, index, port);
      else this.#fail(message, lane, index, replyLost, problem === 'no-room' ? noRoom() : problem);
    };
    thread.after(replyRetryMs, attempt);
  }

  #fail(message: Envelope, lane: LaneReader | null, index: number, end: number, error: unknown): void {
    this.stats[InstanceFloat.errors] = (this.stats[InstanceFloat.errors] as number) + 1;
    const reason = ends[end] as FailureReason;
    const detail = describeError(error);
    if (reason === 'handler-error' || reason === 'reply-lost') this.thread.reportError(this, reason, error);
    this.#tell(message, lane, end, reason, detail);
    this.#releaseConnection(message, lane, index);
    this.#end(lane, index, end);
  }

  #drop(message: Envelope, lane: LaneReader | null, index: number, end: number): void {
    const reason = ends[end] as string;
    this.#tell(message, lane, end, reason, '');
    this.#releaseConnection(message, lane, index);
    this.#end(lane, index, end);
  }

  /** The requester gets its reply; those upstream with an error handler get a notice. */
  #tell(message: Envelope, lane: LaneReader | null, end: number, reason: string, detail: string): void {
    if (message.kind === EnvelopeKind.request) this.#reply(message, lane, end, detailCodec, { detail });
    this.#notify(message, end, reason);
  }

  /** A connection that nobody took is closed; it must not leak. */
  #releaseConnection(message: Envelope, lane: LaneReader | null, index: number): void {
    const port = this.#ports[message.port];
    if (port?.isConnection !== true) return;
    try {
      releaseConnection((lane === null ? message.payload : lane.payload(index, port.codec)) as Connection);
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
    }
  }

  #end(lane: LaneReader | null, index: number, end: number): void {
    if (lane === null) {
      const at = InstanceFloat.localEnds + end;
      this.stats[at] = (this.stats[at] as number) + 1;
    } else {
      lane.finish(index, end);
    }
  }

  /** Sends a reply. Answers null, or why it could not be carried. */
  #reply(
    request: Envelope,
    lane: LaneReader | null,
    end: number,
    codec: Codec | null,
    payload: unknown,
  ): Error | 'no-room' | null {
    const thread = this.thread;
    const reply = new Envelope();
    reply.kind = EnvelopeKind.reply;
    reply.port = end;
    reply.sender = this.id;
    reply.enqueuedAtMs = thread.nowMs;
    reply.correlation = request.correlation;
    reply.id = request.id;
    if (lane === null) {
      const requester = thread.instances.get(request.sender);
      reply.payload = payload;
      if (requester === undefined) return new Error('the requester is gone');
      if (!requester.inbox.localReplies.push(reply)) return 'no-room';
      thread.requestTurn();
      return null;
    }
    const way = thread.replyWays.get(request.sender);
    if (way === undefined) return new Error('there is no way back to the requester');
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
    const told = new Set<InstanceId>([this.id]);
    for (const upstream of message.provenance) {
      if (told.has(upstream)) continue;
      told.add(upstream);
      const notice = new Envelope();
      notice.kind = EnvelopeKind.notice;
      notice.port = end;
      notice.sender = this.id;
      notice.id = message.id;
      notice.flowKey = message.flowKey;
      notice.enqueuedAtMs = this.thread.nowMs;
      const local = this.thread.instances.get(upstream);
      if (local !== undefined) {
        if (local.handlers.onError === undefined) continue;
        const { localReplies } = local.inbox;
        if (localReplies.length < this.thread.limits.requestsMax && localReplies.push(notice))
          this.thread.requestTurn();
        else this.#countCoalesced();
        continue;
      }
      const way = this.thread.replyWays.get(upstream);
      if (way === undefined || !way.wantsNotices) continue;
      if (way.writer.write(notice, null, reason, this.thread.limits.requestsMax) === 'accepted') {
        this.thread.ring(way.bell);
      } else {
        this.#countCoalesced();
      }
    }
  }

  #countCoalesced(): void {
    const at = InstanceFloat.noticesCoalesced;
    this.stats[at] = (this.stats[at] as number) + 1;
  }

  // ── replies, notices, timers ─────────────────────────────────────────────────────────────────────────────

  #runReply(envelope: Envelope, lane: LaneReader | null, index: number): void {
    const request = this.#pending.remove(envelope.correlation, envelope.id);
    if (request === null) {
      this.stats[InstanceFloat.orphanReplies] = (this.stats[InstanceFloat.orphanReplies] as number) + 1;
      return;
    }
    const route = this.thread.routes.get(request.routeId) as Route;
    let reply: Reply<unknown>;
    try {
      reply = readReply(envelope, lane, index, route);
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      reply = { outcome: 'failed', reason: 'decode-error', detail: error.message };
    }
    this.#runCallback(request.onReply, reply, request.cause);
  }

  #runCallback(onReply: OnReply, reply: Reply<unknown>, cause: Envelope | null): void {
    const startedAt = this.thread.nowMs;
    this.thread.enter(this.id, startedAt);
    this.current = cause;
    try {
      onReply(reply);
    } catch (error) {
      this.#countError('reply callback', error);
    }
    this.current = null;
    this.#account(startedAt);
  }

  #countError(what: string, error: unknown): void {
    this.stats[InstanceFloat.errors] = (this.stats[InstanceFloat.errors] as number) + 1;
    this.thread.reportError(this, what, error);
  }

  #runNotice(notice: Envelope): void {
    const { onError } = this.handlers;
    if (onError === undefined) return;
    const startedAt = this.thread.nowMs;
    this.thread.enter(this.id, startedAt);
    try {
      onError.call(this.handlers, {
        flowKey: notice.flowKey,
        messageId: notice.id,
        failedIn: notice.sender,
        reason: ends[notice.port] ?? 'unknown',
      });
    } catch (error) {
      this.#countError('error handler', error);
    }
    this.#account(startedAt);
  }

  #runTimer(event: Envelope): void {
    const startedAt = this.thread.nowMs;
    this.thread.enter(this.id, startedAt);
    try {
      const result = (event.payload as () => unknown)();
      if (result instanceof Promise) result.catch((error) => this.#countError('timer', error));
    } catch (error) {
      this.#countError('timer', error);
    }
    this.#account(startedAt);
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
    this.thread.requestTurn();
  }

  /** Ends requests that have waited too long. */
  expireRequests(nowMs: number): void {
    for (const request of this.#pending.expire(nowMs)) {
      this.#runCallback(request.onReply, { outcome: 'timeout' }, request.cause);
    }
  }

  get pendingRequests(): number {
    return this.#pending.size;
  }

  requestCredit(): number {
    return this.#pending.max - this.#pending.size;
  }

  // ── sending ──────────────────────────────────────────────────────────────────────────────────────────────

  /** Sends by a route. Refusals are counted. */
  send(
    route: Route,
    payload: unknown,
    options: SendOptions | undefined,
    kind: EnvelopeKind,
    correlation: number,
  ): Acceptance {
    if (options?.delayMs !== undefined && options.delayMs > 0)
      return this.#sendLater(route, payload, options);
    const cause = (options?.cause as Envelope | undefined) ?? this.current;
    const flowKey = options?.flowKey ?? cause?.flowKey ?? 0;
    const endpoint = route.choose(flowKey, options?.to, cause);
    if (endpoint === null) return this.#refuse('no-endpoint');
    return this.#deliver(route, endpoint, payload, options, cause, flowKey, kind, correlation);
  }

  /** Sends to one endpoint, whatever the policy. */
  sendTo(
    route: Route,
    endpoint: LiveEndpoint,
    payload: unknown,
    options: SendOptions | undefined,
    kind: EnvelopeKind,
    correlation: number,
  ): Acceptance {
    const cause = (options?.cause as Envelope | undefined) ?? this.current;
    const flowKey = options?.flowKey ?? cause?.flowKey ?? 0;
    return this.#deliver(route, endpoint, payload, options, cause, flowKey, kind, correlation);
  }

  #deliver(
    route: Route,
    endpoint: LiveEndpoint,
    payload: unknown,
    options: SendOptions | undefined,
    cause: Envelope | null,
    flowKey: Key,
    kind: EnvelopeKind,
    correlation: number,
  ): Acceptance {
    const thread = this.thread;
    const now = thread.time();
    const { local } = endpoint;
    const envelope = local === null ? thread.scratch : new Envelope();
    envelope.kind = kind;
    envelope.port = route.port;
    envelope.correlation = correlation;
    envelope.id = thread.nextMessageId();
    if (kind === EnvelopeKind.request) this.#pending.identify(correlation, envelope.id);
    envelope.flowKey = flowKey;
    envelope.sender = this.id;
    envelope.enqueuedAtMs = now;
    const deadlineMs = options?.deadlineMs ?? route.deadlineMs;
    envelope.deadlineAtMs = deadlineMs > 0 ? now + deadlineMs : Number.POSITIVE_INFINITY;
    envelope.priority = options?.priority ?? cause?.priority ?? 0;
    envelope.clientKey = options?.clientKey ?? cause?.clientKey ?? 0;
    envelope.origin = cause?.origin ?? this.id;
    envelope.prior = cause === null ? nobody : cause.provenance;
    envelope.isTraced = cause?.isTraced ?? false;
    // As well as can be known here: what others have sent meanwhile shows when the receiver has looked.
    if (route.queueMaxMessages > 0 && endpoint.queueLength() >= route.queueMaxMessages)
      return this.#refuse('queue-full');
    if (thread.isWorkBounded && exceedsWork(endpoint, thread.limits.queueMaxWorkMs))
      return this.#refuse('queue-full');
    if (local !== null) {
      envelope.payload = payload;
      if (!local.inbox.local.push(envelope)) return this.#refuse('queue-full');
      local.waiting++;
      local.stats[InstanceFloat.localAccepted] = (local.stats[InstanceFloat.localAccepted] as number) + 1;
      thread.requestTurn();
      return 'accepted';
    }
    const written = (endpoint.writer as LaneWriter).write(envelope, route.codec, payload);
    if (written !== 'accepted') return this.#refuse(written);
    thread.ring(endpoint.bell as Int32Array);
    return 'accepted';
  }

  #refuse(reason: RefusalReason): RefusalReason {
    const at = InstanceFloat.refused + refusalReasons.indexOf(reason);
    this.stats[at] = (this.stats[at] as number) + 1;
    return reason;
  }

  #sendLater(route: Route, payload: unknown, options: SendOptions): Acceptance {
    const later = this.#withoutDelay(options);
    return this.#later(options.delayMs as number, () =>
      this.send(route, payload, later, EnvelopeKind.message, 0),
    );
  }

  #withoutDelay(options: SendOptions): SendOptions {
    const { delayMs: _, ...rest } = options;
    const cause = options.cause ?? this.current;
    return cause === null ? rest : { ...rest, cause };
  }

  /** What is delayed is accepted by its sender, and handed on when due: `done`, or `shed: undeliverable`. */
  #later(delayMs: number, attempt: () => Acceptance): Acceptance {
    const thread = this.thread;
    if (thread.delayedCount >= thread.limits.delayedMax) return this.#refuse('queue-full');
    thread.delayedCount++;
    this.stats[InstanceFloat.localAccepted] = (this.stats[InstanceFloat.localAccepted] as number) + 1;
    const entry = thread.after(delayMs, () => {
      this.#delayed.delete(entry);
      thread.delayedCount--;
      let isAccepted = false;
      try {
        isAccepted = attempt() === 'accepted';
      } catch (error) {
        // Encoded only now: whoever sent it is not there to be told.
        this.#countError('delayed message', error);
      }
      this.#end(null, 0, isAccepted ? doneCode : undeliverable);
    });
    this.#delayed.add(entry);
    return 'accepted';
  }

  /** Makes a request. The callback gets every outcome, refusals included, as an event (refusals at once). */
  ask(route: Route, payload: unknown, options: SendOptions | undefined, onReply: OnReply): Acceptance {
    if (options?.delayMs !== undefined && options.delayMs > 0) {
      const later = this.#withoutDelay(options);
      const accepted = this.#later(options.delayMs, () => this.ask(route, payload, later, onReply));
      if (accepted !== 'accepted') onReply({ outcome: 'refused', reason: accepted });
      return accepted;
    }
    const cause = (options?.cause as Envelope | undefined) ?? this.current;
    const expiresAtMs = route.timeoutMs > 0 ? this.thread.time() + route.timeoutMs : Number.POSITIVE_INFINITY;
    const correlation = this.#pending.add({ onReply, cause, routeId: route.edge.id }, expiresAtMs);
    let accepted: Acceptance;
    if (correlation === 0) {
      accepted = this.#refuse('too-many-requests');
    } else {
      try {
        accepted = this.send(route, payload, options, EnvelopeKind.request, correlation);
      } catch (error) {
        this.#pending.withdraw(correlation);
        throw error;
      }
      if (accepted === 'accepted') return accepted;
      this.#pending.withdraw(correlation);
    }
    onReply({ outcome: 'refused', reason: accepted });
    return accepted;
  }

  // ── the edges of its life ────────────────────────────────────────────────────────────────────────────────

  /**
   * After a thread died: ends what it held. `end` says why it died. What waited in lanes stays and is handled;
   * what was in the dead heap is lost, and counted.
   */
  recover(end: number): void {
    for (const lane of [...this.inbox.lanes]) {
      for (const index of lane.recover()) {
        const envelope = new Envelope();
        lane.readHeader(index, envelope);
        this.#tell(envelope, lane, end, ends[end] as string, '');
        this.#releaseLost(lane, index, envelope);
        lane.finishRecovered(index, end);
      }
    }
    for (const lane of this.inbox.replyLanes) {
      for (const index of lane.recover()) lane.finishRecovered(index, doneCode);
    }
    this.#countLost();
    this.stats[InstanceFloat.inService] = 0;
  }

  /** The dead thread may have taken the connection, and closed it by dying; the inode tells (see `discardConnection`). */
  #releaseLost(lane: LaneReader, index: number, envelope: Envelope): void {
    const port = this.#ports[envelope.port];
    if (port?.isConnection !== true) return;
    releaseConnection(lane.payload(index, port.codec) as Connection);
  }

  #countLost(): void {
    const stats = this.stats;
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

  /** Ends everything that waits, unhandled: the instance goes for good. */
  discard(end: number = stopping): void {
    for (const service of [...this.#inService]) {
      this.#release(service);
      this.#drop(service.message, service.lane, service.index, threadLost);
    }
    for (const entry of this.#delayed) {
      entry.isCancelled = true;
      this.thread.delayedCount--;
      this.#end(null, 0, end);
    }
    this.#delayed.clear();
    this.poll();
    const taken = this.#taken;
    while (this.inbox.nextRank(true) !== Number.POSITIVE_INFINITY) {
      this.inbox.take(true, taken);
      const { envelope, lane, index } = taken;
      if (envelope.kind === EnvelopeKind.message || envelope.kind === EnvelopeKind.request) {
        this.#drop(envelope, lane, index, end);
      } else {
        lane?.finish(index, doneCode);
      }
      if (this.inbox.lanes.length > 0) this.inbox.poll();
    }
    this.waiting = 0;
    this.#publishQueue();
  }

  /** Nothing waits, nothing is in progress, nothing is held. */
  get isIdle(): boolean {
    return (
      this.inbox.poll() === 0 &&
      this.inProgress === 0 &&
      this.#delayed.size === 0 &&
      this.#pending.size === 0 &&
      this.stats[InstanceFloat.states] === 0
    );
  }
}

const nobody: readonly InstanceId[] = [];

/** Would one more message wait longer than the bound? By the measured mean service time there. */
function exceedsWork(endpoint: LiveEndpoint, maxMs: number): boolean {
  const waiting = endpoint.queueLength();
  return waiting > 0 && waiting * (endpoint.stats[InstanceFloat.serviceMeanMs] as number) > maxMs;
}

function readReply(envelope: Envelope, lane: LaneReader | null, index: number, route: Route): Reply<unknown> {
  const end = envelope.port;
  if (end === doneCode) {
    const value = lane === null ? envelope.payload : lane.payload(index, route.replyCodec as Codec);
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

function describeError(error: unknown): string {
  const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return text.slice(0, detailMax);
}
