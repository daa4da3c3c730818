import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { instanceId, machineId } from '../../model/index.ts';
import { bucketCount, bucketOf, buildBucketTable, type Candidate } from './bucket-table.ts';
import { createRouter, type Router, type RouterContext, type RouterEndpoint } from './index.ts';

const candidate = fc.record({
  instanceId: fc.integer({ min: 1, max: 1_000_000 }),
  weight: fc.oneof(fc.constant(1), fc.double({ min: 0.01, max: 100, noNaN: true })),
});
const candidates = fc.uniqueArray(candidate, {
  selector: (one) => one.instanceId,
  minLength: 1,
  maxLength: 9,
});

/** Instance id of the owner of every bucket. */
function ownersOf(of: readonly Candidate[], earlier?: readonly Candidate[]): number[] {
  const table = buildBucketTable(of, earlier === undefined ? undefined : buildBucketTable(earlier));
  return Array.from(table.owners, (index) => table.candidates[index]?.instanceId ?? 0);
}

const few = { numRuns: 25 };

test('when an endpoint leaves, only its keys move; when one joins, keys move only to it', () => {
  fc.assert(
    fc.property(candidates, candidate, (present, other) => {
      fc.pre(!present.some(({ instanceId: id }) => id === other.instanceId));
      const without = ownersOf(present);
      const withOther = ownersOf([...present, other]);
      for (let bucket = 0; bucket < bucketCount; bucket++) {
        if (withOther[bucket] !== other.instanceId) assert.equal(withOther[bucket], without[bucket]);
      }
    }),
    few,
  );
});

test('when an endpoint gains weight, keys move only to it', () => {
  fc.assert(
    fc.property(candidates, fc.nat(8), fc.double({ min: 1, max: 10, noNaN: true }), (present, at, factor) => {
      const raised = present[at % present.length];
      if (raised === undefined) return;
      const before = ownersOf(present);
      const after = ownersOf(
        present.map((one) => (one === raised ? { ...one, weight: one.weight * factor } : one)),
      );
      for (let bucket = 0; bucket < bucketCount; bucket++) {
        if (after[bucket] !== raised.instanceId) assert.equal(after[bucket], before[bucket]);
      }
    }),
    few,
  );
});

test('the table depends on the set of endpoints alone: not on their order, nor on the tables before', () => {
  fc.assert(
    fc.property(candidates, candidates, (now, earlier) => {
      const expected = ownersOf(now);
      assert.deepEqual(ownersOf([...now].reverse()), expected);
      assert.deepEqual(ownersOf(now, earlier), expected);
      assert.deepEqual(ownersOf(now, []), expected);
    }),
    few,
  );
});

test('shares are within the stated error of the weights', () => {
  const checks: { count: number; weight: (i: number) => number }[] = [
    { count: 2, weight: () => 1 },
    { count: 16, weight: () => 1 },
    { count: 16, weight: (i) => 1 + (i % 4) },
    { count: 256, weight: () => 1 },
  ];
  for (const { count, weight } of checks) {
    const set = Array.from({ length: count }, (_, i) => ({ instanceId: i + 1, weight: weight(i) }));
    const sum = set.reduce((total, one) => total + one.weight, 0);
    const table = buildBucketTable(set);
    const owned = new Float64Array(count);
    for (const owner of table.owners) owned[owner] = (owned[owner] ?? 0) + 1;
    let squares = 0;
    for (const [i, { weight: own }] of set.entries()) {
      const p = own / sum;
      const standardError = Math.sqrt((1 / p - 1) / bucketCount);
      const deviation = ((owned[i] ?? 0) / bucketCount / p - 1) / standardError;
      assert.ok(Math.abs(deviation) < 4.5, `${count} endpoints: ${deviation} standard errors off`);
      squares += deviation ** 2;
    }
    // The mean square of standard deviations is 1, give or take √(2 / count): not worse than claimed.
    assert.ok(squares / count < 1 + 4 * Math.sqrt(2 / count), `${count} endpoints: ${squares / count}`);
  }
});

test('keys that differ in any of their bits spread over the buckets', () => {
  for (const step of [1, 2, 1_024, 65_536, 2 ** 32, 2 ** 40]) {
    const used = new Set<number>();
    for (let i = 1; i <= 4_096; i++) used.add(bucketOf(i * step));
    // 4,096 balls in 65,536 boxes fill 3,971 on average; σ is about 11.
    assert.ok(used.size > 3_900, `step ${step}: ${used.size} buckets`);
  }
});

const context: RouterContext = { originMachine: machineId('a'), provenance: [], provenanceLength: 0 };

function endpoint(id: number, held: ReadonlySet<number>, isDraining = false): RouterEndpoint {
  return {
    instanceId: instanceId(id),
    machine: machineId('a'),
    isLocalProcess: true,
    weight: 1,
    isDraining,
    queueLength: () => 0,
    holds: (key) => held.has(key),
  };
}

function create(endpoints: RouterEndpoint[], previous?: Router): Router {
  return createRouter('keyed', endpoints, () => 0.5, context, previous);
}

const keys = Array.from({ length: 2_000 }, (_, i) => i + 1);
const idOf = (router: Router, key: number): number => router.endpoints[router.choose(key)]?.instanceId ?? -1;

test('a draining endpoint keeps the keys that it holds and gets no other, with or without a router before', () => {
  const none = new Set<number>();
  const before = create([endpoint(1, none), endpoint(2, none)]);
  const ofTwo = keys.filter((key) => idOf(before, key) === 2);
  const held = new Set(ofTwo.filter((key) => key % 2 === 0));
  for (const previous of [before, undefined]) {
    const draining = create([endpoint(1, none), endpoint(2, held, true)], previous);
    for (const key of keys) assert.equal(idOf(draining, key), held.has(key) ? 2 : 1);
  }
});

test('a key that is held stays with its holder when another endpoint joins, until it is let go', () => {
  const held = new Set(keys);
  const none = new Set<number>();
  const first = create([endpoint(1, held)]);
  const second = create([endpoint(1, held), endpoint(2, none)], first);
  for (const key of keys) assert.equal(idOf(second, key), 1);
  // A change elsewhere does not make the former owner forgotten.
  const third = create([endpoint(1, held), endpoint(2, none), endpoint(3, none, true)], second);
  for (const key of keys) assert.equal(idOf(third, key), 1);
  held.clear();
  const ofTwo = keys.filter((key) => idOf(third, key) === 2);
  assert.ok(
    ofTwo.length > 800 && ofTwo.length < 1_200,
    `${ofTwo.length} of 2,000 keys go to the one that joined`,
  );
});

test('when all endpoints drain and hold nothing, a key has nowhere to go', () => {
  const none = new Set<number>();
  assert.equal(create([endpoint(1, none, true), endpoint(2, none, true)]).choose(5), -1);
});
