import assert from 'node:assert/strict';
import { test } from 'node:test';
import { instanceId } from '../model/index.ts';
import { KeyOwners, type Sibling } from './key-owners.ts';
import { bucketCount } from './routing/index.ts';

const siblings = (active: readonly number[]): Sibling[] =>
  [1, 2, 3].map((id) => ({
    instanceId: instanceId(id),
    weight: 1,
    isDraining: !active.includes(id),
    isHere: true,
    hasBegun: true,
    restarts: 0,
    stats: new Float64Array(0),
  }));

const ownersOf = (owners: KeyOwners): (number | undefined)[] =>
  Array.from({ length: bucketCount }, (_, bucket) => owners.ownerOf(bucket)?.instanceId);

test('those that drain own nothing, unless all do: then everything stays as it was', () => {
  const all = new KeyOwners(3, siblings([1, 2, 3]), null);
  assert.deepEqual(new Set(ownersOf(all)), new Set([1, 2, 3]));
  const two = new KeyOwners(4, siblings([1, 3]), all);
  assert.deepEqual(new Set(ownersOf(two)), new Set([1, 3]));
  const none = new KeyOwners(5, siblings([]), two);
  assert.deepEqual(ownersOf(none), ownersOf(two));
  assert.equal(
    ownersOf(none).every((id, bucket) => none.owns(instanceId(id ?? 0), bucket)),
    true,
  );
  assert.deepEqual(ownersOf(new KeyOwners(6, siblings([1, 2, 3]), none)), ownersOf(all));
});

test('where there never was an owner, there is none', () => {
  const none = new KeyOwners(3, siblings([]), null);
  assert.equal(none.ownerOf(7), null);
  assert.equal(none.owns(instanceId(1), 7), false);
});
