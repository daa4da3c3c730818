import assert from 'node:assert/strict';
import { test } from 'node:test';
import { slowhttptestPlan } from './slowhttptest-plan.ts';

test('a steady phase is one run that opens rate times duration and holds to the end', () => {
  const runs = slowhttptestPlan(
    [
      { shape: 'steady', rate: 20, durationMs: 5000 },
      { shape: 'steady', rate: 0, durationMs: 30_000 },
    ],
    60_000,
  );
  assert.deepEqual(runs, [{ startMs: 0, connections: 100, ratePerSecond: 20, lengthSeconds: 35 }]);
});

test('a ramp is climbed in steps whose connections add up to the area under it', () => {
  const runs = slowhttptestPlan([{ shape: 'ramp', fromRate: 0, toRate: 40, durationMs: 16_000 }], 60_000);
  assert.equal(runs.length, 8);
  assert.equal(
    runs.reduce((sum, run) => sum + run.connections, 0),
    320,
  );
  const rates = runs.map((run) => run.ratePerSecond);
  assert.deepEqual(
    rates,
    rates.toSorted((a, b) => a - b),
  );
  assert.ok(runs.every((run) => run.startMs + run.lengthSeconds * 1000 >= 16_000));
});

test('no more connections are opened than allowed', () => {
  const runs = slowhttptestPlan([{ shape: 'steady', rate: 100, durationMs: 10_000 }], 250);
  assert.equal(
    runs.reduce((sum, run) => sum + run.connections, 0),
    250,
  );
});

test('a rate below one a second still opens its connections', () => {
  const runs = slowhttptestPlan([{ shape: 'steady', rate: 0.5, durationMs: 10_000 }], 250);
  assert.deepEqual(runs, [{ startMs: 0, connections: 5, ratePerSecond: 1, lengthSeconds: 10 }]);
});
