// The readers against real files: this machine's own /proc, and folders laid out as cgroups of either version.
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { currentThreadTid } from '../native/index.ts';
import { createProcessReader, openMachineReader, openThreadReader } from './index.ts';

/** A folder with the files that `/proc` and a cgroup would have. */
function layOut(files: Readonly<Record<string, string>>): { root: string; remove: () => void } {
  const root = fs.mkdtempSync(path.join(os.tmpdir(), 'shoal-proc-'));
  for (const [name, text] of Object.entries(files)) {
    fs.mkdirSync(path.dirname(path.join(root, name)), { recursive: true });
    fs.writeFileSync(path.join(root, name), text.replaceAll('ROOT', root));
  }
  return { root, remove: () => fs.rmSync(root, { recursive: true }) };
}

const host = {
  'proc/stat':
    'cpu  0 0 0 0\ncpu0 0 0 0 100 0 0 0 0\ncpu1 0 0 0 100 0 0 0 0\ncpu2 0 0 0 100 0 0 0 0\nintr 1\n',
  'proc/meminfo': 'MemTotal:       4000 kB\nMemFree:  100 kB\nMemAvailable:   3000 kB\n',
  'proc/self/status': 'Name:\tnode\nCpus_allowed_list:\t0-1\n',
  'proc/self/net/dev': ' lo: 5 0 0 0 0 0 0 0 5\n eth0: 70 0 0 0 0 0 0 0 30\n',
};

test('version 2: the tightest quota above the process counts, and its throttling is reported', () => {
  const { root, remove } = layOut({
    ...host,
    'proc/self/cgroup': '0::/a/b\n',
    'proc/self/mountinfo': '31 23 0:28 / ROOT/cgroup rw - cgroup2 cgroup2 rw\n',
    'cgroup/a/b/cpu.max': 'max 100000\n',
    'cgroup/a/cpu.max': '50000 100000\n',
    'cgroup/a/cpu.stat': 'usage_usec 1000000\nnr_periods 9\nnr_throttled 3\nthrottled_usec 2500\n',
    'cgroup/a/b/memory.max': '2048000\n',
    'cgroup/a/b/memory.current': '1000000\n',
    'cgroup/a/b/memory.stat': 'anon 5\ninactive_file 200000\n',
  });
  const reader = openMachineReader(0, `${root}/proc`);
  assert.deepEqual(reader.read(0), {
    cores: 0.5,
    freeCores: 0,
    memoryBytes: 2_048_000,
    memoryFreeBytes: 1_248_000,
    throttledPeriods: 3,
    throttledMs: 2.5,
    networkInBytes: 70,
    networkOutBytes: 30,
  });
  // 100 ms later: both allowed cores idle, the cgroup has used 30 ms of CPU, so 0.5 − 0.3 cores are left.
  const stat = host['proc/stat'].replaceAll('100 0', '110 0');
  fs.writeFileSync(`${root}/proc/stat`, stat);
  fs.writeFileSync(`${root}/cgroup/a/cpu.stat`, 'usage_usec 1030000\n');
  assert.ok(Math.abs(reader.read(100).freeCores - 0.2) < 1e-9);
  reader.close();
  remove();
});

test('version 1: quota, throttling and memory come from the mounts of their own controllers', () => {
  const { root, remove } = layOut({
    ...host,
    'proc/self/cgroup': '4:memory:/m\n2:cpuacct:/\n1:cpu:/\n0::/\n',
    'proc/self/mountinfo': [
      '32 31 0:29 / ROOT/cpu rw - cgroup cgroup rw,cpu',
      '33 31 0:30 / ROOT/cpuacct rw - cgroup cgroup rw,cpuacct',
      '35 31 0:32 / ROOT/memory rw - cgroup cgroup rw,memory',
      '41 31 0:38 / ROOT/unified rw - cgroup2 cgroup2 rw\n',
    ].join('\n'),
    'cpu/cpu.cfs_quota_us': '150000\n',
    'cpu/cpu.cfs_period_us': '100000\n',
    'cpu/cpu.stat': 'nr_periods 10\nnr_throttled 4\nthrottled_time 3000000\n',
    'cpuacct/cpuacct.usage': '5000000\n',
    'memory/m/memory.limit_in_bytes': '9223372036854771712\n',
  });
  const reader = openMachineReader(0, `${root}/proc`);
  fs.writeFileSync(
    `${root}/proc/stat`,
    host['proc/stat']
      .replace('cpu0 0 0 0 100', 'cpu0 10 0 0 100')
      .replace('cpu1 0 0 0 100', 'cpu1 0 0 0 110'),
  );
  fs.writeFileSync(`${root}/cpuacct/cpuacct.usage`, '15000000\n');
  const sample = reader.read(100);
  assert.equal(sample.cores, 1.5);
  // One of two allowed cores was idle: the quota of 1.5 less 0.1 used is not the tighter bound.
  assert.equal(sample.freeCores, 1);
  assert.equal(sample.throttledPeriods, 4);
  assert.equal(sample.throttledMs, 3);
  assert.equal(sample.memoryBytes, 4_096_000);
  assert.equal(sample.memoryFreeBytes, 3_072_000);
  reader.close();
  remove();
});

test("where nothing can be read the figures are zero or the host's, and nothing throws", () => {
  const reader = openMachineReader(0, '/nowhere');
  const sample = reader.read(100);
  assert.equal(sample.cores, os.cpus().length);
  assert.equal(sample.freeCores, 0);
  assert.equal(sample.networkInBytes, 0);
  reader.close();
  assert.equal(openThreadReader(99_999_999).read(), null);
});

test('this machine: figures are within what it has, and readers give back their descriptors', () => {
  const processReader = createProcessReader();
  const before = processReader.read();
  const machine = openMachineReader(0);
  const thread = openThreadReader(currentThreadTid());
  const first = thread.read();
  let spun = 0;
  while (process.cpuUsage().user / 1_000 < before.cpuMs + 60) spun++;
  const sample = machine.read(60);
  const second = thread.read();
  const during = processReader.read();
  assert.ok(first !== null && second?.isRunnable === true && spun > 0);
  assert.ok(second.cpuMs > first.cpuMs + 10, `${first.cpuMs} → ${second.cpuMs} ms`);
  assert.ok(second.minorFaults >= first.minorFaults && second.minorFaults > 0);
  assert.ok(second.involuntarySwitches + second.voluntarySwitches > 0);
  assert.ok(sample.cores > 0 && sample.cores <= os.cpus().length);
  assert.ok(sample.freeCores >= 0 && sample.freeCores <= sample.cores);
  assert.ok(sample.memoryFreeBytes > 0 && sample.memoryFreeBytes < sample.memoryBytes);
  assert.ok(during.residentBytes > 10_000_000 && during.openDescriptors > before.openDescriptors);
  assert.ok(during.descriptorsMax === 0 || during.openDescriptors < during.descriptorsMax);
  machine.close();
  thread.close();
  assert.equal(processReader.read().openDescriptors, before.openDescriptors);
  processReader.close();
  assert.equal(createProcessReader().read().openDescriptors, before.openDescriptors);
});
