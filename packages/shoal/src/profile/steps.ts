import { add, divide, type Exact, equal, less, modulo, multiply, subtract } from './exact.ts';

/**
 * A piecewise-constant function: `rates[i]` holds from `times[i]` up to `times[i + 1]`, the last one up to `end`.
 * `times` is strictly increasing, never empty, and ends before `end`.
 */
export interface Steps {
  readonly times: Exact[];
  readonly rates: Exact[];
  readonly end: Exact;
}

/** A piecewise-linear function through the points `(times[i], values[i])`. `times` is strictly increasing. */
export interface Cumulative {
  readonly times: Exact[];
  readonly values: Exact[];
}

/** Appends a step unless it continues the last one. */
export function pushStep(times: Exact[], rates: Exact[], time: Exact, rate: Exact): void {
  const last = rates.length - 1;
  if (last >= 0 && equal(rates[last]!, rate)) return;
  times.push(time);
  rates.push(rate);
}

/** The end of step `index`. */
export function stepEnd(steps: Steps, index: number): Exact {
  return index + 1 < steps.times.length ? steps.times[index + 1]! : steps.end;
}

/** Joins adjoining steps of the same rate. */
export function simplify(steps: Steps): Steps {
  const times: Exact[] = [];
  const rates: Exact[] = [];
  for (let i = 0; i < steps.times.length; i += 1) pushStep(times, rates, steps.times[i]!, steps.rates[i]!);
  return { times, rates, end: steps.end };
}

/** Combines two functions of the same domain pointwise. */
export function combine(a: Steps, b: Steps, operation: (x: Exact, y: Exact) => Exact): Steps {
  const times: Exact[] = [];
  const rates: Exact[] = [];
  let [i, j] = [0, 0];
  let time = a.times[0]!;
  while (less(time, a.end)) {
    pushStep(times, rates, time, operation(a.rates[i]!, b.rates[j]!));
    const nextA = stepEnd(a, i);
    const nextB = stepEnd(b, j);
    if (!less(nextB, nextA)) i += 1;
    if (!less(nextA, nextB)) j += 1;
    time = less(nextB, nextA) ? nextB : nextA;
  }
  return { times, rates, end: a.end };
}

/** Pointwise sum; both must have the same domain. */
export function addSteps(a: Steps, b: Steps): Steps {
  return combine(a, b, add);
}

/** Pointwise difference `a − b`; both must have the same domain. */
export function subtractSteps(a: Steps, b: Steps): Steps {
  return combine(a, b, subtract);
}

/** `steps`, which starts at 0, `count` times one after the other. */
export function repeatSteps(steps: Steps, count: number): Steps {
  return window(steps, 0, multiply(steps.end, count));
}

/**
 * The part from `from` up to `to` of `period`, which starts at 0, repeated for ever. Nothing is unrolled that is not
 * asked for.
 */
export function window(period: Steps, from: Exact, to: Exact): Steps {
  const times: Exact[] = [];
  const rates: Exact[] = [];
  const offset = modulo(from, period.end);
  let base = subtract(from, offset);
  let index = stepAt(period, offset);
  let time = from;
  while (less(time, to)) {
    pushStep(times, rates, time, period.rates[index]!);
    index += 1;
    if (index === period.times.length) {
      index = 0;
      base = add(base, period.end);
    }
    time = add(base, period.times[index]!);
  }
  return { times, rates, end: to };
}

/** Index of the step that holds at `time`. */
function stepAt(steps: Steps, time: Exact): number {
  let low = 0;
  let high = steps.times.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (less(time, steps.times[middle]!)) high = middle - 1;
    else low = middle;
  }
  return low;
}

/** Cumulative data of a rate: 0 at the start of its domain. */
export function integrate(steps: Steps): Cumulative {
  const times: Exact[] = [steps.times[0]!];
  const values: Exact[] = [0];
  let value: Exact = 0;
  for (let i = 0; i < steps.times.length; i += 1) {
    const end = stepEnd(steps, i);
    value = add(value, multiply(steps.rates[i]!, subtract(end, steps.times[i]!)));
    times.push(end);
    values.push(value);
  }
  return { times, values };
}

/** The rate of cumulative data: the inverse of {@link integrate}. */
export function differentiate(data: Cumulative): Steps {
  const times: Exact[] = [];
  const rates: Exact[] = [];
  for (let i = 0; i + 1 < data.times.length; i += 1) {
    const rise = subtract(data.values[i + 1]!, data.values[i]!);
    pushStep(times, rates, data.times[i]!, divide(rise, subtract(data.times[i + 1]!, data.times[i]!)));
  }
  return { times, rates, end: data.times[data.times.length - 1]! };
}

/** Data over the whole domain. */
export function total(steps: Steps): Exact {
  let sum: Exact = 0;
  for (let i = 0; i < steps.times.length; i += 1) {
    sum = add(sum, multiply(steps.rates[i]!, subtract(stepEnd(steps, i), steps.times[i]!)));
  }
  return sum;
}

/** The value of a piecewise-linear function at `time`, which lies in its domain. */
export function valueAt(data: Cumulative, time: Exact): Exact {
  let low = 0;
  let high = data.times.length - 2;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (less(time, data.times[middle]!)) high = middle - 1;
    else low = middle;
  }
  const [start, end] = [data.times[low]!, data.times[low + 1]!];
  const [from, to] = [data.values[low]!, data.values[low + 1]!];
  const share = divide(subtract(time, start), subtract(end, start));
  return add(from, multiply(share, subtract(to, from)));
}

/** Puts `next`, which begins where `first` ends, behind it. */
export function concatenate(first: Steps, next: Steps): Steps {
  const times = [...first.times];
  const rates = [...first.rates];
  for (let i = 0; i < next.times.length; i += 1) pushStep(times, rates, next.times[i]!, next.rates[i]!);
  return { times, rates, end: next.end };
}
