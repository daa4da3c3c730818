import { add, divide, type Exact, equal, less, multiply, sign, subtract, toNumber } from './exact.ts';
import type { Peak } from './server.ts';
import { type Steps, stepEnd } from './steps.ts';

/**
 * `sup`: the exact supremum over all bits, with both one-sided limits where a rate is 0 for a while.
 * `left`: the rule of the published tool: at every amount of data where either function bends, the first time it has
 * left minus the first time it had arrived.
 */
export type DelayRule = 'sup' | 'left';

/** Where the bits that left in a window had been when they arrived: both ends of a piece on which both are linear. */
export interface Passage {
  readonly arrivedFrom: Exact;
  readonly arrivedTo: Exact;
  readonly leftFrom: Exact;
  readonly leftTo: Exact;
}

/** A bit by its place in a departing and in an arriving step. */
interface PieceEnd {
  readonly start: Exact;
  readonly end: Exact;
  readonly left: Exact;
  readonly rate: Exact;
  readonly from: Exact;
  readonly taken: Exact;
  readonly arrivalRate: Exact;
}

/**
 * Measures how long bits wait between two places that they pass in the same order: `sup l⁻¹(y) − r⁻¹(y)`, window by
 * window. Arrivals that have not left wait in a queue; each step of departures is matched with the head of the queue,
 * and on a matched piece the delay is linear, so its greatest value is at one of the ends.
 *
 * Positions are kept in bits, not in times: bits stay on the integer grid, times do not, and a delay is evaluated
 * exactly only when its nearest double says that it could be the greatest so far.
 */
export class DelayMeter {
  #peak: Peak = { time: 0, value: 0 };
  readonly #rule: DelayRule;
  readonly #onPassage: ((passage: Passage) => void) | undefined;
  #peakNumber = 0;
  /** Arrivals that have not left, oldest first: from, to and rate of each step; `#head` is the oldest. */
  #from: Exact[] = [];
  #to: Exact[] = [];
  #rates: Exact[] = [];
  #head = 0;
  /** Bits of the oldest step that have left. */
  #taken: Exact = 0;
  /** Left rule: the end of the last matched piece, which counts unless the departures go on at the same rate. */
  #pending: PieceEnd | undefined;

  constructor(rule: DelayRule, onPassage?: (passage: Passage) => void) {
    this.#rule = rule;
    this.#onPassage = onPassage;
  }

  /** True when everything that arrived has left. */
  get empty(): boolean {
    return this.#head === this.#from.length;
  }

