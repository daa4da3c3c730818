import { createRandom } from '../load/random.ts';

/** A source of numbers in [0, 1). */
export type Random = () => number;

/** A seeded source: the same seed gives the same attack, so that two deployments meet the same one. */
export function seededRandom(seed: number): Random {
  return createRandom(seed).next;
}
