// Every interleaving of the turns of three threads, and of the steps of tables, that fast-check finds. For the notation
// of steps see `KeyedCluster.play`.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { FakeClock } from '../testing/fake-clock.ts';
import { feeders, KeyedCluster, keys } from './test-support/keyed-cluster.ts';

const step = fc.oneof(
  { weight: 8, arbitrary: fc.nat(2).map((at) => `t${at}`) },
  {
    weight: 8,
    arbitrary: fc
      .tuple(fc.constantFrom(...feeders), fc.constantFrom(...keys), fc.nat(5))
      .map(([feeder, key, dice]) => `s${feeder}.${key}${dice === 0 ? '!' : ''}`),
  },
  { weight: 4, arbitrary: fc.constant('p') },
  {
    weight: 2,
    arbitrary: fc
      .tuple(
        fc.uniqueArray(fc.nat(9), { minLength: 1, maxLength: 5 }),
        fc.shuffledSubarray([0, 1, 2], { minLength: 3 }),
      )
      .map(([active, order]) => `T${active.join()}:${order.join('')}`),
  },
  { weight: 1, arbitrary: fc.nat(2).map((at) => `a${at}`) },
  { weight: 1, arbitrary: fc.nat(9).map((at) => `r${at}`) },
);

for (const moves of [true, false]) {
  test(`whatever moves when, a key is at one instance, its messages in order, none lost; states ${moves ? 'move' : 'stay'}`, async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 300, size: 'max' }), async (steps) => {
        const cluster = new KeyedCluster(moves, new FakeClock(1_000));
        await cluster.playAll(steps);
        if (moves) for (const id of cluster.draining) assert.equal(cluster.held.get(id)?.size, 0);
      }),
      { numRuns: 40, endOnFailure: true },
    );
  });
}

// Found by random runs, and reduced.
const onceWrong = {
  'a message comes back to the next owner, whose table is not in force':
    's2.3959 T4,2:012 p p p p p t1 p t2 t0 p p p p p T4,5,6:102 p s2.3959! p s1.3959 p s1.3959',
  'one comes back while another arrives by another way':
    'a0 a0 T0,2:102 p s2.1723 p p t0 p s1.5080 p p t0 t1 t2 p p p p p T0,6,3,5,2:210 s1.3197 s1.1723! t2 p p p s1.5080! s1.1723 p p p t0 t2 s1.1723!',
  'one comes back that belongs to where it has been':
    's1.1649 T6,1,0,2:012 s2.4553 t1 t2 p p p p p p s1.4476 t2 t0 t1 p p p p p T0,1,3,6:012 s1.1649 s1.4553! s1.1649 p t0 s1.4553 s1.3959! p s1.4553 t2 s1.5080 s1.4553 t0',
  'several hold keys of a bucket since different tables':
    's2.1064 s1.1649 s2.3197 T1:012 p p p p p p t2 t1 t0 p p p p p T2,4,0,1,5:102 p s2.1649! s2.5080 p s2.3959! s2.1649! p s1.204 p s2.4476 s2.1649',
};
for (const [what, steps] of Object.entries(onceWrong)) {
  test(`where states stay: ${what}`, async () => {
    await new KeyedCluster(false, new FakeClock(1_000)).playAll(steps.split(' '));
  });
}
