import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { turns } from './mixed.ts';
import { seededRandom } from './random.ts';

test('every round gives each member one turn, and none has two turns running', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 8 }),
      fc.integer({ min: 0, max: 100 }),
      fc.integer(),
      (members, count, seed) => {
        const order = turns(members, count, seededRandom(seed));
        assert.equal(order.length, count);
        for (let from = 0; from + members <= count; from += members)
          assert.equal(new Set(order.slice(from, from + members)).size, members);
        if (members > 1) assert.ok(order.every((member, turn) => turn === 0 || member !== order[turn - 1]));
      },
    ),
  );
});

test('the order follows from the seed', () => {
  assert.deepEqual(turns(5, 40, seededRandom(1)), turns(5, 40, seededRandom(1)));
  assert.notDeepEqual(turns(5, 40, seededRandom(1)), turns(5, 40, seededRandom(2)));
});
