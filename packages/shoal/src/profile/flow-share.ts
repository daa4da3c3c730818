import type { Passage } from './delay-meter.ts';
import { add, divide, type Exact, equal, less, multiply, subtract } from './exact.ts';
import { pushStep, type Steps, stepEnd } from './steps.ts';

/**
 * What one of several flows contributes to the output of a FIFO buffer that they share: its arrivals, moved to the
 * time at which the buffer let go of what arrived then.
 */
export class FlowShare {
  /** Arrivals from the oldest that may still wait, zero rates included, without gaps. */
  #from: Exact[] = [];
  #to: Exact[] = [];
  #rates: Exact[] = [];
  #head = 0;

  /** One window of this flow's arrivals, and the passages of the whole buffer in the same window. */
  advance(arrivals: Steps, passages: readonly Passage[]): Steps {
    for (let i = 0; i < arrivals.times.length; i += 1) {
      this.#from.push(arrivals.times[i]!);
      this.#to.push(stepEnd(arrivals, i));
      this.#rates.push(arrivals.rates[i]!);
    }
    const departures: Steps = { times: [], rates: [], end: arrivals.end };
    let position = arrivals.times[0]!;
    let head = this.#head;
    for (const { arrivedFrom, arrivedTo, leftFrom, leftTo } of passages) {
      if (less(position, leftFrom)) pushStep(departures.times, departures.rates, position, 0);
      const unchanged = equal(arrivedFrom, leftFrom) && equal(arrivedTo, leftTo);
      const stretch = unchanged ? 1 : divide(subtract(leftTo, leftFrom), subtract(arrivedTo, arrivedFrom));
      let arrived = arrivedFrom;
      while (less(arrived, arrivedTo)) {
        while (!less(arrived, this.#to[head]!)) head += 1;
        const left = unchanged ? arrived : add(leftFrom, multiply(subtract(arrived, arrivedFrom), stretch));
        const rate = this.#rates[head]!;
        pushStep(departures.times, departures.rates, left, unchanged ? rate : divide(rate, stretch));
        arrived = less(this.#to[head]!, arrivedTo) ? this.#to[head]! : arrivedTo;
      }
      position = leftTo;
    }
    if (less(position, arrivals.end)) pushStep(departures.times, departures.rates, position, 0);
    this.#forget(head);
    return departures;
  }

  /** Text that is equal for two shares whose futures are the same, given their windows' starts. */
  fingerprint(origin: Exact): string {
    return this.#from
      .map((from, k) => `${subtract(from, origin)} ${subtract(this.#to[k]!, origin)} ${this.#rates[k]}`)
      .slice(this.#head)
      .join(';');
  }

  /** Drops what has left once it is half of what is kept, so that the work stays in proportion. */
  #forget(head: number): void {
    this.#head = head;
    if (2 * head < this.#from.length) return;
    this.#from = this.#from.slice(head);
    this.#to = this.#to.slice(head);
    this.#rates = this.#rates.slice(head);
    this.#head = 0;
  }
}
