import type { Clock } from '../model/index.ts';

/** A clock that stands until it is moved. */
export class FakeClock implements Clock {
  #nowMs: number;

  constructor(startMs = 0) {
    this.#nowMs = startMs;
  }

  now(): number {
    return this.#nowMs;
  }

  /** Moves it on by so many milliseconds; never back. */
  advance(ms: number): void {
    this.set(this.#nowMs + ms);
  }

  set(nowMs: number): void {
    if (nowMs < this.#nowMs)
      throw new RangeError(`the clock is at ${this.#nowMs} ms and cannot go back to ${nowMs} ms`);
    this.#nowMs = nowMs;
  }
}
