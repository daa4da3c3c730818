/**
 * Histograms of times, cheap enough to update on every event: four buckets per power of two, by the exponent and
 * the two leading bits of the mantissa of the value in microseconds. Bucket `b` holds
 * `[(1 + (b mod 4)/4) · 2^⌊b/4⌋, …)` µs; what is below 1 µs goes to bucket 0. The middle of a bucket is at most
 * 12.5 % off.
 */

/** Cumulative counts by bucket; trailing zeros may be cut off. */
export type TimeHistogram = readonly number[];

/** Buckets of a histogram: 1 µs to 2^27 µs (134 s); longer times go to the last one. */
export const histogramBuckets = 108;

const scratch = new Float64Array(1);
const scratchWords = new Int32Array(scratch.buffer);
/** The high word of 1.0, shifted: exponent bias 1023 in units of a quarter power of two. */
const bias = 1023 * 4;

/** The bucket of a time in milliseconds. */
export function bucketOf(timeMs: number): number {
  scratch[0] = timeMs * 1000;
  const bucket = ((scratchWords[1] as number) >>> 18) - bias;
  return bucket < 0 || timeMs <= 0 ? 0 : bucket >= histogramBuckets ? histogramBuckets - 1 : bucket;
}

/** Lower bound of a bucket in milliseconds. */
export function bucketLowerMs(bucket: number): number {
  return ((1 + (bucket % 4) / 4) * 2 ** Math.floor(bucket / 4)) / 1000;
}

/**
 * The `q`-quantile (0…1) in milliseconds, interpolated within its bucket; `NaN` for an empty histogram.
 * `earlier`, a previous reading of the same histogram, is subtracted.
 */
export function quantileMs(histogram: TimeHistogram, q: number, earlier: TimeHistogram = []): number {
  let total = 0;
  for (let b = 0; b < histogram.length; b++) total += (histogram[b] ?? 0) - (earlier[b] ?? 0);
  if (total <= 0) return Number.NaN;
  let rest = q * total;
  for (let b = 0; b < histogram.length; b++) {
    const count = (histogram[b] ?? 0) - (earlier[b] ?? 0);
    if (count > 0 && rest <= count) {
      const lower = b === 0 ? 0 : bucketLowerMs(b);
      return lower + (bucketLowerMs(b + 1) - lower) * (rest / count);
    }
    rest -= count;
  }
  return bucketLowerMs(histogram.length);
}
