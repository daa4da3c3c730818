/** A seeded source of randomness: equal seeds give equal sequences on every machine. */
export interface Random {
  /** The next number, uniform in [0, 1). */
  next(): number;
  /** The next whole number, uniform in [0, bound). */
  integer(bound: number): number;
}

/**
 * Creates a generator (sfc32, Chris Doty-Humphrey's small fast counting generator: 128 bits of state, passes
 * PractRand). The seed is spread over the state by splitmix32, so that neighbouring seeds are unrelated.
 */
export function createRandom(seed: number): Random {
  let mixed = seed >>> 0;
  const splitMix = (): number => {
    mixed = (mixed + 0x9e3779b9) | 0;
    let z = mixed;
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    return z ^ (z >>> 15);
  };
  let a = splitMix();
  let b = splitMix();
  let c = splitMix();
  let counter = 1;
  const next = (): number => {
    const t = (((a + b) | 0) + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (c << 21) | (c >>> 11);
    c = (c + t) | 0;
    return (t >>> 0) / 4_294_967_296;
  };
  for (let i = 0; i < 12; i += 1) next();
  return { next, integer: (bound) => Math.floor(next() * bound) };
}
