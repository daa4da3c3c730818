import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { MachineAccounting } from './accounting.ts';
import { accountingBetween } from './accounting.ts';
import { placeMachines } from './layout.ts';
import { renderStatus } from './status.ts';
import { twoMachines } from './testing/two-machines.ts';

const state = {
  id: 'abc123',
  keeperPid: 1,
  keeperStartTicks: 1,
  runnerPid: 42,
  startedAt: '2026-01-01T00:00:00.000Z',
  logFolder: '/tmp/logs',
  machines: placeMachines('abc123', twoMachines),
};

const used: MachineAccounting = {
  machine: 'web1',
  cpuSeconds: 1.5,
  periods: 100,
  throttledCount: 10,
  throttledSeconds: 0.5,
  memoryBytes: 1 << 20,
  peakMemoryBytes: 3 << 20,
  oomKills: 1,
  receivedBytes: 1 << 20,
  sentBytes: 2 << 20,
  processes: 2,
};

test('the status of a testbed has a line for each machine, figures in columns', () => {
  const lines = renderStatus([{ state, accounting: [used] }]).split('\n');
  assert.equal(lines.length, 4);
  assert.match(lines[0] ?? '', /^Testbed abc123: up since .* run by process 42, logs in \/tmp\/logs$/);
  assert.match(lines[2] ?? '', /^web1 +web +10\.77\.0\.1 +0\.40 +192 +1\.50 +10 +3 +1\.00 +2\.00 +1 +2$/);
  assert.equal(lines[2]?.length, lines[3]?.length);
});

test('an abandoned testbed is called so, and none at all says how to make one', () => {
  assert.match(
    renderStatus([{ state, accounting: null }]),
    /^Testbed abc123: abandoned; "npm run lab -- down abc123"/,
  );
  assert.equal(renderStatus([]), 'No testbed is up. "npm run lab -- up" makes one.');
});

test('the difference of two readings subtracts what grows and keeps what is a level', () => {
  const later = {
    ...used,
    cpuSeconds: 4,
    throttledCount: 15,
    sentBytes: 5 << 20,
    memoryBytes: 9,
    processes: 1,
  };
  assert.deepEqual(accountingBetween([used], [later]), [
    {
      ...later,
      cpuSeconds: 2.5,
      periods: 0,
      throttledCount: 5,
      throttledSeconds: 0,
      oomKills: 0,
      receivedBytes: 0,
      sentBytes: 3 << 20,
    },
  ]);
});
