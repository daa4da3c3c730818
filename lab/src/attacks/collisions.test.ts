import assert from 'node:assert/strict';
import { test } from 'node:test';
import { collidingKeys } from './collisions.ts';
import { type HashName, hashes, hashKey } from './hashes.ts';
import { seededRandom } from './random.ts';

const names = Object.keys(hashes) as HashName[];

for (const name of names) {
  test(`keys made to collide under ${name} are all different and all have one hash`, () => {
    const keys = collidingKeys(hashes[name], 1000, seededRandom(3));
    assert.equal(new Set(keys).size, 1000);
    assert.equal(new Set(keys.map((key) => hashKey(name, key))).size, 1);
  });
}

test('the hashes agree with values published for them', () => {
  assert.equal(hashKey('fnv1a', 'foobar'), 0xbf9cf968);
  assert.equal(hashKey('fnv1', 'foobar'), 0x31f0b262);
  assert.equal(hashKey('java31', 'hello'), 99_162_322);
  assert.equal(hashKey('djb2', 'a'), 177_670);
  assert.equal(hashKey('djb2a', 'a'), 177_604);
  assert.equal(hashKey('sdbm', 'a'), 97);
});

test('keys that collide under one hash do not collide under another: the attack is aimed', () => {
  const keys = collidingKeys(hashes.fnv1a, 256, seededRandom(3));
  assert.ok(new Set(keys.map((key) => hashKey('djb2', key))).size > 200);
});
