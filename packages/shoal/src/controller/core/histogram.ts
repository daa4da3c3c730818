import type { TimeHistogram } from '../../wire/index.ts';

/** Milliseconds at the quantile (0…1) of what was counted between two snapshots; NaN where nothing was. */
export function quantileBetween(older: TimeHistogram, newer: TimeHistogram, quantile: number): number {
  const total = countBetween(older, newer);
  if (total <= 0) return Number.NaN;
  const rank = quantile * total;
  let seen = 0;
  for (let bucket = 0; bucket < newer.length; bucket++) {
    seen += Math.max(0, (newer[bucket] ?? 0) - (older[bucket] ?? 0));
    // The geometric middle of [2^(b/4), 2^((b+1)/4)) µs.
    if (seen >= rank) return 2 ** ((bucket + 0.5) / 4) / 1_000;
  }
  return 2 ** ((newer.length - 0.5) / 4) / 1_000;
}

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
