import { type Exact, equal, type Fraction } from './exact.ts';
import type { Steps } from './steps.ts';

/**
 * A piecewise-constant capacity over one window, in typed arrays that are used again for every flow of a node:
 * subtracting one flow after the other from a link is where a large analysis spends its time.
 *
 * Times and rates are at least 0. One that is not a safe integer is kept in `fractions`, and its place holds
 * `−1 − index`; so a loop may treat every entry that is not negative as an exact number.
 */
export class Capacity {
  times: Float64Array = new Float64Array(64);
  rates: Float64Array = new Float64Array(64);
  length = 0;
  end: Exact = 0;
  readonly fractions: Fraction[] = [];

  /** Becomes a copy of `steps`. */
  load(steps: Steps): this {
    this.clear(steps.end, steps.times.length);
    for (let k = 0; k < steps.times.length; k += 1) this.push(steps.times[k]!, steps.rates[k]!);
    return this;
  }

  toSteps(): Steps {
    const times: Exact[] = [];
    const rates: Exact[] = [];
    for (let k = 0; k < this.length; k += 1) {
      times.push(this.#read(this.times[k]!));
      rates.push(this.#read(this.rates[k]!));
    }
    return { times, rates, end: this.end };
  }

  /** Becomes empty, with room for `atMost` steps. */
  clear(end: Exact, atMost: number): void {
    this.length = 0;
    this.end = end;
    this.fractions.length = 0;
    if (this.times.length < atMost) {
      this.times = new Float64Array(2 * atMost);
      this.rates = new Float64Array(2 * atMost);
    }
  }

  /** Appends a step unless it continues the last one. */
  push(time: Exact, rate: Exact): void {
    if (this.length > 0 && equal(this.#read(this.rates[this.length - 1]!), rate)) return;
    this.times[this.length] = this.#write(time);
    this.rates[this.length] = this.#write(rate);
    this.length += 1;
  }

  rateAt(index: number): Exact {
    return this.#read(this.rates[index]!);
  }

  /** The end of step `index`. */
  stepEnd(index: number): Exact {
    return index + 1 < this.length ? this.#read(this.times[index + 1]!) : this.end;
  }

  #read(entry: number): Exact {
    return entry >= 0 ? entry : this.fractions[-1 - entry]!;
  }

  #write(value: Exact): number {
    return typeof value === 'number' ? value : -this.fractions.push(value);
  }
}
