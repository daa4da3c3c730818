import type { IteratedHash } from './hashes.ts';
import type { Random } from './random.ts';

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';
/** Letters a block: 62⁵ blocks, of which about 2¹⁶·⁵ must be tried to meet two that agree in 32 bits. */
const BLOCK_LENGTH = 5;
/** Blocks tried for one pair at most: by then the chance of having met none is below 10⁻¹³. */
const BLOCK_TRIES_MAX = 1 << 19;

function randomBlock(random: Random): string {
  let block = '';
  for (let index = 0; index < BLOCK_LENGTH; index += 1)
    block += ALPHABET[Math.floor(random() * ALPHABET.length)];
  return block;
}

/** Two different blocks that take the hash from `state` to one and the same next state. */
function findPair(
  hash: IteratedHash,
  state: number,
  random: Random,
): [first: string, second: string, next: number] {
  const seen = new Map<number, string>();
  for (let tries = 0; tries < BLOCK_TRIES_MAX; tries += 1) {
    const block = randomBlock(random);
    let next = state;
    for (let index = 0; index < block.length; index += 1) next = hash.step(next, block.charCodeAt(index));
    const earlier = seen.get(next);
    if (earlier !== undefined && earlier !== block) return [earlier, block, next];
    seen.set(next, block);
  }
  throw new Error('no two blocks collide: the hash is not a 32-bit one');
}

/**
 * `count` different keys of equal length, all with the same 32-bit hash, so that they share a bucket in a table
 * of any size. A multicollision (Joux): a pair of colliding blocks for each of log₂(count) positions, and every
 * choice of one block a position is a key.
 *
 * ```
 *  initial ─┬ a0 ┬─ s1 ─┬ a1 ┬─ s2 ─┬ a2 ┬─ s3      2³ keys: a0a1a2, a0a1b2, … b0b1b2
 *           └ b0 ┘      └ b1 ┘      └ b2 ┘
 * ```
 */
export function collidingKeys(hash: IteratedHash, count: number, random: Random): string[] {
  const pairs: (readonly [string, string])[] = [];
  let state = hash.initial;
  while (2 ** pairs.length < count) {
    const [first, second, next] = findPair(hash, state, random);
    pairs.push([first, second]);
    state = next;
  }
  return Array.from({ length: count }, (_, choice) =>
    pairs.map((pair, position) => pair[(choice >>> position) & 1]).join(''),
  );
}
