/**
 * What one instance sends: messages and requests by the routes of its thread, at once or after a delay, and the
 * requests that wait for their replies. Refusals are counted in the block of the instance.
 */
import {
  type Acceptance,
  type InstanceId,
  type RefusalReason,
  refusalReasons,
  type SendOptions,
  ShoalError,
} from '../model/index.ts';
import { doneCode, type LaneWriter, shedCode } from '../transport/index.ts';
import { Envelope, EnvelopeKind, extendChain } from '../wire/index.ts';
import { admitsWork, messageRoom } from './credit.ts';
import type { DueEntry } from './due-heap.ts';
import type { Instance } from './instance.ts';
import { type OnReply, type PendingRequest, PendingRequests } from './pending-requests.ts';
import type { LiveEndpoint, Route } from './route.ts';
import { InstanceFloat } from './shared-block.ts';
import type { ThreadRuntime } from './thread-runtime.ts';

const undeliverable = shedCode('undeliverable');
const nobody: readonly InstanceId[] = [];
const noOptions: SendOptions = {};

/** From best to worst, for a publication that is taken differently by several subscribers. */
const severity: readonly Acceptance[] = [
  'accepted',
  'no-endpoint',
  'too-many-requests',
  'queue-full',
  'out-of-profile',
  'too-large',
  'stopping',
];

export class Outbox {
  readonly #instance: Instance;
  readonly #thread: ThreadRuntime;
  readonly #stats: Float64Array;
  readonly #pending: PendingRequests;
  /** The chain of what the instance sends by itself. */
  readonly #ownChain: readonly InstanceId[];
  readonly #delayed = new Set<DueEntry>();
  /** Which endpoint refused a message last; null: none was asked. */
  refusedBy: InstanceId | null = null;

  constructor(instance: Instance) {
    this.#instance = instance;
    this.#thread = instance.thread;
    this.#stats = instance.stats;
    this.#ownChain = extendChain(nobody, instance.id);
    this.#pending = new PendingRequests(instance.thread.limits.requestsMax);
  }

  get pendingRequests(): number {
    return this.#pending.size;
  }

  /** Requests that may still be made before one is answered. */
  requestCredit(): number {
    return this.#pending.max - this.#pending.size;
  }

  /** Nothing is delayed, and no request waits for its reply. */
  get isIdle(): boolean {
    return this.#delayed.size === 0 && this.#pending.size === 0;
  }

  /** The request that a reply answers; null for one that is not known any more. */
  takeRequest(correlation: number, messageId: number): PendingRequest | null {
    return this.#pending.remove(correlation, messageId);
  }

  /** When the next one had waited too long, as of the last {@link takeExpired}. */
  get expiryAtMs(): number {
    return this.#pending.nextExpiryMs;
  }

  /** Takes the requests that have waited too long. */
  takeExpired(nowMs: number): PendingRequest[] {
    return this.#pending.expire(nowMs);
  }

  /** Ends what is delayed, unsent: the instance goes for good. */
  discard(end: number): void {
    for (const entry of this.#delayed) {
      this.#thread.cancel(entry);
      this.#thread.delayedCount--;
      this.#instance.meter.ended(end);
    }
    this.#delayed.clear();
  }

  /** Sends by each of several routes. Answers the worst acceptance among them. */
  publish(routes: readonly Route[], payload: unknown, options: SendOptions | undefined): Acceptance {
    if (options?.delayMs !== undefined && options.delayMs > 0) {
      const later = this.#withoutDelay(options);
      return this.#later(options.delayMs, () => this.publish(routes, payload, later));
    }
    let worst = 0;
    for (const route of routes) {
      const accepted =
        route.edge.routing === 'all' && options?.to === undefined
          ? this.#sendToAll(route, payload, options ?? noOptions)
          : this.send(route, payload, options, EnvelopeKind.message, 0);
      worst = Math.max(worst, severity.indexOf(accepted));
    }
    return severity[worst] as Acceptance;
  }

