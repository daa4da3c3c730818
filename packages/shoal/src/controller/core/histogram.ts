import type { TimeHistogram } from '../../wire/index.ts';

/** Milliseconds at the quantile (0…1) of what was counted between two snapshots; NaN where nothing was. */
export function quantileBetween(older: TimeHistogram, newer: TimeHistogram, quantile: number): number {
  const total = countBetween(older, newer);
  if (total <= 0) return Number.NaN;
  const rank = quantile * total;
  let seen = 0;
  for (let bucket = 0; bucket < newer.length; bucket++) {
    seen += Math.max(0, (newer[bucket] ?? 0) - (older[bucket] ?? 0));
    if (seen >= rank) return middleMs(bucket);
  }
  return middleMs(newer.length - 1);
}

/** Adds what was counted between two snapshots to `sum`; answers how many values. */
export function addBetween(sum: number[], older: TimeHistogram, newer: TimeHistogram): number {
  let total = 0;
  for (let bucket = 0; bucket < newer.length; bucket++) {
    const count = Math.max(0, (newer[bucket] ?? 0) - (older[bucket] ?? 0));
    sum[bucket] = (sum[bucket] ?? 0) + count;
    total += count;
  }
  return total;
}

/** Values over `ms`, as exactly as the buckets tell. */
export function countOver(histogram: TimeHistogram, ms: number): number {
  let count = 0;
  for (let bucket = histogram.length - 1; bucket >= 0 && middleMs(bucket) > ms; bucket--)
    count += histogram[bucket] ?? 0;
  return count;
}

/** The geometric middle of [2^(b/4), 2^((b+1)/4)) µs. */
const middleMs = (bucket: number): number => 2 ** ((bucket + 0.5) / 4) / 1_000;

/** Values counted between two snapshots. */
export function countBetween(older: TimeHistogram, newer: TimeHistogram): number {
  let total = 0;
  for (let bucket = 0; bucket < newer.length; bucket++) {
    total += Math.max(0, (newer[bucket] ?? 0) - (older[bucket] ?? 0));
  }
  return total;
}

/** The bucket of a time in milliseconds. */
export function bucketOf(ms: number): number {
  return ms <= 0.001 ? 0 : Math.floor(Math.log2(ms * 1_000) * 4);
}

/** Squared coefficient of variation of what was counted in several pairs of snapshots; NaN where nothing was. */
export function squaredVariation(
  pairs: Iterable<{ readonly older: TimeHistogram; readonly newer: TimeHistogram }>,
): number {
  let count = 0;
  let sum = 0;
  let squares = 0;
  for (const { older, newer } of pairs) {
    for (let bucket = 0; bucket < newer.length; bucket++) {
      const added = Math.max(0, (newer[bucket] ?? 0) - (older[bucket] ?? 0));
      if (added === 0) continue;
      const us = 2 ** ((bucket + 0.5) / 4);
      count += added;
      sum += added * us;
      squares += added * us * us;
    }
  }
  return count === 0 ? Number.NaN : Math.max(0, (squares * count) / (sum * sum) - 1);
}
