import { Capacity } from './capacity.ts';
import { add, divide, type Exact, less, multiply, sign, subtract } from './exact.ts';
import { pushStep, type Steps, stepEnd } from './steps.ts';

/** A value and the earliest time at which it is reached. */
export interface Peak {
  readonly time: Exact;
  readonly value: Exact;
}

/**
 * A work-conserving server with a FIFO buffer, fed window by window: `l(t) = min over s ≤ t of r(s) + p(t) − p(s)`,
 * where `r` is the data asked to be sent, `p` the data that could be sent and `l` the data that is sent.
 *
 * Unused capacity is lost, so at any instant the server either forwards what arrives (no backlog and enough
 * capacity) or uses all the capacity there is. The only new break points are the instants at which a backlog ends.
 * Cost: one pass over the break points of both functions.
 *
 * Invariants
 * - V1 `backlog` is `r − l` at the end of the last window, never negative;
 * - V2 `output + remaining = provided` at every instant, and both are at least 0;
 * - V3 `peak` is the greatest backlog so far at its earliest time; 0 at time 0 when nothing ever waited.
 */
export class Server {
  /** Bits waiting at the end of the last window. */
  backlog: Exact = 0;
  /** The greatest backlog so far. */
  peak: Peak = { time: 0, value: 0 };

  /**
   * Serves one window, which continues the last one; both functions cover exactly it. Returns what is sent, which is
   * `required` itself where nothing had to wait, and writes what is left over into `remaining`.
   */
  serve(required: Steps, provided: Capacity, remaining: Capacity): Steps {
    const output: Steps = { times: [], rates: [], end: required.end };
    // Each step of either function can end in one step of the result and in one end of a backlog.
    remaining.clear(required.end, 2 * (required.times.length + provided.length));
    const at: Position = { i: 0, j: 0, time: required.times[0]! };
    if (this.backlog === 0 && typeof at.time === 'number') {
      forwardWhole(required, provided, remaining, null, at, at.time);
      if (!less(at.time, required.end)) return required;
      for (let k = 0; k <= at.i && less(required.times[k]!, at.time); k += 1)
        pushStep(output.times, output.rates, required.times[k]!, required.rates[k]!);
    }
    while (less(at.time, required.end)) {
      if (this.backlog === 0 && typeof at.time === 'number') {
        forwardWhole(required, provided, remaining, output, at, at.time);
      } else if (typeof this.backlog === 'number' && typeof at.time === 'number') {
        this.#drainWhole(required, provided, remaining, output, at, at.time, this.backlog);
      }
      if (!less(at.time, required.end)) break;
      this.#step(required, provided, remaining, output, at);
    }
    return output;
  }

  /**
   * Sends all that the link can carry as long as a backlog remains and all numbers are whole, and moves `at` to where
   * that ends. Whatever this loop cannot do is left to the general step.
   */
  #drainWhole(
    required: Steps,
    provided: Capacity,
    remaining: Capacity,
    output: Steps,
    at: Position,
    from: number,
    waiting: number,
  ): void {
    const { times, rates, length } = provided;
    const last = required.times.length - 1;
    let { i, j } = at;
    let time = from;
    let backlog = waiting;
    let [peak, peakTime] = [-1, 0];
    const end = typeof provided.end === 'number' ? provided.end : -1;
    while (i <= last && j < length) {
      const rate = required.rates[i]!;
      const stop = stepEnd(required, i);
      const capacity = rates[j]!;
      const nextProvided = j + 1 < length ? times[j + 1]! : end;
      if (typeof rate !== 'number' || typeof stop !== 'number' || capacity < 0 || nextProvided < 0) break;
      const next = nextProvided < stop ? nextProvided : stop;
      const after = backlog + (rate - capacity) * (next - time);
      if (!(after > 0 && after <= Number.MAX_SAFE_INTEGER)) break;
      pushStep(output.times, output.rates, time, capacity);
      if (remaining.length === 0 || remaining.rates[remaining.length - 1] !== 0) remaining.push(time, 0);
      if (nextProvided <= stop) j += 1;
      if (stop <= nextProvided) i += 1;
      time = next;
      backlog = after;
      if (backlog > peak) [peak, peakTime] = [backlog, time];
    }
    at.i = i;
    at.j = j;
    at.time = time;
    this.backlog = backlog;
    if (less(this.peak.value, peak)) this.peak = { time: peakTime, value: peak };
  }

  /** From `at.time` to the next break point of either function or to the end of the backlog. */
  #step(required: Steps, provided: Capacity, remaining: Capacity, output: Steps, at: Position): void {
    const { i, j, time } = at;
    const nextRequired = stepEnd(required, i);
    const nextProvided = provided.stepEnd(j);
    let next = less(nextProvided, nextRequired) ? nextProvided : nextRequired;
    const capacity = provided.rateAt(j);
    const rate = required.rates[i]!;
    const growth = subtract(rate, capacity);
    const idle = this.backlog === 0 && sign(growth) <= 0;
    pushStep(output.times, output.rates, time, idle ? rate : capacity);
    remaining.push(time, idle ? subtract(capacity, rate) : 0);
    let backlog: Exact = idle ? 0 : add(this.backlog, multiply(growth, subtract(next, time)));
    if (sign(backlog) < 0) {
      next = add(time, divide(this.backlog, subtract(capacity, rate)));
      backlog = 0;
    } else {
      if (!less(nextProvided, nextRequired)) at.i += 1;
      if (!less(nextRequired, nextProvided)) at.j += 1;
    }
    this.backlog = backlog;
    at.time = next;
    if (less(this.peak.value, backlog)) this.peak = { time: next, value: backlog };
  }
}

