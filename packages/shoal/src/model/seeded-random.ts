/** A source of chance: uniform in [0, 1). */
export type Random = () => number;

/**
 * A source of chance that gives the same numbers for the same seed: sfc32 (Chris Doty-Humphrey's small fast counting
 * generator), seeded with one integer. Not for secrets.
 */
export function createSeededRandom(seed: number): Random {
  let a = seed | 0;
  let b = 0x9e3779b9 ^ seed;
  let c = 0x243f6a88;
  let counter = 1;
  const next = (): number => {
    const sum = (((a + b) | 0) + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (c << 21) | (c >>> 11);
    c = (c + sum) | 0;
    return (sum >>> 0) / 0x1_0000_0000;
  };
  // The first numbers of neighbouring seeds resemble each other.
  for (let i = 0; i < 12; i++) next();
  return next;
}