  #sendToAll(route: Route, payload: unknown, options: SendOptions): Acceptance {
    if (route.active.length === 0) return this.#refuse('no-endpoint');
    let worst = 0;
    for (const endpoint of route.active) {
      const accepted = this.send(route, payload, options, EnvelopeKind.message, 0, endpoint);
      worst = Math.max(worst, severity.indexOf(accepted));
    }
    return severity[worst] as Acceptance;
  }

  /**
   * Sends by a route, `only` to the one endpoint, or to the one that its policy chooses. Refusals are counted. All in one
   * function, too large for V8 to compile it into each of its callers: what one hop has had loaded, the next finds in the caches.
   */
  send(
    route: Route,
    payload: unknown,
    given: SendOptions | undefined,
    kind: EnvelopeKind,
    correlation: number,
    only: LiveEndpoint | null = null,
  ): Acceptance {
    const options = given ?? noOptions;
    if (options.delayMs !== undefined && options.delayMs > 0) return this.#sendLater(route, payload, options);
    const cause = (options.cause as Envelope | undefined) ?? this.#instance.current;
    const flowKey = options.flowKey ?? cause?.flowKey ?? 0;
    const endpoint = only ?? route.choose(flowKey, options.to, cause);
    if (endpoint === null) return this.#refuse('no-endpoint');
    const thread = this.#thread;
    const now = thread.time();
    if (messageRoom(route, endpoint) <= 0) return this.#refuse('queue-full', endpoint);
    const id = thread.nextMessageId();
    if (kind === EnvelopeKind.request) this.#pending.identify(correlation, id);
    const { local } = endpoint;
    const envelope = local === null ? thread.scratch : new Envelope();
    envelope.kind = kind;
    envelope.port = route.port;
    envelope.correlation = correlation;
    envelope.id = id;
    envelope.flowKey = flowKey;
    envelope.routedBy = route.routedBy;
    envelope.sender = this.#instance.id;
    envelope.enqueuedAtMs = now;
    const deadlineMs = options.deadlineMs ?? route.deadlineMs;
    envelope.deadlineAtMs = deadlineMs > 0 ? now + deadlineMs : Number.POSITIVE_INFINITY;
    if (cause === null) {
      envelope.priority = options.priority ?? 0;
      envelope.clientKey = options.clientKey ?? 0;
      envelope.origin = this.#instance.id;
      envelope.prior = nobody;
      envelope.knownChain = this.#ownChain;
      envelope.isTraced = options.trace ?? false;
    } else {
      envelope.priority = options.priority ?? cause.priority;
      envelope.clientKey = options.clientKey ?? cause.clientKey;
      envelope.origin = cause.origin;
      envelope.prior = cause.chain;
      envelope.knownChain = null;
      envelope.isTraced = options.trace ?? cause.isTraced;
    }
    if (local !== null) {
      envelope.payload = payload;
      if (route.queueMaxWorkMs > 0 && !admitsWork(route, endpoint, now, -1))
        return this.#refuse('queue-full', endpoint);
      if (thread.serveAtOnce(local, envelope, this.#instance)) return 'accepted';
      if (!local.inbox.accept(envelope)) return this.#refuse('queue-full', endpoint);
      local.waiting++;
      local.meter.accepted();
      thread.addReady(local);
      return 'accepted';
    }
    return this.#write(route, endpoint, envelope, payload, now);
  }

  /** Sends to another thread, by a lane. */
  #write(
    route: Route,
    endpoint: LiveEndpoint,
    envelope: Envelope,
    payload: unknown,
    nowMs: number,
  ): Acceptance {
    const writer = endpoint.writer as LaneWriter;
    const admits =
      route.queueMaxWorkMs > 0 ? (bytes: number): boolean => admitsWork(route, endpoint, nowMs, bytes) : null;
    const written = writer.write(envelope, route.codec, payload, 0, admits);
    if (written !== 'accepted') return this.#refuse(written, endpoint);
    const sentBytes = route.bytesFloat + 1;
    this.#stats[sentBytes] = (this.#stats[sentBytes] as number) + writer.writtenBytes;
    this.#thread.ring(endpoint.bell as Int32Array);
    return 'accepted';
  }

  #refuse(reason: RefusalReason, by: LiveEndpoint | null = null): RefusalReason {
    this.refusedBy = by?.instanceId ?? null;
    const at = InstanceFloat.refused + refusalReasons.indexOf(reason);
    this.#stats[at] = (this.#stats[at] as number) + 1;
    return reason;
  }

  #sendLater(route: Route, payload: unknown, options: SendOptions): Acceptance {
    refuseConnection(route);
    const later = this.#withoutDelay(options);
    return this.#later(options.delayMs as number, () =>
      this.send(route, payload, later, EnvelopeKind.message, 0),
    );
  }

  #withoutDelay(options: SendOptions): SendOptions {
    const { delayMs: _, ...rest } = options;
    const cause = options.cause ?? this.#instance.current;
    return cause === null ? rest : { ...rest, cause };
  }

  /** What is delayed is accepted by its sender, and handed on when due: `done`, or `shed: undeliverable`. */
  #later(delayMs: number, attempt: () => Acceptance): Acceptance {
    const thread = this.#thread;
    if (thread.delayedCount >= thread.limits.delayedMax) return this.#refuse('queue-full');
    thread.delayedCount++;
    this.#instance.meter.accepted();
    const entry = thread.after(delayMs, () => {
      this.#delayed.delete(entry);
      thread.delayedCount--;
      let isAccepted = false;
      try {
        isAccepted = attempt() === 'accepted';
      } catch (error) {
        // Encoded only now: whoever sent it is not there to be told.
        this.#instance.countError('delayed message', error);
      }
      this.#instance.meter.ended(isAccepted ? doneCode : undeliverable);
    });
    this.#delayed.add(entry);
    return 'accepted';
  }

  /** Makes a request. The callback gets every outcome, refusals included, as an event (refusals at once). */
  ask(route: Route, payload: unknown, options: SendOptions | undefined, onReply: OnReply): Acceptance {
    if (options?.delayMs !== undefined && options.delayMs > 0)
      return this.#askLater(route, payload, options, onReply);
    const cause = (options?.cause as Envelope | undefined) ?? this.#instance.current;
    const expiresAtMs =
      route.timeoutMs > 0 ? this.#thread.time() + route.timeoutMs : Number.POSITIVE_INFINITY;
    const correlation = this.#pending.add({ onReply, cause, route }, expiresAtMs);
    this.#thread.noteExpiry(expiresAtMs);
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

  #askLater(route: Route, payload: unknown, options: SendOptions, onReply: OnReply): Acceptance {
    refuseConnection(route);
    const later = this.#withoutDelay(options);
    const accepted = this.#later(options.delayMs as number, () => this.ask(route, payload, later, onReply));
    if (accepted !== 'accepted') onReply({ outcome: 'refused', reason: accepted });
    return accepted;
  }
}

/** Whoever sends a connection closes it where it is refused; later nobody is there to do so. */
function refuseConnection(route: Route): void {
  if (!route.isConnection) return;
  throw new ShoalError(
    'SHOAL_BAD_CALL',
    `'${route.edge.fromMsu}' sends a connection with delayMs, while which nobody would own it: send it when it is due.`,
  );
}
