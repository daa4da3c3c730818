import type { Random } from '../model/index.ts';

export { createSeededRandom, type Random } from '../model/index.ts';

/** A number of an exponential distribution. */
export function exponential(random: Random, mean: number): number {
  return -mean * Math.log(1 - random());
}
