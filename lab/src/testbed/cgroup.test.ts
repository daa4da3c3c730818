import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { createCgroupsV2, detectCgroups } from './cgroup.ts';

const v1Mounts = [
  'tmpfs /sys/fs/cgroup tmpfs rw 0 0',
  'cgroup /sys/fs/cgroup/cpu,cpuacct cgroup rw,relatime,cpu,cpuacct 0 0',
  'cgroup /sys/fs/cgroup/memory cgroup rw,relatime,memory 0 0',
].join('\n');
const v2Mount = 'cgroup2 /sys/fs/cgroup/unified cgroup2 rw,relatime 0 0';

test('version 1 is used where it holds the controllers, even beside an empty version 2', () => {
  assert.equal(detectCgroups(v1Mounts, () => '')?.version, 1);
  assert.equal(detectCgroups(`${v1Mounts}\n${v2Mount}`, () => 'hugetlb')?.version, 1);
});

test('version 2 is used where it holds the controllers, and neither where none does', () => {
  assert.equal(detectCgroups(v2Mount, () => 'cpuset cpu io memory pids\n')?.version, 2);
  assert.equal(
    detectCgroups(v2Mount, () => 'hugetlb\n'),
    null,
  );
  assert.equal(
    detectCgroups('proc /proc proc rw 0 0', () => ''),
    null,
  );
});

test('co-mounted controllers are joined through one file, separate ones through one each', () => {
  assert.deepEqual(detectCgroups(v1Mounts)?.joinFiles('a/b'), [
    '/sys/fs/cgroup/cpu,cpuacct/a/b/cgroup.procs',
    '/sys/fs/cgroup/memory/a/b/cgroup.procs',
  ]);
});

/** A folder in place of the kernel's: files are written and read as the kernel documents them. */
function withFolder(body: (root: string) => void): void {
  const root = mkdtempSync(path.join(tmpdir(), 'shoal-cgroup-'));
  try {
    body(root);
  } finally {
    rmSync(root, { recursive: true });
  }
}

test('version 2: limits are written in its units, and every group on the way hands the controllers on', () =>
  withFolder((root) => {
    createCgroupsV2(root).create('lab/web1', { cores: 0.25, memoryMiB: 64 });
    const file = (name: string): string => readFileSync(path.join(root, name), 'utf8');
    assert.equal(file('cgroup.subtree_control'), '+cpu +memory');
    assert.equal(file('lab/cgroup.subtree_control'), '+cpu +memory');
    assert.equal(file('lab/web1/cpu.max'), '2500 10000');
    assert.equal(file('lab/web1/memory.max'), String(64 * 1024 * 1024));
    createCgroupsV2(root).setCores('lab/web1', null);
    assert.equal(file('lab/web1/cpu.max'), 'max 10000');
  }));

test('version 2: usage is read in its units', () =>
  withFolder((root) => {
    const folder = path.join(root, 'lab');
    mkdirSync(folder);
    const files = {
      'cpu.stat':
        'usage_usec 1500000\nuser_usec 1000000\nnr_periods 20\nnr_throttled 7\nthrottled_usec 250000\n',
      'memory.current': '1000\n',
      'memory.peak': '2000\n',
      'memory.events': 'low 0\noom 3\noom_kill 2\noom_group_kill 0\n',
    };
    for (const [name, text] of Object.entries(files)) writeFileSync(path.join(folder, name), text);
    assert.deepEqual(createCgroupsV2(root).usage('lab'), {
      cpuSeconds: 1.5,
      periods: 20,
      throttledCount: 7,
      throttledSeconds: 0.25,
      memoryBytes: 1000,
      peakMemoryBytes: 2000,
      oomKills: 2,
    });
  }));

test('members of a group are those of the groups inside it too', () =>
  withFolder((root) => {
    mkdirSync(path.join(root, 'lab/web1'), { recursive: true });
    writeFileSync(path.join(root, 'lab/cgroup.procs'), '');
    writeFileSync(path.join(root, 'lab/web1/cgroup.procs'), '12\n34\n');
    assert.deepEqual(createCgroupsV2(root).members('lab'), [12, 34]);
    assert.deepEqual(createCgroupsV2(root).members('gone'), []);
  }));
