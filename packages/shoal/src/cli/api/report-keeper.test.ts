import assert from 'node:assert/strict';
import { test } from 'node:test';
import { instanceId, machineId, processId, threadId } from '../../model/index.ts';
import { bucketOf, type InstanceSample, type Report } from '../../wire/index.ts';
import { createReportKeeper } from './report-keeper.ts';

function sample(id: number, times: readonly number[]): InstanceSample {
  return {
    instanceId: instanceId(id),
    msu: 'work',
    threadId: threadId(1),
    phase: 'serving',
    givenUp: null,
    queueLength: 0,
    queueLengthMin: 0,
    queueLengthMax: 0,
    inService: 0,
    accepted: 0,
    done: 0,
    failed: {},
    shed: {},
    refused: {},
    handlerMs: 0,
    busyMs: 0,
    items: 0,
    serviceTime: [],
    sojournTime: times,
    errors: 0,
    states: 0,
    resources: {},
    counters: {},
    ports: [],
    orphans: 0,
    noticesCoalesced: 0,
    noticesLost: 0,
  };
}

function report(
  atMs: number,
  instances: readonly InstanceSample[],
  incarnation = 'first',
  process = 'main',
): Report {
  return {
    machine: machineId('local'),
    process: processId(process),
    incarnation,
    sequence: atMs,
    atMs,
    windowMs: 100,
    stoodStillMs: 0,
    epoch: 1,
    tables: [],
    machineSample: {
      cores: 2,
      freeCores: 1,
      memoryBytes: 1,
      memoryFreeBytes: 1,
      throttledPeriods: 0,
      throttledMs: 0,
      networkInBytes: 0,
      networkOutBytes: 0,
    },
    processSample: {
      residentBytes: 1,
      openDescriptors: 1,
      descriptorsMax: 1,
      loopDelayMs: 0,
      cpuMs: 0,
      resources: [],
    },
    threads: [],
    instances,
    events: [],
  };
}

/** A histogram of `count` messages that took `ms` each. */
function histogram(...entries: readonly [ms: number, count: number][]): number[] {
  const buckets: number[] = [];
  for (const [ms, count] of entries) buckets[bucketOf(ms)] = count;
  return Array.from(buckets, (count) => count ?? 0);
}

test('sojourn times are those of the last second, over all instances of a type, also on several processes', () => {
  const keeper = createReportKeeper();
  keeper.accept(report(0, [sample(1, histogram([1_000, 50]))]));
  for (let atMs = 100; atMs <= 3_000; atMs += 100) {
    const fast = atMs > 2_000 ? (atMs - 2_000) / 10 : 0;
    keeper.accept(report(atMs, [sample(1, histogram([1_000, 50], [2, fast]))]));
    keeper.accept(report(atMs, [sample(2, histogram([8, fast]))], 'first', 'other'));
  }
  const { work } = keeper.sojourn();
  assert.ok(work !== undefined);
  assert.ok(
    work.p50Ms < 3,
    `${work.p50Ms}: half of the messages took 2 ms, the old ones of 1 s do not count`,
  );
  assert.ok(work.p99Ms > 7 && work.p99Ms < 10, `${work.p99Ms}`);
  assert.equal(keeper.latest().length, 2);
});

test('a restarted process begins anew: its counters are not compared with those of its predecessor', () => {
  const keeper = createReportKeeper();
  keeper.accept(report(0, [sample(1, histogram([1, 1_000]))]));
  keeper.accept(report(100, [sample(1, histogram([1, 5]))], 'second'));
  keeper.accept(report(200, [sample(1, histogram([1, 9]))], 'second'));
  assert.ok((keeper.sojourn().work?.p50Ms ?? 0) > 0);
  assert.equal(keeper.latest()[0]?.incarnation, 'second');
});

test('a type in which nothing ended has no times', () => {
  const keeper = createReportKeeper();
  keeper.accept(report(0, [sample(1, [])]));
  keeper.accept(report(100, [sample(1, [])]));
  assert.deepEqual(keeper.sojourn(), {});
});