/** How far a window has been served: the current step of each function, and the time. */
interface Position {
  i: number;
  j: number;
  time: Exact;
}

/**
 * Forwards what arrives as long as there is no backlog, capacity suffices and all numbers are whole, and moves `at`
 * to where that ends. Whatever this loop cannot do is left to the general step. `output`: null where nobody needs it yet.
 */
function forwardWhole(
  required: Steps,
  provided: Capacity,
  remaining: Capacity,
  output: Steps | null,
  at: Position,
  from: number,
): void {
  const { times, rates, length } = provided;
  const { times: leftTimes, rates: leftRates } = remaining;
  const last = required.times.length - 1;
  const end = typeof provided.end === 'number' ? provided.end : -1;
  let { i, j } = at;
  let time = from;
  let count = remaining.length;
  while (i <= last) {
    const rate = required.rates[i]!;
    const stop = stepEnd(required, i);
    if (typeof rate !== 'number' || typeof stop !== 'number') break;
    let left = rates[j]! - rate;
    let next = j + 1 < length ? times[j + 1]! : end;
    if (!(left >= 0) || next < 0) break;
    if (output !== null) pushStep(output.times, output.rates, time, rate);
    if (count === 0 || left !== leftRates[count - 1]) {
      leftTimes[count] = time;
      leftRates[count] = left;
      count += 1;
    }
    // Steps of the capacity that begin within this one. Neighbours differ, so what is left of them does, too.
    while (next < stop) {
      j += 1;
      time = next;
      left = rates[j]! - rate;
      next = j + 1 < length ? times[j + 1]! : end;
      if (!(left >= 0) || next < 0) break;
      leftTimes[count] = time;
      leftRates[count] = left;
      count += 1;
    }
    if (next < stop || !(left >= 0)) break;
    if (next === stop) j += 1;
    time = stop;
    i += 1;
  }
  remaining.length = count;
  at.i = i;
  at.j = j;
  at.time = time;
}

/** What a server sends and what it leaves over. */
export interface Convolution {
  /** `l = r ⊗ p`. */
  readonly output: Steps;
  /** `p − l`. */
  readonly remaining: Steps;
  /** The greatest vertical distance of `r` and `l`, and the earliest time at which it is reached. */
  readonly buffer: Peak;
  /** `r − l` at the end. */
  readonly backlog: Exact;
}

/** Sends `required` by `provided`, which has the same domain: one flow, one link, no carry-over. */
export function convolve(required: Steps, provided: Steps): Convolution {
  const server = new Server();
  const remaining = new Capacity();
  const output = server.serve(required, new Capacity().load(provided), remaining);
  return { output, remaining: remaining.toSteps(), buffer: server.peak, backlog: server.backlog };
}
