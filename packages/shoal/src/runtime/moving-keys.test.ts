// Every interleaving of the turns of three threads, and of the steps of tables, that fast-check finds.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { feeders, KeyedCluster, keys, placed } from './test-support/keyed-cluster.ts';

const step = fc.oneof(
  { weight: 8, arbitrary: fc.record({ kind: fc.constant('turn' as const), at: fc.nat(2) }) },
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant('send' as const),
      feeder: fc.constantFrom(...feeders),
      key: fc.constantFrom(...keys),
      isLast: fc.nat(5).map((dice) => dice === 0),
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('plan' as const) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('table' as const),
      active: fc.uniqueArray(fc.nat(9), { minLength: 1 }),
      shuffle: fc.shuffledSubarray([0, 1, 2], { minLength: 3 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('add' as const), at: fc.nat(2) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('remove' as const), which: fc.nat(9) }) },
);

for (const moves of [true, false]) {
  test(`whatever moves when, a key is at one instance, its messages in order, none lost; states ${moves ? 'move' : 'stay'}`, async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 300, size: 'max' }), async (steps) => {
        const cluster = new KeyedCluster(moves);
        await cluster.start();
        await cluster.planTable(cluster.keeperIds, [0, 1, 2]);
        await cluster.settle();
        for (const one of steps) {
          const ids = cluster.keeperIds;
          if (one.kind === 'turn') cluster.turn(one.at);
          else if (one.kind === 'send') cluster.send(one.feeder, one.key, one.isLast);
          else if (one.kind === 'plan') await cluster.step();
          else if (one.kind === 'table')
            await cluster.planTable(
              ids.filter((_, at) => one.active.includes(at)),
              one.shuffle,
            );
          else if (one.kind === 'add' && cluster.plan.length === 0 && ids.length < 10)
            await cluster.add(one.at);
          else if (one.kind === 'remove') await cluster.remove(ids[one.which] ?? 0);
          assert.deepEqual(cluster.problems, []);
        }
        await cluster.settle();
        // States move, and what has ended is forgotten, in their own time.
        for (let round = 0; round < 300; round++) for (const at of placed.keys()) cluster.turn(at);
        assert.deepEqual(cluster.problems, []);
        assert.equal(cluster.handled, cluster.sent);
        if (moves) for (const id of cluster.draining) assert.equal(cluster.held.get(id)?.size, 0);
      }),
      { numRuns: 12, includeErrorInReport: true, endOnFailure: true },
    );
  });
}
