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

  /** Serves one window; both functions cover exactly the same window, which continues the last one. */
  serve(required: Steps, provided: Steps): { output: Steps; remaining: Steps } {
    const output: Steps = { times: [], rates: [], end: required.end };
    const remaining: Steps = { times: [], rates: [], end: required.end };
    const end = required.end;
    let time = required.times[0]!;
    let [i, j] = [0, 0];
    while (less(time, end)) {
      if (this.backlog === 0) {
        [i, j, time] = forwardIdle(required, provided, i, j, time, output, remaining);
        if (!less(time, end)) break;
      }
      const nextRequired = stepEnd(required, i);
      const nextProvided = stepEnd(provided, j);
      let next = less(nextProvided, nextRequired) ? nextProvided : nextRequired;
      const capacity = provided.rates[j]!;
      const growth = subtract(required.rates[i]!, capacity);
      pushStep(output.times, output.rates, time, capacity);
      pushStep(remaining.times, remaining.rates, time, 0);
      const span = subtract(next, time);
      let backlog = add(this.backlog, multiply(growth, span));
      if (sign(backlog) < 0) {
        // The backlog ends inside of this step.
        next = add(time, divide(this.backlog, subtract(0, growth)));
        backlog = 0;
      } else {
        if (!less(nextProvided, nextRequired)) i += 1;
        if (!less(nextRequired, nextProvided)) j += 1;
      }
      this.backlog = backlog;
      time = next;
      if (less(this.peak.value, backlog)) this.peak = { time, value: backlog };
    }
    return { output, remaining };
  }
}

/**
 * Forwards what arrives as long as there is no backlog and capacity suffices. Returns the step indices and the time
 * at which a backlog begins, or the end of the window. This loop is where a large analysis spends its time.
 */
function forwardIdle(
  required: Steps,
  provided: Steps,
  fromRequired: number,
  fromProvided: number,
  from: Exact,
  output: Steps,
  remaining: Steps,
): [number, number, Exact] {
  const { times: providedTimes, rates: providedRates } = provided;
  const { times: remainingTimes, rates: remainingRates } = remaining;
  const lastProvided = providedTimes.length - 1;
  const lastRequired = required.times.length - 1;
  let i = fromRequired;
  let j = fromProvided;
  let time = from;
  while (i <= lastRequired) {
    const rate = required.rates[i]!;
    const stop = i < lastRequired ? required.times[i + 1]! : required.end;
    let first = true;
    for (;;) {
      const capacity = providedRates[j]!;
      if (less(capacity, rate)) return [i, j, time];
      if (first) {
        pushStep(output.times, output.rates, time, rate);
        first = false;
      }
      pushStep(remainingTimes, remainingRates, time, subtract(capacity, rate));
      const next = j < lastProvided ? providedTimes[j + 1]! : provided.end;
      if (less(stop, next)) break;
      j += 1;
      time = next;
      if (!less(next, stop)) break;
    }
    time = stop;
    i += 1;
  }
  return [i, j, time];
}
