import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { analyze } from './analyze.ts';
import { divide, type Exact, less, max, min, modulo, sign, subtract } from './exact.ts';
import {
  arrivalCurve,
  calculusBounds,
  calculusMaxBreakPoints,
  hopBounds,
  serviceCurve,
} from './network-calculus.ts';
import { createProfile, ratesOf, type TrafficProfile } from './profile.ts';
import { integrate, repeatSteps, type Steps, valueAt, window } from './steps.ts';
import {
  everySecond,
  exampleProvided,
  networkOf,
  overloadedProvided,
  rowsOf,
  singleLink,
} from './test-support/example-systems.ts';

const period = 12;
const rows = fc
  .uniqueArray(fc.integer({ min: 1, max: period - 1 }), { maxLength: 5 })
  .chain((times) =>
    fc
      .array(fc.integer({ min: 0, max: 9 }), { minLength: times.length + 1, maxLength: times.length + 1 })
      .map((rates) =>
        [0, ...times.sort((a, b) => a - b)].map((time, k): [number, number] => [time, rates[k]!]),
      ),
  );
const stepsOf = (list: readonly (readonly [number, number])[]): Steps => ({
  times: list.map(([time]) => time),
  rates: list.map(([, rate]) => rate),
  end: period,
});

test('the curves equal the extreme over windows that begin anywhere, tried at every half second', () => {
  fc.assert(
    fc.property(rows, (list) => {
      const steps = stepsOf(list);
      const data = integrate(repeatSteps(steps, 2));
      const [arrival, service] = [arrivalCurve(steps), serviceCurve(steps)];
      for (let half = 0; half <= 2 * period; half += 1) {
        const size = divide(half, 2);
        let [most, least]: [Exact | undefined, Exact | undefined] = [undefined, undefined];
        // Of windows of half-second sizes an extreme one begins or ends at a break point: on a half second.
        for (let from = 0; from < 2 * period; from += 1) {
          const start = divide(from, 2);
          const amount = subtract(valueAt(data, divide(from + half, 2)), valueAt(data, start));
          most = most === undefined ? amount : max(most, amount);
          least = least === undefined ? amount : min(least, amount);
        }
        assert.deepEqual(valueAt(arrival, size), most);
        assert.deepEqual(valueAt(service, size), least);
      }
    }),
    { numRuns: 60 },
  );
});

test('wherever the periods of sender and link begin, the exact buffer and delay stay within the bounds', () => {
  const shifted = (list: readonly (readonly [number, number])[], shift: number): [number, number][] => {
    const moved = list.map(([time, rate]): [number, number] => [
      modulo(time + shift, period) as number,
      rate,
    ]);
    moved.sort(([a], [b]) => a - b);
    const last = moved[moved.length - 1]!;
    return moved[0]![0] === 0 ? moved : [[0, last[1]], ...moved];
  };
  fc.assert(
    fc.property(rows, rows, fc.integer({ min: 0, max: period - 1 }), (sent, carried, shift) => {
      const system = (phase: number) =>
        analyze(
          {
            profiles: [
              createProfile({ kind: 'required', node: 'a', periodSeconds: period, rows: rowsOf(sent) }),
              createProfile({
                kind: 'provided',
                node: 'a',
                periodSeconds: period,
                rows: rowsOf(shifted(carried, phase)),
              }),
            ],
          },
          { periods: 3, curves: true },
        );
      const bounds = hopBounds(system(0).flows[0]!.hops[0]!, period);
      const direct = calculusBounds(arrivalCurve(stepsOf(sent)), serviceCurve(stepsOf(carried)));
      assert.deepEqual(bounds, direct);
      const result = system(shift);
      assert.equal(bounds === undefined, !result.stable);
      if (bounds === undefined) return;
      const hop = result.flows[0]!.hops[0]!;
      assert.ok(!less(bounds.buffer.value, hop.buffer.bits), 'buffer');
      assert.ok(!less(bounds.delay.value, hop.delay.seconds), 'delay');
    }),
    { numRuns: 200 },
  );
});

test('behind another link and beside another flow the bounds hold as well, in the first hyperperiods too', () => {
  let first = 0;
  fc.assert(
    fc.property(
      fc.tuple(rows, rows, rows, rows),
      fc.integer({ min: 0, max: 30 }),
      ([one, two, near, far], latency) => {
        const profile = (
          kind: 'required' | 'provided',
          node: string,
          list: typeof one,
          priority = 0,
          seconds = 0,
        ) =>
          createProfile({
            kind,
            node,
            priority,
            flow: `f${priority}`,
            periodSeconds: period,
            rows: list.map(([timeSeconds, meanBitsPerSecond]) => ({
              timeSeconds,
              meanBitsPerSecond,
              latencySeconds: seconds,
            })),
          });
        const sink = (node: string, flow: string): TrafficProfile =>
          createProfile({ kind: 'receiver', node, flow, periodSeconds: period, rows: rowsOf([[0, 4]]) });
        const profiles = [
          profile('required', 'a', one),
          profile('required', 'b', two, 1),
          profile('provided', 'a', near, 0, latency),
          profile('provided', 'b', far),
          sink('c', 'f0'),
          sink('d', 'f1'),
        ];
        const network = networkOf([
          ['a', 'b', 'c'],
          ['b', 'd'],
        ]);
        const result = analyze({ profiles, network }, { untilSettled: true, curves: true });
        for (const hop of result.flows.flatMap(({ hops }) => hops)) {
          const bounds = hopBounds(hop, period);
          if (sign(hop.growthBitsPerHyperperiod) > 0) assert.equal(bounds, undefined);
          if (bounds === undefined) continue;
          assert.ok(!less(bounds.buffer.value, hop.buffer.bits), 'buffer');
          assert.ok(!less(bounds.delay.value, hop.delay.seconds), 'delay');
          const { required, provided } = hop.curves!;
          const last = (steps: Steps): Steps => {
            const start = subtract(steps.end, period);
            const part = window(steps, start, steps.end);
            return { times: part.times.map((time) => subtract(time, start)), rates: part.rates, end: period };
          };
          const settled = calculusBounds(arrivalCurve(last(required)), serviceCurve(last(provided)));
          if (settled !== undefined && less(settled.buffer.value, hop.buffer.bits)) first += 1;
        }
      },
    ),
    { numRuns: 300 },
  );
  assert.ok(first > 0, 'some system needs more at its beginning than any window of a later hyperperiod says');
});

test('an overloaded link has no bound', () => {
  const { flows } = analyze({ profiles: singleLink(overloadedProvided) }, { curves: true });
  assert.equal(hopBounds(flows[0]!.hops[0]!, 10), undefined);
});

test('a result without curves, or with too many break points, is refused with a reason', () => {
  const { flows } = analyze({ profiles: singleLink(exampleProvided) });
  assert.throws(() => hopBounds(flows[0]!.hops[0]!, 10), /needs an analysis with `curves: true`/);
  const many = Array.from({ length: calculusMaxBreakPoints + 1 }, (_, k): [number, number] => [k, k % 2]);
  const busy = createProfile({ kind: 'required', periodSeconds: many.length, rows: rowsOf(many) });
  assert.throws(() => arrivalCurve(ratesOf(busy)), /1001 break points in a period are too many/);
  assert.ok(arrivalCurve(ratesOf(everySecond([1, 2], {}))).times.length > 1);
});
