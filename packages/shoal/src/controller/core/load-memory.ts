/** Mean and spread of a load over time, out of figures that are averages over `recentSpanMs` each. */
import { recentSpanMs } from './constants.ts';

/** Time-weighted sums since a moment; with a `memoryMs`, what is older counts ever less. */
export class LoadMemory {
  readonly #memoryMs: number;
  #weightMs = 0;
  #sumMs = 0;
  #squaresMs = 0;

  constructor(memoryMs: number = Number.POSITIVE_INFINITY) {
    this.#memoryMs = memoryMs;
  }

  add(load: number, forMs: number): void {
    const kept = Math.exp(-forMs / this.#memoryMs);
    this.#weightMs = this.#weightMs * kept + forMs;
    this.#sumMs = this.#sumMs * kept + load * forMs;
    this.#squaresMs = this.#squaresMs * kept + load * load * forMs;
  }

  /** For how long there are figures; at most about `memoryMs`. */
  get knownMs(): number {
    return this.#weightMs;
  }

  get mean(): number {
    return this.#weightMs > 0 ? this.#sumMs / this.#weightMs : 0;
  }

  /** The mean, as low as it may be in truth: lower by so many standard deviations. */
  least(deviations: number): number {
    return Math.max(0, this.mean - deviations * this.deviationOver(this.#weightMs));
  }

  /** Standard deviation of the mean over `spanMs`, by how much the figures differ from each other. */
  deviationOver(spanMs: number): number {
    if (this.#weightMs === 0) return 0;
    const variance = Math.max(0, this.#squaresMs / this.#weightMs - this.mean ** 2);
    return Math.sqrt(variance * Math.min(1, recentSpanMs / spanMs));
  }
}
