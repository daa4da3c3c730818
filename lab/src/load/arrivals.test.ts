import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createArrivals, type RateStep } from './arrivals.ts';
import { createRandom } from './random.ts';

function all(steps: readonly RateStep[], durationMs: number, seed: number): number[] {
  const arrivals = createArrivals(steps, durationMs, createRandom(seed));
  const times: number[] = [];
  for (let at = arrivals.next(); at !== undefined; at = arrivals.next()) times.push(at);
  return times;
}

test('arrivals are in order, within the load, never in a pause, and equal for equal seeds', () => {
  const stepsArbitrary = fc
    .array(fc.tuple(fc.integer({ min: 1, max: 900 }), fc.integer({ min: 0, max: 400 })), {
      minLength: 1,
      maxLength: 6,
    })
    .map((pairs) => {
      let atMs = 0;
      return pairs.map(([lengthMs, ratePerSecond]) => {
        const step = { atMs, ratePerSecond };
        atMs += lengthMs;
        return step;
      });
    });
  fc.assert(
    fc.property(
      stepsArbitrary,
      fc.integer(),
      fc.integer({ min: 1, max: 3_000 }),
      (steps, seed, durationMs) => {
        const times = all(steps, durationMs, seed);
        assert.deepEqual(times, all(steps, durationMs, seed));
        times.forEach((at, i) => {
          assert.ok(at >= (times[i - 1] ?? 0) && at <= durationMs);
          const step = steps.filter(({ atMs }) => atMs < at).at(-1);
          assert.ok(step === undefined || step.ratePerSecond > 0, 'a request in a pause');
        });
      },
    ),
  );
});

test('gaps are exponential: their mean and standard deviation are both one over the rate', () => {
  const times = all([{ atMs: 0, ratePerSecond: 1_000 }], 100_000, 7);
  const gaps = times.map((at, i) => at - (times[i - 1] ?? 0));
  const mean = gaps.reduce((sum, gap) => sum + gap, 0) / gaps.length;
  const variance = gaps.reduce((sum, gap) => sum + (gap - mean) ** 2, 0) / gaps.length;
  assert.ok(Math.abs(mean - 1) < 0.02, `mean ${mean}`);
  assert.ok(Math.abs(Math.sqrt(variance) - 1) < 0.02, `standard deviation ${Math.sqrt(variance)}`);
});

test('a step changes the rate at its instant', () => {
  const steps = [
    { atMs: 0, ratePerSecond: 1_500 },
    { atMs: 20_000, ratePerSecond: 3_000 },
    { atMs: 40_000, ratePerSecond: 1_500 },
  ];
  const times = all(steps, 60_000, 3);
  const count = (from: number, to: number): number => times.filter((at) => at >= from && at < to).length;
  assert.ok(Math.abs(count(0, 20_000) / 30_000 - 1) < 0.03);
  assert.ok(Math.abs(count(20_000, 40_000) / 60_000 - 1) < 0.03);
  assert.ok(Math.abs(count(40_000, 60_000) / 30_000 - 1) < 0.03);
});
