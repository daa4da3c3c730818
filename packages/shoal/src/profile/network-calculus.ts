import {
  add,
  compare,
  divide,
  type Exact,
  equal,
  less,
  multiply,
  sign,
  subtract,
  toNumber,
} from './exact.ts';
import type { HopResult } from './result.ts';
import type { Peak } from './server.ts';
import {
  type Cumulative,
  concatenate,
  integrate,
  repeatSteps,
  type Steps,
  total,
  valueAt,
  window,
} from './steps.ts';

/** Bounds by window size, not by time: they hold wherever the periods of sender and link begin. */
export interface CalculusBounds {
  /** The greatest distance of arrival over service curve, in bits, and its window size. */
  readonly buffer: Peak;
  /** The greatest delay, in seconds, and the window size at which it is reached. */
  readonly delay: Peak;
}

/** Most break points in a period of a function whose curve is made: the curve has up to their square. */
export const calculusMaxBreakPoints = 1_000;

/**
 * The maximum arrival curve of a rate that repeats: `α(Δ) = sup over t of R(t + Δ) − R(t)`, for Δ up to one period,
 * with windows wrapped over the end of the period, so that it bounds every window there is. Exact.
 * Throws a RangeError for more than {@link calculusMaxBreakPoints} break points.
 */
export function arrivalCurve(period: Steps): Cumulative {
  return windowCurve(period, 1);
}

/** The minimum service curve of a rate that repeats: `β(Δ) = inf over t of P(t + Δ) − P(t)`. As {@link arrivalCurve}. */
export function serviceCurve(period: Steps): Cumulative {
  return windowCurve(period, -1);
}

/**
 * `direction` 1 takes the greatest amount, −1 the least. The extreme window of a size begins or ends at a break
 * point; each break point gives one function of the size by beginning there and one by ending there.
 */
function windowCurve(period: Steps, direction: 1 | -1): Cumulative {
  checkBreakPoints(period);
  const twice = integrate(repeatSteps(period, 2));
  const length = period.end;
  const candidates: Cumulative[] = [];
  for (const anchor of period.times) {
    candidates.push(growth(twice, anchor, length, 1), growth(twice, add(anchor, length), length, -1));
  }
  return envelopeOf(candidates, direction);
}

/**
 * As {@link windowCurve}, over windows that begin anywhere in a function that repeats its last `period` from its end
 * on; for sizes up to its length, which is a multiple of the period.
 */
function beginningCurve(beginning: Steps, period: Exact, direction: 1 | -1): Cumulative {
  checkBreakPoints(beginning);
  const length = beginning.end;
  const whole = continued(beginning, period, multiply(length, 2));
  const data = integrate(whole);
  const candidates = whole.times
    .filter((time) => less(time, length))
    .map((anchor) => growth(data, anchor, length, 1));
  for (const anchor of whole.times) {
    if (!less(anchor, length)) candidates.push(growth(data, anchor, length, -1));
    else if (sign(anchor) > 0) {
      // Larger windows that end here would begin before time 0: those that begin there stand in for them.
      const ending = growth(data, anchor, anchor, -1);
      const rest = growth(data, 0, length, 1);
      const longer = rest.times.flatMap((time, k) => (less(anchor, time) ? [k] : []));
      candidates.push({
        times: [...ending.times, ...longer.map((k) => rest.times[k]!)],
        values: [...ending.values, ...longer.map((k) => rest.values[k]!)],
      });
    }
  }
  return envelopeOf(candidates, direction);
}

function checkBreakPoints({ times }: Steps): void {
  if (times.length <= calculusMaxBreakPoints) return;
  throw new RangeError(
    `${times.length} break points in a period are too many for network calculus (at most ${calculusMaxBreakPoints}): use shorter or equal periods`,
  );
}

function envelopeOf(functions: readonly Cumulative[], direction: 1 | -1): Cumulative {
  let candidates = [...functions];
  while (candidates.length > 1) {
    const merged: Cumulative[] = [];
    for (let k = 0; k < candidates.length; k += 2) {
      const other = candidates[k + 1];
      merged.push(other === undefined ? candidates[k]! : envelope(candidates[k]!, other, direction));
    }
    candidates = merged;
  }
  return candidates[0]!;
}

/** The amount from `anchor` on (`step` 1) or up to it (`step` −1), as a function of the window size. */
function growth(data: Cumulative, anchor: Exact, length: Exact, step: 1 | -1): Cumulative {
  const base = valueAt(data, anchor);
  const from = step === 1 ? anchor : subtract(anchor, length);
  const to = add(from, length);
  const points: [Exact, Exact][] = [[from, valueAt(data, from)]];
  for (let k = 0; k < data.times.length; k += 1) {
    if (less(from, data.times[k]!) && less(data.times[k]!, to))
      points.push([data.times[k]!, data.values[k]!]);
  }
  points.push([to, valueAt(data, to)]);
  if (step === -1) points.reverse();
  return {
    times: points.map(([time]) => (step === 1 ? subtract(time, anchor) : subtract(anchor, time))),
    values: points.map(([, value]) => (step === 1 ? subtract(value, base) : subtract(base, value))),
  };
}

