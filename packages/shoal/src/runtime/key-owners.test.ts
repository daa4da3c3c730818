import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { instanceId } from '../model/index.ts';
import { KeyOwners, type Sibling } from './key-owners.ts';

const ids = [1, 2, 3, 4, 5];
const siblings = (active: readonly number[]): Sibling[] =>
  ids.map((id) => ({
    instanceId: instanceId(id),
    weight: 1,
    isDraining: !active.includes(id),
    held: new Uint32Array(0),
    stats: new Float64Array(0),
  }));

const active = fc.uniqueArray(fc.constantFrom(...ids), { minLength: 1, maxLength: 5 });

/** Where a message ends that an instance gets by an older table, and nobody holds its key. */
function follow(views: ReadonlyMap<number, KeyOwners>, from: number, bucket: number): number {
  let at = from;
  let version = 0;
  for (let hops = 0; hops < ids.length + 2; hops++) {
    const view = views.get(at) as KeyOwners;
    const owner = view.ownerFor(instanceId(at), bucket);
    if (version >= view.version || owner === null || owner.sibling.instanceId === at) return at;
    at = owner.sibling.instanceId;
    version = owner.version;
  }
  return -1;
}

test('while a table comes into force, whoever gets a message sends it to one and the same instance', () => {
  const stages = fc.array(fc.constantFrom('before', 'told', 'in force'), { minLength: 5, maxLength: 5 });
  fc.assert(
    fc.property(
      active,
      active,
      stages,
      fc.array(fc.nat(65_535), { minLength: 20 }),
      (was, is, drawn, buckets) => {
        // In force nowhere before all have been told.
        const isToldToAll = !drawn.includes('before');
        const views = new Map(
          ids.map((id, at) => {
            const before = new KeyOwners(2, siblings(was), null);
            if (drawn[at] === 'before') return [id, before];
            const view = new KeyOwners(3, siblings(is), before);
            if (drawn[at] === 'in force' && isToldToAll) view.putInForce();
            return [id, view];
          }),
        );
        for (const bucket of buckets) {
          const ends = new Set(ids.map((id) => follow(views, id, bucket)));
          assert.equal(ends.size, 1, `bucket ${bucket} ends at ${[...ends]}`);
          assert.ok(!ends.has(-1));
        }
      },
    ),
    { numRuns: 60 },
  );
});

test('an instance that owns nothing, because all are draining, keeps what it gets', () => {
  const owners = new KeyOwners(2, siblings([]), null);
  assert.equal(owners.ownerOf(7), null);
  assert.equal(owners.ownerFor(instanceId(1), 7), null);
});
