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

/** An endpoint, and what the sending thread has sent it: positions count up; what waits is listed. */
class Peer {
  readonly id: number;
  readonly isDraining: boolean;
  readonly waiting: { readonly key: number; readonly position: number }[] = [];
  looks = 0;
  #sent = 0;

  constructor(id: number, isDraining = false) {
    this.id = id;
    this.isDraining = isDraining;
  }

  send(key: number): void {
    this.waiting.push({ key, position: this.#sent++ });
  }

  endpoint(isDraining = this.isDraining): RouterEndpoint {
    return {
      instanceId: instanceId(this.id),
      machine: machineId('a'),
      isLocalProcess: true,
      weight: 1,
      isDraining,
      queueLength: () => 0,
      keys: {
        next: () => this.#sent,
        hasEnded: (position) => position < (this.waiting[0]?.position ?? this.#sent),
        eachPending: (visit) => {
          for (const { key, position } of this.waiting) visit(key, position);
        },
        look: () => {
          this.looks++;
        },
      },
    };
  }
}

function create(peers: readonly Peer[], previous?: Router): Router {
  return createRouter(
    'keyed',
    peers.map((peer) => peer.endpoint()),
    () => 0.5,
    context,
    previous,
  );
}

const keys = Array.from({ length: 2_000 }, (_, i) => i + 1);
const idOf = (router: Router, key: number): number => router.endpoints[router.choose(key)]?.instanceId ?? -1;

test('a draining endpoint gets the buckets of which messages wait there and no other', () => {
  const two = new Peer(2, true);
  const before = create([new Peer(1), new Peer(2)]);
  const sent = keys.filter((key) => idOf(before, key) === 2 && key % 2 === 0);
  for (const key of sent) two.send(key);
  const draining = create([new Peer(1), two], before);
  const buckets = new Set(sent.map(bucketOf));
  for (const key of keys) {
    assert.equal(idOf(draining, key), buckets.has(bucketOf(key)) ? 2 : 1);
    assert.equal(draining.keyed?.isDetour, buckets.has(bucketOf(key)));
  }
});

test('a bucket of which messages wait at its former owner stays there until those have ended', () => {
  const one = new Peer(1);
  const two = new Peer(2);
  const key = keys.find((candidate) => idOf(create([one, two]), candidate) === 2) ?? 0;
  one.send(key);
  const router = create([one, two], create([one]));
  assert.equal(idOf(router, key), 1);
  one.send(key);
  one.waiting.shift();
  // The second of them was sent since the table came.
  assert.equal(idOf(router, key), 1);
  one.waiting.length = 0;
  // The choice before was not followed by a message: the endpoint is still waited for.
  assert.equal(idOf(router, key), 1);
  one.send(key);
  one.waiting.length = 0;
  assert.equal(two.looks, 0);
  assert.equal(idOf(router, key), 2);
  assert.equal(two.looks, 1, 'what was passed on to it is seen first');
  assert.equal(router.keyed?.isDetour, false);
  assert.equal(router.keyed?.isSettled, true);
});

test('whatever moves, no message is sent past one of its key that waits, and all settles in the end', () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant('table' as const), active: fc.uniqueArray(fc.nat(4), { minLength: 1 }) }),
    fc.record({ kind: fc.constant('send' as const), key: fc.nat(11) }),
    fc.record({ kind: fc.constant('take' as const), at: fc.nat(4) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const peers = [0, 1, 2, 3, 4].map((at) => new Peer(at + 1));
      let draining = new Set<number>();
      const table = (previous?: Router): Router =>
        createRouter(
          'keyed',
          peers.map((peer, at) => peer.endpoint(draining.has(at))),
          () => 0.5,
          context,
          previous,
        );
      let router = table();
      for (const one of steps) {
        if (one.kind === 'table') {
          draining = new Set([0, 1, 2, 3, 4].filter((at) => !one.active.includes(at)));
          router = table(router);
        } else if (one.kind === 'send') {
          const peer = peers[router.choose(one.key)] as Peer;
          const waitsAt = peers.filter(({ waiting }) => waiting.some(({ key }) => key === one.key));
          const owner = peers[router.keyed?.owners[bucketOf(one.key)] ?? 0];
          assert.deepEqual(waitsAt.length === 0 ? [owner] : waitsAt, [peer]);
          peer.send(one.key);
        } else peers[one.at]?.waiting.shift();
      }
      for (const peer of peers) peer.waiting.length = 0;
      for (const key of keys) router.choose(key);
      router = table(router);
      assert.equal(router.keyed?.isSettled, true);
    }),
    { numRuns: 60 },
  );
});

test('when all endpoints drain, a key has nowhere to go', () => {
  assert.equal(create([new Peer(1, true), new Peer(2, true)]).choose(5), -1);
});
