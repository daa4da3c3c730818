/** What a message will take at an instance, by what others took there, and the order `sjf`, which goes by it. */
import { InstanceFloat, sizeMeanFloat } from './shared-block.ts';

/**
 * Milliseconds that a message of so many bytes (-1: by reference) will take at an instance: what messages of about its size
 * took there (twice the size or half of it is another matter, as costs grow with sizes as often as not); if there were
 * none, and by reference, what messages took in the mean. `stats`: the block of the instance.
 */
export function expectedMs(stats: Float64Array, bytes: number): number {
  const ofItsSizeMs = bytes < 0 ? 0 : (stats[sizeMeanFloat(bytes)] as number);
  return ofItsSizeMs || (stats[InstanceFloat.serviceMeanMs] as number);
}

/** A message lets pass what comes within so many times as long as it will take itself. */
const yieldRatio = 10;
/** But for so many milliseconds at most: it would starve. */
export const yieldMaxMs = 1_000;

/** What messages are compared by in the order `sjf`: the smaller is sooner. Milliseconds of the machine's clock, shifted. */
export function sjfRank(acceptedAtMs: number, ownMs: number): number {
  return acceptedAtMs + Math.min(yieldMaxMs, yieldRatio * ownMs);
}
