// One link: the server and the delay meter against brute force over the definitions.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { DelayMeter, type DelayRule } from './delay-meter.ts';
import { add, compare, divide, type Exact, less, max, min, subtract } from './exact.ts';
import { convolve } from './server.ts';
import {
  addSteps,
  type Cumulative,
  integrate,
  type Steps,
  simplify,
  subtractSteps,
  total,
  valueAt,
} from './steps.ts';

const horizon = 24;

/** Rates that are multiples of 6 at whole times, so that all cumulative values at sixths of a second are whole. */
const steps: fc.Arbitrary<Steps> = fc
  .uniqueArray(fc.integer({ min: 1, max: horizon - 1 }), { maxLength: 8 })
  .chain((times) =>
    fc
      .array(fc.integer({ min: 0, max: 9 }), { minLength: times.length + 1, maxLength: times.length + 1 })
      .map(
        (rates): Steps => ({
          times: [0, ...times.sort((a, b) => a - b)],
          rates: rates.map((rate) => rate * 6),
          end: horizon,
        }),
      ),
  );

/** Cumulative data by adding up, sixth by sixth of a second: no code of the library. */
function tabulate({ times, rates }: Steps): number[] {
  const values = [0];
  for (let sixth = 0; sixth < horizon * 6; sixth += 1) {
    let rate = 0;
    for (const [k, time] of times.entries()) if ((time as number) * 6 <= sixth) rate = rates[k] as number;
    values.push(values[sixth]! + rate / 6);
  }
  return values;
}

/** `min over s ≤ t of r(s) + p(t) − p(s)`, straight from its definition. */
function transmitted(r: readonly number[], p: readonly number[]): number[] {
  return r.map((_, t) => Math.min(...r.slice(0, t + 1).map((value, s) => value + p[t]! - p[s]!)));
}

test('what is sent equals the definition of the convolution, at every sixth of a second', () => {
  fc.assert(
    fc.property(steps, steps, (required, provided) => {
      const { output, remaining, buffer, backlog } = convolve(required, provided);
      const [r, p] = [tabulate(required), tabulate(provided)];
      const l = transmitted(r, p);
      const [sent, left] = [integrate(output), integrate(remaining)];
      for (let sixth = 0; sixth <= horizon * 6; sixth += 1) {
        const time = divide(sixth, 6);
        assert.equal(valueAt(sent, time), l[sixth]);
        assert.equal(valueAt(left, time), p[sixth]! - l[sixth]!);
      }
      // A backlog is greatest where a rate changes, which is at whole seconds.
      const waiting = r.map((value, k) => value - l[k]!);
      const most = Math.max(...waiting);
      assert.equal(buffer.value, most);
      assert.deepEqual(buffer.time, most === 0 ? 0 : divide(waiting.indexOf(most), 6));
      assert.equal(backlog, waiting[waiting.length - 1]);
    }),
    { numRuns: 300 },
  );
});

/** Earliest or latest time at which `data` is at `level`, by scanning; `undefined` when it never gets there. */
function inverse(data: Cumulative, level: Exact, which: 'first' | 'last'): Exact | undefined {
  let found: Exact | undefined;
  for (let k = 1; k < data.times.length; k += 1) {
    const [from, to] = [data.values[k - 1]!, data.values[k]!];
    if (less(level, from) || less(to, level)) continue;
    const [start, end] = [data.times[k - 1]!, data.times[k]!];
    const rise = subtract(to, from);
    const share = compare(rise, 0) === 0 ? (which === 'first' ? 0 : 1) : divide(subtract(level, from), rise);
    const time = add(start, divideProduct(share, subtract(end, start)));
    if (which === 'last' || found === undefined) found = time;
  }
  return found;
}

function divideProduct(share: Exact, span: Exact): Exact {
  return compare(share, 0) === 0 ? 0 : divide(span, divide(1, share));
}

/** Horizontal distance by trying every level at which either function bends, with both one-sided limits. */
function longestDelay(required: Steps, output: Steps, rule: DelayRule): Exact {
  const [r, l] = [integrate(required), integrate(output)];
  const served = l.values[l.values.length - 1]!;
  const asked = r.values[r.values.length - 1]!;
  let longest: Exact = 0;
  for (const level of [...r.values, ...l.values]) {
    const left = inverse(l, level, 'first') ?? required.end;
    longest = max(longest, subtract(left, inverse(r, level, 'first')!));
    if (rule === 'left' || compare(level, asked) === 0) continue;
    const after = less(level, served) ? inverse(l, level, 'last')! : required.end;
    longest = max(longest, subtract(after, inverse(r, level, 'last')!));
  }
  return longest;
}

