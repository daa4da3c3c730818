import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createMessageBlocks, MessageIds } from './message-ids.ts';

test('ids are exact, and none is given twice: by 5,000 threads, each in its 200th life, nor by a guest', () => {
  const blocks = createMessageBlocks();
  const given = new Set<number>();
  let expected = 0;
  const take = (ids: MessageIds, count: number): void => {
    for (let i = 0; i < count; i++) {
      const id = ids.next();
      assert.ok(Number.isSafeInteger(id) && id > 0);
      given.add(id);
      expected++;
    }
  };
  const guest = new MessageIds(null);
  take(guest, 3);
  for (let thread = 0; thread < 5_000; thread++) {
    // Its earlier lives have taken a block each.
    Atomics.add(new Int32Array(blocks), 0, 199);
    take(new MessageIds(blocks), 3);
  }
  take(guest, 3);
  assert.equal(given.size, expected);
});

test('a thread that has used up its block goes on with another, to the last of all', () => {
  const blocks = createMessageBlocks();
  const word = new Int32Array(blocks);
  word[0] = -2;
  const ids = new MessageIds(blocks);
  const first = ids.next();
  let last = first;
  for (let i = 1; i < 2 ** 21; i++) {
    const id = ids.next();
    assert.ok(id === last + 1);
    last = id;
  }
  assert.equal(last, 2 ** 52);
  assert.equal(new MessageIds(null).next(), last + 1, 'those of a guest begin behind');
});
