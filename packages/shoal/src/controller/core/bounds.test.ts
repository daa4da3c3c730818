import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { defaultPolicy } from '../../model/index.ts';
import { Budget } from './budget.ts';
import { decisionsMax, stepsMax } from './constants.ts';
import { DecisionLog } from './decision-log.ts';
import { bucketOf, countBetween, quantileBetween, squaredVariation } from './histogram.ts';

test('in no minute are there more decisions than the budget, nor more of one type than its share', () => {
  const policy = { ...defaultPolicy, decisionsPerMinuteMax: 10 };
  fc.assert(
    fc.property(
      fc.array(
        fc.record({ msu: fc.constantFrom('a', 'b', 'c'), gapMs: fc.integer({ min: 0, max: 9_000 }) }),
        {
          maxLength: 200,
        },
      ),
      (asked) => {
        const budget = new Budget(policy);
        const taken: { msu: string; atMs: number }[] = [];
        let nowMs = 0;
        for (const { msu, gapMs } of asked) {
          nowMs += gapMs;
          if (budget.refusal(msu, nowMs) !== '') continue;
          budget.take(msu, nowMs);
          taken.push({ msu, atMs: nowMs });
          const minute = taken.filter(({ atMs }) => nowMs - atMs < 60_000);
          assert.ok(minute.length <= 10);
          assert.ok(minute.filter((other) => other.msu === msu).length <= 5);
        }
      },
    ),
  );
  assert.equal(new Budget({ ...policy, clonesMax: 0 }).clonesLeft(1_000), Number.POSITIVE_INFINITY);
  assert.equal(new Budget({ ...policy, clonesMax: 5 }).clonesLeft(7), 0);
});

test('the log keeps the newest decisions and steps, whatever is written', () => {
  const log = new DecisionLog(1);
  for (let i = 1; i <= decisionsMax + 50; i++) {
    const id = log.open({ operator: 'clone', msu: 'work', cause: { kind: 'person' } }, i);
    assert.equal(id, i);
  }
  assert.equal(log.list().length, decisionsMax);
  assert.equal(log.dropped, 50);
  assert.equal(log.get(50), undefined);
  assert.equal(log.get(51)?.id, 51);
  log.close(7, 'done', 'too late to matter', 0);
  for (let i = 0; i < stepsMax + 10; i++) log.step(decisionsMax, `step ${i}`, i);
  assert.equal(log.get(decisionsMax)?.steps.length, stepsMax);
  const copy = log.list();
  log.close(decisionsMax, 'done', '', 1);
  assert.equal(
    copy.find(({ id }) => id === decisionsMax)?.outcome,
    'running',
    'what was given out does not change',
  );
});

test('quantiles of a histogram are within half a bucket of the values', () => {
  fc.assert(
    fc.property(
      fc.array(fc.double({ min: 0.01, max: 60_000, noNaN: true }), { minLength: 1, maxLength: 200 }),
      (values) => {
        const histogram: number[] = [];
        for (const value of values) {
          const bucket = bucketOf(value);
          while (histogram.length <= bucket) histogram.push(0);
          histogram[bucket] = (histogram[bucket] ?? 0) + 1;
        }
        assert.equal(countBetween([], histogram), values.length);
        const sorted = values.toSorted((a, b) => a - b);
        for (const quantile of [0.5, 0.99]) {
          const exact = sorted[Math.max(0, Math.ceil(quantile * values.length) - 1)] ?? 0;
          const found = quantileBetween([], histogram, quantile);
          assert.ok(Math.abs(found / exact - 1) < 0.0951, `${found} for ${exact}`);
        }
        const newer = histogram.map((count) => count * 2);
        assert.equal(quantileBetween(histogram, newer, 0.5), quantileBetween([], histogram, 0.5));
      },
    ),
  );
  assert.ok(Number.isNaN(quantileBetween([3], [3], 0.5)), 'nothing was counted between equal snapshots');
});

test('equal values do not vary, and a mixture does', () => {
  const counts = [...Array<number>(40).fill(0), 10];
  assert.ok(squaredVariation([{ older: [], newer: counts }]) < 1e-9);
  const mixed = [...counts, ...Array<number>(25).fill(0), 10];
  assert.ok(squaredVariation([{ older: [], newer: mixed }]) > 0.9);
  assert.ok(Number.isNaN(squaredVariation([])));
});
