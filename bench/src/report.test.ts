import assert from 'node:assert/strict';
import { test } from 'node:test';
import { median, quantile } from './report.ts';

test('the median of an even number of values is the middle of the two in the middle', () => {
  assert.equal(median([4, 1]), 2.5);
  assert.equal(median([10, 2, 1, 4]), 3);
  assert.equal(median([3, 1, 2]), 2);
});

test('quantiles are interpolated, and the outermost are the extremes', () => {
  const sorted = [1, 2, 3, 4, 5];
  assert.deepEqual(
    [0, 0.25, 0.375, 0.5, 1].map((q) => quantile(sorted, q)),
    [1, 2, 2.5, 3, 5],
  );
  assert.equal(quantile([7], 0.99), 7);
  assert.equal(quantile([], 0.5), Number.NaN);
});
