/** A source of numbers in [0, 1). */
export type Random = () => number;

/**
 * A seeded source (mulberry32): the same seed gives the same attack, so that two deployments meet the same one.
 * Only the low 32 bits of the seed count.
 */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
