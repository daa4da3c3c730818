import type { Reply } from '../model/index.ts';
import type { Envelope } from '../wire/index.ts';

/** Called with the reply to a request, however it ends. */
export type OnReply = (reply: Reply<unknown>) => void;

/** What a requester remembers of a request. */
export interface PendingRequest {
  readonly onReply: OnReply;
  /** The message in whose chain the request was made. */
  readonly cause: Envelope | null;
  /** The route it went by: knows the codec of the reply. */
  readonly routeId: number;
}

/**
 * The outstanding requests of one instance. A correlation is a slot and a generation, so that a late reply to an
 * earlier request in the same slot is recognised.
 */
export class PendingRequests {
  readonly max: number;
  readonly #bits: number;
  readonly #requests: (PendingRequest | null)[];
  readonly #generations: Int32Array;
  readonly #expiresAtMs: Float64Array;
  readonly #free: Int32Array;
  #freeCount: number;

  /** `max` is a power of two. `generation` differs between an instance and its replacement. */
  constructor(max: number, generation: number) {
    this.max = max;
    this.#bits = Math.log2(max);
    this.#requests = new Array(max).fill(null);
    this.#generations = new Int32Array(max).fill(1 + (generation & 0xff) * 4096);
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
    this.#expiresAtMs[slot] = expiresAtMs;
    return ((this.#generations[slot] as number) << this.#bits) | slot;
  }

  /** Gives a slot back: the request, or null for a correlation that is not known any more. */
  remove(correlation: number): PendingRequest | null {
    const slot = correlation & (this.max - 1);
    if (this.#generations[slot] !== correlation >>> this.#bits) return null;
    return this.#release(slot);
  }

  #release(slot: number): PendingRequest | null {
    const request = this.#requests[slot] ?? null;
    if (request === null) return null;
    this.#requests[slot] = null;
    this.#expiresAtMs[slot] = Number.POSITIVE_INFINITY;
    const generation = (this.#generations[slot] as number) + 1;
    this.#generations[slot] = generation >= 1 << (31 - this.#bits) ? 1 : generation;
    this.#free[this.#freeCount++] = slot;
    return request;
  }

  /** Removes what has expired. */
  expire(nowMs: number): PendingRequest[] {
    if (this.#freeCount === this.max) return [];
    const expired: PendingRequest[] = [];
    for (let slot = 0; slot < this.max; slot++) {
      if ((this.#expiresAtMs[slot] as number) > nowMs) continue;
      const request = this.#release(slot);
      if (request !== null) expired.push(request);
    }
    return expired;
  }
}
