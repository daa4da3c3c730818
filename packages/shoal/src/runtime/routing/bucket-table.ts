/**
 * Weighted rendezvous hashing, decided once for each of a fixed number of buckets instead of for each key.
 *
 *   flow key ──hash──► bucket (one of 65,536) ──table──► endpoint
 *
 * I1. The bucket of a key depends on the key alone, and the number of buckets never changes.
 * I2. A bucket belongs to the endpoint with the smallest `-ln(u) / weight`, where `u` in (0, 1) is a hash of
 *     (bucket, instance id); ties go to the smaller id. So it depends on the *set* of endpoints, not on their order
 *     nor on the past: all senders agree without speaking to each other.
 * I3. From I1 and I2, exactly: when an endpoint leaves, only its keys move; when one joins or gains weight, keys
 *     move only to it; when one loses weight, keys move only from it.
 *
 * Shares: an endpoint with share `p` of the weights owns a binomial number of buckets, so its share of the keys has
 * a relative standard error of `sqrt((1/p - 1) / 65,536)`: 0.4 % at 2 equal endpoints, 1.5 % at 16, 6.2 % at 256.
 */
import assert from 'node:assert/strict';
import type { Key } from '../../model/index.ts';

export const bucketCount = 65_536;
/** Stands for "no endpoint" in a table. */
export const noEndpoint = 0xffff;

/** An owner of buckets. */
export interface Candidate {
  readonly instanceId: number;
  readonly weight: number;
}

/** The buckets of a set of candidates: `owners[bucket]` is an index into `candidates`, or `noEndpoint`. */
export interface BucketTable {
  readonly candidates: readonly Candidate[];
  readonly owners: Uint16Array;
}

/** The bucket of a key: the upper half of a 32-bit mix of all its 53 bits. */
export function bucketOf(key: Key): number {
  let h = (key | 0) ^ Math.imul((key / 0x1_0000_0000) | 0, 0x9e3779b1);
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h >>> 16;
}

/** Uniform in (0, 1): `salt` is {@link saltOf} an instance. */
function uniform(bucket: number, salt: number): number {
  let h = (Math.imul(bucket + 1, 0x9e3779b1) + salt) | 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  h ^= h >>> 16;
  return ((h >>> 0) + 0.5) / 0x1_0000_0000;
}

function saltOf(instanceId: number): number {
  let h = Math.imul(instanceId ^ (instanceId >>> 15), 0x2c1b3c6d);
  h = Math.imul(h ^ (h >>> 12), 0x297a2d39);
  return h ^ (h >>> 15);
}

/**
 * The table of a set of candidates. With the table of an earlier set only what has changed is computed: some
 * 2 ms for one that joins or leaves, instead of 65,536 times the number of candidates.
 */
export function buildBucketTable(candidates: readonly Candidate[], earlier?: BucketTable): BucketTable {
  assert.ok(candidates.length < noEndpoint, 'a routing table has fewer than 65,535 endpoints');
  const owners = new Uint16Array(bucketCount).fill(noEndpoint);
  if (candidates.length === 1) return { candidates, owners: owners.fill(0) };
  const contest = createContest(candidates);
  const all = candidates.map((_, index) => index);
  if (earlier === undefined || earlier.candidates.length === 0) {
    for (let bucket = 0; bucket < bucketCount; bucket++) owners[bucket] = contest(bucket, noEndpoint, all);
    return { candidates, owners };
  }
  // A candidate whose weight has changed counts as one that left and one that joined.
  const identity = ({ instanceId, weight }: Candidate): string => `${instanceId} ${weight}`;
  const before = new Set(earlier.candidates.map(identity));
  const joined = all.filter((index) => !before.has(identity(candidates[index] as Candidate)));
  const indexNow = new Map(candidates.map((candidate, index) => [identity(candidate), index]));
  const kept = Uint16Array.from(
    earlier.candidates,
    (candidate) => indexNow.get(identity(candidate)) ?? noEndpoint,
  );
  for (let bucket = 0; bucket < bucketCount; bucket++) {
    const owner = kept[earlier.owners[bucket] as number] ?? noEndpoint;
    // Who owned a bucket has beaten all who stayed: only those who joined can take it.
    owners[bucket] = owner === noEndpoint ? contest(bucket, noEndpoint, all) : contest(bucket, owner, joined);
  }
  return { candidates, owners };
}

/** Finds who wins a bucket: the holder, or one of the challengers. */
function createContest(
  candidates: readonly Candidate[],
): (bucket: number, holder: number, challengers: readonly number[]) => number {
  const salts = Int32Array.from(candidates, (candidate) => saltOf(candidate.instanceId));
  const weights = Float64Array.from(candidates, (candidate) => candidate.weight);
  const ids = Float64Array.from(candidates, (candidate) => candidate.instanceId);
  return (bucket, holder, challengers) => {
    let best = holder;
    let bestScore = Number.POSITIVE_INFINITY;
    if (holder !== noEndpoint) {
      bestScore = -Math.log(uniform(bucket, salts[holder] as number)) / (weights[holder] as number);
    }
    for (let i = 0; i < challengers.length; i++) {
      const index = challengers[i] as number;
      const u = uniform(bucket, salts[index] as number);
      const weight = weights[index] as number;
      // -ln(u) ≥ 1 - u, so that most are out without a logarithm.
      if ((1 - u) / weight > bestScore) continue;
      const score = -Math.log(u) / weight;
      const isBetter =
        score < bestScore ||
        (score === bestScore && (best === noEndpoint || (ids[index] as number) < (ids[best] as number)));
      if (isBetter) {
        best = index;
        bestScore = score;
      }
    }
    return best;
  };
}
