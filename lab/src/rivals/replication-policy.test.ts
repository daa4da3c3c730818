import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { InstanceReport } from '../service/instance-report.ts';
import { createReplicationPolicy } from './replication-policy.ts';

const report = (
  atEpochMs: number,
  busyShare: number,
  descriptorShare = 0.1,
  host = 'web1',
): InstanceReport => ({
  host,
  pid: 1,
  thread: 0,
  atEpochMs,
  busyShare,
  descriptorShare,
});

test('a server whose queue is never empty for a second gets help, one that rests once does not', () => {
  const busy = createReplicationPolicy(3);
  const resting = createReplicationPolicy(3);
  const actions: string[] = [];
  for (let now = 0; now <= 1_500; now += 250) {
    actions.push(busy.step([report(now, 1)], 0, now));
    assert.equal(resting.step([report(now, now === 750 ? 0.9 : 1)], 0, now), 'keep');
  }
  assert.deepEqual(actions, ['keep', 'keep', 'keep', 'keep', 'add', 'keep', 'keep']);
});

test('a server that stops reporting is stuck, and counts as busy', () => {
  const policy = createReplicationPolicy(3);
  assert.equal(policy.step([report(0, 0.1)], 0, 500), 'keep');
  assert.equal(policy.step([report(0, 0.1)], 0, 900), 'keep');
  assert.equal(policy.step([report(0, 0.1)], 0, 1_100), 'add');
});

test('one stuck server among idle ones is enough', () => {
  const policy = createReplicationPolicy(3);
  const reports = (now: number): InstanceReport[] => [report(now, 0.1), report(0, 1, 0.1, 'web2')];
  policy.step(reports(0), 0, 0);
  assert.equal(policy.step(reports(1_200), 0, 1_200), 'add');
});

test('scarce descriptors call for help at once', () => {
  assert.equal(createReplicationPolicy(3).step([report(0, 0.1, 0.4)], 0, 0), 'add');
});

test('servers are taken back one by one, after twenty calm seconds and five seconds apart', () => {
  const policy = createReplicationPolicy(3);
  assert.equal(policy.step([report(0, 0, 0.5)], 0, 0), 'add');
  const removed: number[] = [];
  let replicas = 2;
  for (let now = 250; now <= 40_000; now += 250) {
    if (policy.step([report(now, 0.2)], replicas, now) === 'remove') {
      removed.push(now);
      replicas -= 1;
    }
  }
  assert.deepEqual(removed, [20_000, 25_000]);
});

test('whatever is reported, servers stay within their bounds and additions a second apart', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 4 }),
      fc.array(
        fc.record({ busy: fc.double({ min: 0, max: 1, noNaN: true }), late: fc.nat({ max: 3_000 }) }),
        {
          maxLength: 200,
        },
      ),
      (replicasMax, looks) => {
        const policy = createReplicationPolicy(replicasMax);
        let replicas = 0;
        let lastAdded = Number.NEGATIVE_INFINITY;
        looks.forEach(({ busy, late }, i) => {
          const now = i * 250;
          const action = policy.step([report(now - late, busy)], replicas, now);
          if (action === 'add') {
            assert.ok(now - lastAdded >= 1_000);
            lastAdded = now;
            replicas += 1;
          }
          if (action === 'remove') replicas -= 1;
          assert.ok(replicas >= 0 && replicas <= replicasMax);
        });
      },
    ),
  );
});