/** The greater (`direction` 1) or the lesser (−1) of two piecewise-linear functions of one domain. */
function envelope(a: Cumulative, b: Cumulative, direction: 1 | -1): Cumulative {
  const times: Exact[] = [];
  const values: Exact[] = [];
  const [first, second] = refine(a, b);
  let before: Exact = 0;
  for (let k = 0; k < first.times.length; k += 1) {
    const [x, y] = [first.values[k]!, second.values[k]!];
    const difference = subtract(x, y);
    const time = first.times[k]!;
    if (k > 0 && sign(before) * sign(difference) < 0) {
      const last = first.times[k - 1]!;
      const share = divide(before, subtract(before, difference));
      const crossing = add(last, multiply(share, subtract(time, last)));
      const rise = multiply(share, subtract(x, first.values[k - 1]!));
      pushPoint(times, values, crossing, add(first.values[k - 1]!, rise));
    }
    pushPoint(times, values, time, sign(difference) * direction > 0 ? x : y);
    before = difference;
  }
  return { times, values };
}

/** Appends a point and drops the one before it when it lies on the line through its neighbours. */
function pushPoint(times: Exact[], values: Exact[], time: Exact, value: Exact): void {
  const last = times.length - 1;
  if (last >= 1) {
    const left = multiply(subtract(values[last]!, values[last - 1]!), subtract(time, times[last]!));
    const right = multiply(subtract(value, values[last]!), subtract(times[last]!, times[last - 1]!));
    if (equal(left, right)) {
      times.pop();
      values.pop();
    }
  }
  times.push(time);
  values.push(value);
}

/** Both functions at the break points of either. */
function refine(a: Cumulative, b: Cumulative): [Cumulative, Cumulative] {
  const times: Exact[] = [];
  const first: Exact[] = [];
  const second: Exact[] = [];
  let [i, j] = [0, 0];
  while (i < a.times.length && j < b.times.length) {
    const order = compare(a.times[i]!, b.times[j]!);
    const time = order <= 0 ? a.times[i]! : b.times[j]!;
    times.push(time);
    first.push(order <= 0 ? a.values[i]! : between(a, i, time));
    second.push(order >= 0 ? b.values[j]! : between(b, j, time));
    if (order <= 0) i += 1;
    if (order >= 0) j += 1;
  }
  return [
    { times, values: first },
    { times, values: second },
  ];
}

/** The value at a time between points `index − 1` and `index`. */
function between(data: Cumulative, index: number, time: Exact): Exact {
  const [start, end] = [data.times[index - 1]!, data.times[index]!];
  const [from, to] = [data.values[index - 1]!, data.values[index]!];
  return add(from, multiply(divide(subtract(time, start), subtract(end, start)), subtract(to, from)));
}

/**
 * Backlog and delay bounds of network calculus: the greatest vertical and horizontal distance of an arrival curve
 * above a service curve, both over window sizes up to the same hyperperiod. Longer windows need not be looked at as
 * long as no more arrives in a hyperperiod than can be served; else there is no bound, and the result is `undefined`.
 */
export function calculusBounds(arrival: Cumulative, service: Cumulative): CalculusBounds | undefined {
  const [asked, served] = [arrival, service].map((curve) => curve.values[curve.values.length - 1]!);
  if (less(served!, asked!)) return undefined;
  return distances(arrival, service);
}

/** The greatest distances, for a service curve that reaches every level of the arrival curve. */
function distances(arrival: Cumulative, service: Cumulative): CalculusBounds {
  const [alpha, beta] = refine(arrival, service);
  let buffer: Peak = { time: 0, value: 0 };
  for (let k = 0; k < alpha.times.length; k += 1) {
    const distance = subtract(alpha.values[k]!, beta.values[k]!);
    if (less(buffer.value, distance)) buffer = { time: alpha.times[k]!, value: distance };
  }
  return { buffer, delay: horizontalDistance(arrival, service) };
}

/** `sup over y of β⁻¹(y) − α⁻¹(y)`; β reaches every level of α within the hyperperiod. */
function horizontalDistance(arrival: Cumulative, service: Cumulative): Peak {
  const highest = arrival.values[arrival.values.length - 1]!;
  let peak: Peak = { time: 0, value: 0 };
  const consider = (arrived: Exact, served: Exact): void => {
    const delay = subtract(served, arrived);
    if (less(peak.value, delay)) peak = { time: arrived, value: delay };
  };
  // Between the levels of both curves' points everything is linear, so the ends of those pieces are enough; where a
  // curve is flat, the data just above it is what waits longest.
  const levels = [...arrival.values, ...service.values]
    .filter((level) => !less(highest, level))
    .sort(compare);
  let previous: Exact | undefined;
  for (const level of levels) {
    if (previous !== undefined && equal(previous, level)) continue;
    previous = level;
    consider(reach(arrival, level, 'first'), reach(service, level, 'first'));
    if (less(level, highest)) consider(reach(arrival, level, 'last'), reach(service, level, 'last'));
  }
  return peak;
}

