import type { Envelope } from '../wire/index.ts';

/** A FIFO of envelopes within one thread: a ring that grows up to its bound. */
export class LocalQueue {
  #ring: (Envelope | undefined)[] = new Array(16);
  #head = 0;
  length = 0;
  /** Envelopes taken so far: what is at position `taken + i` has `i` before it. */
  taken = 0;
  readonly max: number;

  constructor(max: number) {
    this.max = max;
  }

  /** False where the queue is full. */
  push(envelope: Envelope): boolean {
    const ring = this.#ring;
    if (this.length === ring.length) {
      if (this.length >= this.max) return false;
      this.#grow();
    }
    if (this.length >= this.max) return false;
    this.#put(envelope);
    return true;
  }

  /** For what is bounded otherwise. */
  pushAlways(envelope: Envelope): void {
    if (this.length === this.#ring.length) this.#grow();
    this.#put(envelope);
  }

  #put(envelope: Envelope): void {
    this.#ring[(this.#head + this.length) & (this.#ring.length - 1)] = envelope;
    this.length++;
  }

  peek(): Envelope | undefined {
    return this.length === 0 ? undefined : this.#ring[this.#head];
  }

  shift(): Envelope {
    const envelope = this.#ring[this.#head] as Envelope;
    this.#ring[this.#head] = undefined;
    this.#head = (this.#head + 1) & (this.#ring.length - 1);
    this.length--;
    this.taken++;
    return envelope;
  }

  /** Every envelope that waits, and its position, oldest first. */
  each(visit: (envelope: Envelope, position: number) => void): void {
    const mask = this.#ring.length - 1;
    for (let i = 0; i < this.length; i++)
      visit(this.#ring[(this.#head + i) & mask] as Envelope, this.taken + i);
  }

  #grow(): void {
    const old = this.#ring;
    const mask = old.length - 1;
    const ring = new Array<Envelope | undefined>(old.length * 2);
    for (let i = 0; i < this.length; i++) ring[i] = old[(this.#head + i) & mask];
    this.#ring = ring;
    this.#head = 0;
  }
}
