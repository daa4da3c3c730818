import type { Reply } from '../model/index.ts';
import type { Envelope } from '../wire/index.ts';
import type { Route } from './route.ts';

/** Called with the reply to a request, however it ends. */
export type OnReply = (reply: Reply<unknown>) => void;

/** What a requester remembers of a request. */
export interface PendingRequest {
  readonly onReply: OnReply;
  /** The message in whose chain the request was made. */
  readonly cause: Envelope | null;
  /** By which it went: how to read its reply, and where that is counted. */
  readonly route: Pick<Route, 'replyCodec' | 'bytesFloat'>;
}

/**
 * The outstanding requests of one instance. A correlation names a slot; the id of the request's message, which a
 * reply repeats, tells it from every other request that had or will have the slot, in this life or another.
 */
export class PendingRequests {
  readonly max: number;
  readonly #requests: (PendingRequest | null)[];
  readonly #messageIds: Float64Array;
  readonly #expiresAtMs: Float64Array;
  readonly #free: Int32Array;
  #freeCount: number;
  /** When the first of those that {@link expire} has left expires; `Infinity`: there is none. */
  nextExpiryMs: number = Number.POSITIVE_INFINITY;

  constructor(max: number) {
    this.max = max;
    this.#requests = new Array(max).fill(null);
    this.#messageIds = new Float64Array(max);
    this.#expiresAtMs = new Float64Array(max).fill(Number.POSITIVE_INFINITY);
    this.#free = Int32Array.from({ length: max }, (_, i) => max - 1 - i);
    this.#freeCount = max;
  }

  get size(): number {
    return this.max - this.#freeCount;
  }

  /** Takes a slot: the correlation, or 0 where all are in use. `expiresAtMs`: `Infinity` for never. */
  add(request: PendingRequest, expiresAtMs: number): number {
    if (this.#freeCount === 0) return 0;
    const slot = this.#free[--this.#freeCount] as number;
    this.#requests[slot] = request;
    this.#messageIds[slot] = 0;
    this.#expiresAtMs[slot] = expiresAtMs;
    return slot + 1;
  }

  /** Says which message carries the request; called before the message is on its way. */
  identify(correlation: number, messageId: number): void {
    this.#messageIds[correlation - 1] = messageId;
  }

  /** Gives a slot back: the request, or null for one that is not known any more. */
  remove(correlation: number, messageId: number): PendingRequest | null {
    const slot = correlation - 1;
    return this.#messageIds[slot] === messageId ? this.#release(slot) : null;
  }

  /** Gives back the slot of a request that was not accepted. */
  withdraw(correlation: number): void {
    this.#release(correlation - 1);
  }

  #release(slot: number): PendingRequest | null {
    const request = this.#requests[slot] ?? null;
    if (request === null) return null;
    this.#requests[slot] = null;
    this.#expiresAtMs[slot] = Number.POSITIVE_INFINITY;
    this.#free[this.#freeCount++] = slot;
    return request;
  }

  /** Removes what has expired. */
  expire(nowMs: number): PendingRequest[] {
    this.nextExpiryMs = Number.POSITIVE_INFINITY;
    if (this.#freeCount === this.max) return [];
    const expired: PendingRequest[] = [];
    for (let slot = 0; slot < this.max; slot++) {
      const expiresAtMs = this.#expiresAtMs[slot] as number;
      if (expiresAtMs > nowMs) {
        if (expiresAtMs < this.nextExpiryMs) this.nextExpiryMs = expiresAtMs;
        continue;
      }
      const request = this.#release(slot);
      if (request !== null) expired.push(request);
    }
    return expired;
  }
}