/** The first time at which data reaches `level`, or the last time at which it is not above it. */
function reach(data: Cumulative, level: Exact, which: 'first' | 'last'): Exact {
  // The first point at the level or above it ('first'), or above it ('last').
  let [low, high] = [0, data.times.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    const order = compare(data.values[middle]!, level);
    if (order < 0 || (which === 'last' && order === 0)) low = middle + 1;
    else high = middle;
  }
  if (low === data.times.length) return data.times[low - 1]!;
  const value = data.values[low]!;
  if (low === 0 || (which === 'first' && equal(value, level))) return data.times[low]!;
  const share = divide(subtract(level, data.values[low - 1]!), subtract(value, data.values[low - 1]!));
  return add(data.times[low - 1]!, multiply(share, subtract(data.times[low]!, data.times[low - 1]!)));
}

/**
 * Curves as the published tool makes them, for comparison: window sizes are the break points of the profile, windows
 * begin at whole multiples of `step` seconds and do not wrap over the end of the horizon, so that a bound read from
 * them can be exceeded.
 */
export function documentedCurve(horizon: Steps, extreme: 'max' | 'min', step: Exact = 1): Cumulative {
  const data = integrate(horizon);
  const values: Exact[] = [];
  for (const size of data.times) {
    let best: Exact | undefined;
    for (let to = size; !less(horizon.end, to); to = add(to, step)) {
      const amount = subtract(valueAt(data, to), valueAt(data, subtract(to, size)));
      if (best === undefined || (extreme === 'max' ? less(best, amount) : less(amount, best))) best = amount;
    }
    values.push(best!);
  }
  return { times: data.times, values };
}

/**
 * Bounds for one hop of an analysis with curves that has settled: they hold wherever in time the bits arrive, in the
 * hyperperiods before the system settled as well as in all later ones, and wherever the periods of what arrives and
 * of the capacity begin against each other. `undefined` when the backlog grows without bound, or waits for ever.
 *
 * Throws a RangeError when the result has no curves or a function has too many break points.
 */
export function hopBounds(hop: HopResult, hyperperiodSeconds: Exact): CalculusBounds | undefined {
  if (hop.curves === undefined)
    throw new RangeError('network calculus needs an analysis with `curves: true`');
  if (sign(hop.growthBitsPerHyperperiod) > 0) return undefined;
  const { required, provided } = hop.curves;
  const settling = settlingTime([required, provided], hyperperiodSeconds);
  if (settling === 0) {
    return calculusBounds(
      arrivalCurve(lastPeriod(required, hyperperiodSeconds)),
      serviceCurve(lastPeriod(provided, hyperperiodSeconds)),
    );
  }
  // Behind the beginning and one hyperperiod more, no window adds to the distance: its last hyperperiod brings no
  // more than is served in it.
  const length = add(settling, hyperperiodSeconds);
  const arrival = beginningCurve(part(required, 0, length), hyperperiodSeconds, 1);
  const mostArriving = arrival.values[arrival.values.length - 1]!;
  const servesForEver = sign(total(lastPeriod(provided, hyperperiodSeconds))) > 0;
  for (let size = length; ; size = multiply(size, 2)) {
    const service = beginningCurve(continued(provided, hyperperiodSeconds, size), hyperperiodSeconds, -1);
    if (!less(service.values[service.values.length - 1]!, mostArriving)) return distances(arrival, service);
    if (!servesForEver) return undefined;
  }
}

/** The time, in whole periods, from which on all functions repeat what they do in their last period. */
function settlingTime(functions: readonly Steps[], period: Exact): Exact {
  const end = functions[0]!.end;
  const last = functions.map((steps) => lastPeriod(steps, period));
  let settled = subtract(end, period);
  while (sign(settled) > 0) {
    const from = subtract(settled, period);
    const isLikeLast = functions.every((steps, k) => sameSteps(part(steps, from, settled), last[k]!));
    if (!isLikeLast) break;
    settled = from;
  }
  return settled;
}

function sameSteps(a: Steps, b: Steps): boolean {
  const same = (x: readonly Exact[], y: readonly Exact[]): boolean =>
    x.length === y.length && x.every((value, k) => equal(value, y[k]!));
  return same(a.times, b.times) && same(a.rates, b.rates);
}

/** A function up to `length`, a multiple of `period`, repeating its last period where it ends before. */
function continued(steps: Steps, period: Exact, length: Exact): Steps {
  if (!less(steps.end, length)) return part(steps, 0, length);
  const repeated = repeatSteps(
    lastPeriod(steps, period),
    toNumber(divide(subtract(length, steps.end), period)),
  );
  const times = repeated.times.map((time) => add(time, steps.end));
  return concatenate(steps, { times, rates: repeated.rates, end: length });
}

/** The part of a function from `from` up to `to`, moved to start at 0. */
function part(steps: Steps, from: Exact, to: Exact): Steps {
  const { times, rates } = window(steps, from, to);
  return { times: times.map((time) => subtract(time, from)), rates, end: subtract(to, from) };
}

/** The last `length` of a function, moved to start at 0. */
function lastPeriod(steps: Steps, length: Exact): Steps {
  return part(steps, subtract(steps.end, length), steps.end);
}
