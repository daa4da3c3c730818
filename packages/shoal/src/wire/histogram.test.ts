import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { bucketLowerMs, bucketOf, histogramBuckets, quantileMs } from './histogram.ts';

function histogramOf(times: readonly number[]): number[] {
  const histogram = new Array<number>(histogramBuckets).fill(0);
  for (const time of times) histogram[bucketOf(time)] = (histogram[bucketOf(time)] as number) + 1;
  return histogram;
}

test('buckets follow one another without a gap, and every time lies in its own', () => {
  for (let bucket = 0; bucket < histogramBuckets; bucket++) {
    assert.equal(bucketOf(bucketLowerMs(bucket)), bucket);
    assert.equal(bucketOf(bucketLowerMs(bucket + 1) * (1 - 1e-12)), bucket);
  }
  fc.assert(
    fc.property(fc.double({ min: 0.001, max: 130_000, noNaN: true }), (time) => {
      const bucket = bucketOf(time);
      assert.ok(bucketLowerMs(bucket) <= time && time < bucketLowerMs(bucket + 1));
    }),
  );
});

test('times out of range, and what is no time at all, go to the ends', () => {
  for (const time of [0, -1, -0, 0.000_999, Number.NEGATIVE_INFINITY, Number.MIN_VALUE])
    assert.equal(bucketOf(time), 0, `${time}`);
  for (const time of [140_000, 1e300, Number.POSITIVE_INFINITY, Number.MAX_VALUE])
    assert.equal(bucketOf(time), histogramBuckets - 1, `${time}`);
  const bucket = bucketOf(Number.NaN);
  assert.ok(bucket >= 0 && bucket < histogramBuckets);
});

test('a quantile is within a quarter of the exact one', () => {
  fc.assert(
    fc.property(
      fc.array(fc.double({ min: 0.002, max: 100_000, noNaN: true }), { minLength: 1, maxLength: 300 }),
      fc.double({ min: 0.001, max: 1, noNaN: true }),
      (times, q) => {
        const exact = [...times].sort((a, b) => a - b)[
          Math.max(0, Math.ceil(q * times.length) - 1)
        ] as number;
        const estimate = quantileMs(histogramOf(times), q);
        // The bucket of the exact quantile is hit (rounding of q·n may move it by one message).
        assert.ok(estimate <= exact * 1.2501 && estimate >= exact / 1.2501, `${estimate} for ${exact}`);
      },
    ),
    { numRuns: 1_000 },
  );
});

test('an earlier reading is subtracted; what is empty has no quantile; cut-off zeros do not matter', () => {
  const earlier = histogramOf([1, 1, 1]);
  const later = histogramOf([1, 1, 1, 50]);
  assert.ok(Math.abs(quantileMs(later, 0.5, earlier) - 50) < 12.5);
  assert.ok(Number.isNaN(quantileMs(later, 0.5, later)));
  assert.ok(Number.isNaN(quantileMs([], 0.5)));
  const cut = later.slice(0, later.findLastIndex((count) => count > 0) + 1);
  assert.equal(quantileMs(cut, 0.99, earlier), quantileMs(later, 0.99, earlier));
});

test('quantiles grow with q', () => {
  const histogram = histogramOf(Array.from({ length: 500 }, (_, i) => 0.01 * 1.03 ** i));
  let last = 0;
  for (let q = 0.01; q <= 1; q += 0.01) {
    const next = quantileMs(histogram, q);
    assert.ok(next >= last);
    last = next;
  }
});
