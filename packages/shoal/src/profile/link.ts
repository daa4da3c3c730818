import { add, divide, type Exact, equal, less, modulo, multiply, subtract } from './exact.ts';
import { pushStep, type Steps, stepEnd } from './steps.ts';

/**
 * Latency of a link over a period: linearly interpolated between the points, and from the last point to the first
 * point of the next period, so that it is continuous. `times` starts at 0 and ends before `period`.
 */
export interface Latency {
  readonly times: readonly Exact[];
  readonly values: readonly Exact[];
  readonly period: Exact;
}

/** Data that leaves at `t` arrives at `t + latencyAt(t)`. */
export function latencyAt(latency: Latency, time: Exact): Exact {
  const offset = modulo(time, latency.period);
  let index = latency.times.length - 1;
  while (index > 0 && less(offset, latency.times[index]!)) index -= 1;
  const { start, end, from, to } = piece(latency, index);
  if (equal(from, to)) return from;
  const share = divide(subtract(offset, start), subtract(end, start));
  return add(from, multiply(share, subtract(to, from)));
}

function piece(latency: Latency, index: number): { start: Exact; end: Exact; from: Exact; to: Exact } {
  const last = index + 1 === latency.times.length;
  return {
    start: latency.times[index]!,
    end: last ? latency.period : latency.times[index + 1]!,
    from: latency.values[index]!,
    to: last ? latency.values[0]! : latency.values[index + 1]!,
  };
}

/**
 * Index of the first point after which latency falls at least as fast as time passes, so that later data would
 * overtake earlier data; `undefined` when there is none. A link keeps order, so such a latency is refused.
 */
export function overtakingPoint(latency: Latency): number | undefined {
  for (let index = 0; index < latency.times.length; index += 1) {
    const { start, end, from, to } = piece(latency, index);
    if (!less(subtract(from, to), subtract(end, start))) return index;
  }
  return undefined;
}

/** True when the latency is the same at all times. */
export function isConstant(latency: Latency): boolean {
  return latency.values.every((value) => equal(value, latency.values[0]!));
}

/**
 * Delays data by a latency, window by window: `r(t + δ(t)) = l(t)`. What is still on its way at the end of a window
 * arrives in a later one.
 */
export class Link {
  readonly #latency: Latency;
  readonly #constant: Exact | undefined;
  /** Rate changes that lie ahead, in order of arrival. */
  #times: Exact[] = [];
  #rates: Exact[] = [];
  #current: Exact = 0;

  constructor(latency: Latency) {
    this.#latency = latency;
    this.#constant = isConstant(latency) ? latency.values[0]! : undefined;
  }

  /** Takes what left in the next window and returns what arrives in it. */
  carry(sent: Steps): Steps {
    if (this.#constant === 0) return sent;
    this.#send(sent);
    return this.#receive(sent.times[0]!, sent.end);
  }

  /** Text that is equal for two links that hold the same data, given their windows' starts. */
  fingerprint(origin: Exact): string {
    return `${this.#current};${this.#times.map((time, k) => `${subtract(time, origin)} ${this.#rates[k]}`).join(';')}`;
  }

  #send(sent: Steps): void {
    for (let i = 0; i < sent.times.length; i += 1) {
      const [start, end, rate] = [sent.times[i]!, stepEnd(sent, i), sent.rates[i]!];
      if (this.#constant !== undefined) {
        this.#append(add(start, this.#constant), rate);
      } else {
        this.#sendAlongSlopes(start, end, rate);
      }
    }
  }

  /** Within one piece of latency the step keeps its data but is stretched or squeezed in time. */
  #sendAlongSlopes(start: Exact, end: Exact, rate: Exact): void {
    const latency = this.#latency;
    let time = start;
    while (less(time, end)) {
      const offset = modulo(time, latency.period);
      let index = latency.times.length - 1;
      while (index > 0 && less(offset, latency.times[index]!)) index -= 1;
      const bend = add(subtract(time, offset), piece(latency, index).end);
      const next = less(bend, end) ? bend : end;
      const from = add(time, latencyAt(latency, time));
      const to = add(next, latencyAt(latency, next));
      this.#append(from, divide(multiply(rate, subtract(next, time)), subtract(to, from)));
      time = next;
    }
  }

  #append(time: Exact, rate: Exact): void {
    const last = this.#rates.length - 1;
    if (equal(last >= 0 ? this.#rates[last]! : this.#current, rate)) return;
    this.#times.push(time);
    this.#rates.push(rate);
  }

  #receive(from: Exact, to: Exact): Steps {
    const times: Exact[] = [from];
    const rates: Exact[] = [this.#current];
    let count = 0;
    while (count < this.#times.length && less(this.#times[count]!, to)) {
      const [time, rate] = [this.#times[count]!, this.#rates[count]!];
      if (equal(time, from)) rates[0] = rate;
      else pushStep(times, rates, time, rate);
      this.#current = rate;
      count += 1;
    }
    this.#times = this.#times.slice(count);
    this.#rates = this.#rates.slice(count);
    return { times, rates, end: to };
  }
}
