/** A 32-bit string hash that takes one byte after the other: what small hand-written tables use. */
export interface IteratedHash {
  readonly initial: number;
  step(state: number, byte: number): number;
}

export type HashName = 'fnv1a' | 'fnv1' | 'djb2' | 'djb2a' | 'sdbm' | 'java31';

/** The unseeded hashes that the attack knows how to collide; each is known from its usual description. */
export const hashes: Readonly<Record<HashName, IteratedHash>> = {
  fnv1a: { initial: 0x811c9dc5, step: (state, byte) => Math.imul(state ^ byte, 0x01000193) >>> 0 },
  fnv1: { initial: 0x811c9dc5, step: (state, byte) => (Math.imul(state, 0x01000193) ^ byte) >>> 0 },
  djb2: { initial: 5381, step: (state, byte) => (Math.imul(state, 33) + byte) >>> 0 },
  djb2a: { initial: 5381, step: (state, byte) => (Math.imul(state, 33) ^ byte) >>> 0 },
  sdbm: { initial: 0, step: (state, byte) => (Math.imul(state, 65_599) + byte) >>> 0 },
  java31: { initial: 0, step: (state, byte) => (Math.imul(state, 31) + byte) >>> 0 },
};

/** The hash of a key, which must be ASCII. */
export function hashKey(name: HashName, key: string): number {
  const hash = hashes[name];
  let state = hash.initial;
  for (let index = 0; index < key.length; index += 1) state = hash.step(state, key.charCodeAt(index));
  return state;
}