  /** One window of arrivals and of departures; both cover the same window, which continues the last one. */
  advance(arrivals: Steps, departures: Steps): void {
    // Nothing waits: without a look at any step.
    if (arrivals === departures && this.empty && this.#onPassage === undefined) return;
    let [i, j] = [0, 0];
    let time = arrivals.times[0]!;
    while (less(time, arrivals.end)) {
      const nextArrival = stepEnd(arrivals, i);
      const nextDeparture = stepEnd(departures, j);
      const next = less(nextDeparture, nextArrival) ? nextDeparture : nextArrival;
      const arrivalRate = arrivals.rates[i]!;
      const departureRate = departures.rates[j]!;
      if (this.empty && equal(arrivalRate, departureRate)) {
        this.#onPassage?.({ arrivedFrom: time, arrivedTo: next, leftFrom: time, leftTo: next });
      } else {
        if (arrivalRate !== 0) this.#enqueue(time, next, arrivalRate);
        if (departureRate !== 0) this.#depart(time, next, departureRate);
      }
      if (!less(nextDeparture, nextArrival)) i += 1;
      if (!less(nextArrival, nextDeparture)) j += 1;
      time = next;
    }
    this.#forget();
  }

  /**
   * The greatest delays, each with the arrival time of the bit that suffered it: `served` of the bits that left,
   * `all` of those as well that had not left at `end`, for as long as they had waited. Called once, at the end.
   */
  peaks(end: Exact): { readonly all: Peak; readonly served: Peak } {
    if (this.#pending !== undefined) this.#considerEnd(this.#pending);
    const served = this.#peak;
    let all = served;
    for (let k = this.#head; k < this.#from.length; k += 1) {
      const start = k === this.#head ? this.#headArrival() : this.#from[k]!;
      const arrived = this.#rule === 'sup' ? start : this.#to[k]!;
      const delay = subtract(end, arrived);
      if (less(all.value, delay)) all = { time: arrived, value: delay };
      if (this.#rule === 'sup') break;
    }
    return { all, served };
  }

  /** Text that is equal for two meters whose futures are the same, given their windows' starts. */
  fingerprint(origin: Exact): string {
    const steps: string[] = [];
    for (let k = this.#head; k < this.#from.length; k += 1) {
      // What has left of the oldest step, which may have begun long ago, has no future.
      const from = k === this.#head ? this.#headArrival() : this.#from[k]!;
      steps.push(`${subtract(from, origin)} ${subtract(this.#to[k]!, origin)} ${this.#rates[k]}`);
    }
    return steps.join(';');
  }

  #enqueue(from: Exact, to: Exact, rate: Exact): void {
    const last = this.#from.length - 1;
    // One step that a window boundary or the other function has cut is one step again.
    if (last >= this.#head && equal(this.#rates[last]!, rate) && equal(this.#to[last]!, from)) {
      this.#to[last] = to;
      return;
    }
    this.#from.push(from);
    this.#to.push(to);
    this.#rates.push(rate);
  }

  #headArrival(): Exact {
    if (this.#taken === 0) return this.#from[this.#head]!;
    return add(this.#from[this.#head]!, divide(this.#taken, this.#rates[this.#head]!));
  }

  /** Matches departures at `rate` from `start` to `end` with the oldest arrivals. */
  #depart(start: Exact, end: Exact, rate: Exact): void {
    const bits = multiply(rate, subtract(end, start));
    let left: Exact = 0;
    if (this.#pending !== undefined) {
      const goesOn = equal(this.#pending.end, start) && equal(this.#pending.rate, rate);
      if (!goesOn) this.#considerEnd(this.#pending);
      this.#pending = undefined;
    }
    while (less(left, bits) && !this.empty) {
      const from = this.#from[this.#head]!;
      const arrivalRate = this.#rates[this.#head]!;
      const held = multiply(arrivalRate, subtract(this.#to[this.#head]!, from));
      const wanted = subtract(bits, left);
      const available = subtract(held, this.#taken);
      const moved = less(wanted, available) ? wanted : available;
      if (this.#rule === 'sup') this.#consider(start, left, rate, from, this.#taken, arrivalRate);
      const taken = add(this.#taken, moved);
      const leftAfter = add(left, moved);
      if (this.#rule === 'left' && equal(leftAfter, bits) && !equal(taken, held)) {
        // Neither function may bend here: the step of departures may only have been cut.
        this.#pending = { start, end, left: leftAfter, rate, from, taken, arrivalRate };
      } else {
        this.#consider(start, leftAfter, rate, from, taken, arrivalRate);
      }
      if (this.#onPassage !== undefined) {
        this.#onPassage({
          arrivedFrom: add(from, divide(this.#taken, arrivalRate)),
          arrivedTo: add(from, divide(taken, arrivalRate)),
          leftFrom: add(start, divide(left, rate)),
          leftTo: add(start, divide(leftAfter, rate)),
        });
      }
      left = leftAfter;
      this.#taken = taken;
      if (equal(taken, held)) {
        this.#head += 1;
        this.#taken = 0;
      }
    }
  }

  #considerEnd({ start, left, rate, from, taken, arrivalRate }: PieceEnd): void {
    this.#consider(start, left, rate, from, taken, arrivalRate);
  }

  /** The delay of the bit that is the `left`-th of the departing step and the `taken`-th of the arriving one. */
  #consider(start: Exact, left: Exact, rate: Exact, from: Exact, taken: Exact, arrivalRate: Exact): void {
    if (isNoLonger(this.#peak.value, start, left, rate, from, taken, arrivalRate)) return;
    const startNumber = toNumber(start);
    const arrivedNumber = toNumber(from) + toNumber(taken) / toNumber(arrivalRate);
    const estimate = startNumber + toNumber(left) / toNumber(rate) - arrivedNumber;
    // 2⁻⁴⁶ of the operands is more than 20 times what the seven roundings above can be off.
    if (estimate < this.#peakNumber - (Math.abs(startNumber) + Math.abs(arrivedNumber)) * 2 ** -46) return;
    const arrived = add(from, divide(taken, arrivalRate));
    const delay = subtract(add(start, divide(left, rate)), arrived);
    if (sign(delay) > 0 && less(this.#peak.value, delay)) {
      this.#peak = { time: arrived, value: delay };
      this.#peakNumber = toNumber(delay);
    }
  }

  /** Drops matched arrivals once they are half of the queue, so that memory and work stay in proportion to it. */
  #forget(): void {
    if (2 * this.#head < this.#from.length) return;
    this.#from = this.#from.slice(this.#head);
    this.#to = this.#to.slice(this.#head);
    this.#rates = this.#rates.slice(this.#head);
    this.#head = 0;
  }
}

/**
 * Whether `start + left / rate − from − taken / arrivalRate` is certainly not above the peak: without fractions, by what it
 * comes to multiplied with both rates. False also where that would leave the whole numbers.
 */
function isNoLonger(
  peak: Exact,
  start: Exact,
  left: Exact,
  rate: Exact,
  from: Exact,
  taken: Exact,
  arrivalRate: Exact,
): boolean {
  if (typeof peak !== 'number' || typeof start !== 'number' || typeof left !== 'number') return false;
  if (typeof rate !== 'number' || typeof from !== 'number' || typeof taken !== 'number') return false;
  if (typeof arrivalRate !== 'number') return false;
  const sinceMost = (start - from - peak) * rate * arrivalRate;
  const leftLater = left * arrivalRate;
  const arrivedLater = taken * rate;
  const wholeMax = Number.MAX_SAFE_INTEGER / 4;
  if (!(Math.abs(sinceMost) < wholeMax && leftLater < wholeMax && arrivedLater < wholeMax)) return false;
  return sinceMost + leftLater - arrivedLater <= 0;
}