test('the greatest delay equals brute force over all levels, by either rule, in one window or in many', () => {
  fc.assert(
    fc.property(steps, steps, fc.constantFrom<DelayRule>('sup', 'left'), (given, provided, rule) => {
      const required = simplify(given);
      const { output } = convolve(required, provided);
      const meter = new DelayMeter(rule);
      meter.advance(required, output);
      const peak = meter.peaks(horizon).all;
      assert.deepEqual(peak.value, longestDelay(required, output, rule));
      const inWindows = new DelayMeter(rule);
      for (let from = 0; from < horizon; from += 5) {
        const to = Math.min(horizon, from + 5);
        inWindows.advance(part(required, from, to), part(output, from, to));
      }
      assert.deepEqual(inWindows.peaks(horizon).all, peak);
    }),
    { numRuns: 300 },
  );
});

function part(whole: Steps, from: number, to: number): Steps {
  const times: Exact[] = [];
  const rates: Exact[] = [];
  for (const [k, time] of whole.times.entries()) {
    const end = whole.times[k + 1] ?? whole.end;
    if (!less(from, end) || !less(time, to)) continue;
    times.push(max(time, from));
    rates.push(whole.rates[k]!);
  }
  return { times, rates, end: to };
}

test('nothing is lost or made: what arrives was sent or waits, and capacity was used or is left over', () => {
  fc.assert(
    fc.property(steps, steps, (required, provided) => {
      const { output, remaining, backlog } = convolve(required, provided);
      assert.deepEqual(add(total(output), backlog), total(required));
      assert.deepEqual(addSteps(output, remaining), addSteps(provided, subtractSteps(output, output)));
      assert.ok([...output.rates, ...remaining.rates].every((rate) => compare(rate, 0) >= 0));
    }),
  );
});

test('more capacity never makes the buffer or the delay greater, and more data never makes them smaller', () => {
  const figures = (required: Steps, provided: Steps): [Exact, Exact] => {
    const { output, buffer } = convolve(required, provided);
    const meter = new DelayMeter('sup');
    meter.advance(required, output);
    return [buffer.value, meter.peaks(horizon).all.value];
  };
  fc.assert(
    fc.property(steps, steps, steps, (required, provided, more) => {
      const [buffer, delay] = figures(required, provided);
      const [lessBuffer, lessDelay] = figures(required, addSteps(provided, more));
      assert.ok(!less(buffer, lessBuffer) && !less(delay, lessDelay));
      assert.ok(!less(figures(addSteps(required, more), provided)[0], buffer));
    }),
  );
});

test('flows in order of priority together send what their sum would send, however they are grouped', () => {
  fc.assert(
    fc.property(steps, steps, steps, steps, (a, b, c, provided) => {
      const first = convolve(a, provided);
      const second = convolve(b, first.remaining);
      const third = convolve(c, second.remaining);
      const whole = convolve(addSteps(addSteps(a, b), c), provided);
      const grouped = convolve(addSteps(a, addSteps(b, c)), provided);
      assert.deepEqual(third.remaining, whole.remaining);
      assert.deepEqual(addSteps(addSteps(first.output, second.output), third.output), whole.output);
      assert.deepEqual(grouped, whole);
    }),
  );
});

test('a sender that keeps below its profile in every window never waits longer or fills more than predicted', () => {
  const shares = fc.array(fc.integer({ min: 0, max: 6 }), { minLength: horizon, maxLength: horizon });
  fc.assert(
    fc.property(steps, steps, shares, (required, provided, share) => {
      const { output, buffer } = convolve(required, provided);
      const meter = new DelayMeter('sup');
      meter.advance(required, output);
      const bound = meter.peaks(horizon).all.value;
      // A run, second by second: what is sent at most is chosen at random, the rest is never sent.
      const queue: { second: number; bits: number }[] = [];
      const [r, p] = [tabulate(required), tabulate(provided)];
      for (let second = 0; second < horizon; second += 1) {
        const arrives = ((r[(second + 1) * 6]! - r[second * 6]!) * share[second]!) / 6;
        if (arrives > 0) queue.push({ second, bits: arrives });
        let capacity = p[(second + 1) * 6]! - p[second * 6]!;
        while (queue[0] !== undefined && capacity > 0) {
          const moved = Math.min(capacity, queue[0].bits);
          capacity -= moved;
          queue[0].bits -= moved;
          if (queue[0].bits === 0) queue.shift();
        }
        const waiting = queue.reduce((sum, { bits }) => sum + bits, 0);
        assert.ok(!less(buffer.value, Math.ceil(waiting - 1e-9)));
        // Bits of that second still here at its end have waited at least since the end of their own second.
        if (queue[0] !== undefined) assert.ok(!less(bound, second - queue[0].second));
      }
      assert.ok(!less(min(bound, horizon), 0));
    }),
  );
});
