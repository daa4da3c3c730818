import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { machineId } from '../../model/index.ts';
import type { InstanceSample } from '../../wire/index.ts';
import { deployment, graph, msu, report, sample, thread } from '../fixture.ts';
import { lostGraceMs } from './constants.ts';
import { Monitor } from './monitor.ts';

const app = graph([msu('io', { isEntry: true }), msu('work')], ['io>work']);
const places = deployment({ a: { main: [['io'], ['work']] }, b: { main: [['work']] } });

test('whatever reports are lost, doubled or out of order, the sum of the windows is the newest counter', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 11 }), { minLength: 2, maxLength: 19 }), (order) => {
      const monitor = new Monitor(app, places);
      let newest = 0;
      let first = 0;
      for (const [index, sequence] of order.entries()) {
        monitor.accept(
          report(sequence, [sample(1, { accepted: sequence * 7, done: sequence * 5 })]),
          index * 100,
        );
        if (index === 0) first = sequence;
        newest = Math.max(newest, sequence);
      }
      const [instance] = [...monitor.type('work').instances];
      const accepted = instance?.windows.reduce((sum, window) => sum + window.accepted, 0);
      const completed = instance?.windows.reduce((sum, window) => sum + window.completed, 0);
      const spanMs = instance?.windows.reduce((sum, window) => sum + window.dtMs, 0);
      assert.equal(accepted, (newest - first) * 7);
      assert.equal(completed, (newest - first) * 5);
      assert.equal(spanMs, (newest - first) * 100);
    }),
  );
});

test('what a standstill of the process has in it is no load, whatever the counters say, and the next window counts from there', () => {
  const monitor = new Monitor(app, places);
  const queued = (sequence: number, stoodStillMs: number, atMs = sequence * 100): void => {
    const counts = { accepted: sequence * 10, done: sequence * 8, queueLength: 5, queueLengthMin: 5 };
    const busyMs = sequence * 40;
    const threads = [thread(2, sequence * 40)];
    const work = sample(1, { ...counts, busyMs });
    monitor.accept(report(sequence, [work], { atMs, stoodStillMs, threads }), atMs);
  };
  for (let sequence = 1; sequence <= 5; sequence++) queued(sequence, 0);
  const [instance] = [...monitor.type('work').instances];
  assert.equal(instance?.queuedForMs, 500);
  assert.equal(monitor.processes.get('a/main')?.recentMs, 400);
  queued(6, 900, 1_500);
  queued(7, 900, 1_600);
  assert.deepEqual(
    [instance?.queuedForMs, instance?.windows.length, instance?.recent.dtMs, instance?.recent.busyMs],
    [0, 0, 0, 0],
  );
  assert.equal(monitor.processes.get('a/main')?.recentMs, 0);
  queued(8, 0, 1_700);
  assert.equal(instance?.queuedForMs, 100);
  const { accepted, completed, busyMs, cpuMs, dtMs } = instance?.recent ?? {};
  assert.deepEqual([accepted, completed, busyMs, cpuMs, dtMs], [10, 8, 40, 40, 100]);
});

test('a machine is as free as it was while a process on it stood still', () => {
  const monitor = new Monitor(app, places);
  const free = (sequence: number, freeCores: number, stoodStillMs: number): number | undefined => {
    const { machineSample } = report(1, []);
    monitor.accept(
      report(sequence, [], { stoodStillMs, machineSample: { ...machineSample, freeCores } }),
      sequence * 100,
    );
    return monitor.machines.get(machineId('a'))?.freeCores;
  };
  assert.equal(free(1, 0.5, 0), 0.5);
  assert.equal(free(2, 2, 300), 0.5);
  assert.equal(free(3, 0.1, 0), 0.3);
});

test('a late report of an incarnation that has ended does not turn the view back', () => {
  const monitor = new Monitor(app, places);
  monitor.accept(report(5, [sample(1)]), 0);
  monitor.accept(report(1, [sample(7)], { incarnation: 'y' }), 100);
  assert.deepEqual(monitor.accept(report(6, [sample(1)]), 200), []);
  assert.deepEqual([...monitor.instances.keys()], [7]);
});

test('a restarted process loses its instances and gets those it reports', () => {
  const monitor = new Monitor(app, places);
  monitor.accept(report(1, [sample(1), sample(2)]), 0);
  const incidents = monitor.accept(report(1, [sample(2)], { incarnation: 'y' }), 100);
  const changes = incidents.map((incident) =>
    incident.kind === 'instance-changed'
      ? `${incident.instance.instanceId} ${incident.isGone ? 'gone' : 'new'}`
      : incident.kind,
  );
  assert.deepEqual(changes, ['1 gone', '2 gone', 'process-restarted', '2 new']);
});

test('counters that went back began anew with their thread', () => {
  const monitor = new Monitor(app, places);
  monitor.accept(report(1, [sample(1, { accepted: 100, done: 90 })]), 0);
  monitor.accept(report(2, [sample(1, { accepted: 4, done: 3 })]), 100);
  const [instance] = [...monitor.type('work').instances];
  assert.equal(instance?.windows.at(-1)?.accepted, 4);
  assert.equal(instance?.windows.at(-1)?.completed, 3);
});

test('a process is suspect after 3 silent periods and dead after 10, while another is heard', () => {
  const monitor = new Monitor(app, places);
  monitor.accept(report(1, [sample(1)]), 0);
  const seen: string[] = [];
  for (let tick = 1; tick <= 14; tick++) {
    const nowMs = tick * 100;
    monitor.accept(report(tick, [sample(2)], { machine: machineId('b') }), nowMs);
    for (const incident of monitor.check(nowMs))
      if (incident.kind !== 'instance-changed') seen.push(`${tick} ${incident.kind}`);
  }
  assert.deepEqual(seen, ['4 process-suspect', '11 process-dead']);
  assert.deepEqual([...monitor.instances.keys()], [2]);
});

test('heartbeats keep a process alive and bring it back from suspicion, but not from the dead, nor for another incarnation', () => {
  const monitor = new Monitor(app, places);
  const first = report(1, [sample(1)]);
  const other = report(1, [sample(2)], { machine: machineId('b') });
  monitor.accept(first, 0);
  monitor.accept(other, 0);
  const status = (): string | undefined => monitor.processes.get('a/main')?.status;
  const until = (ms: number, isHeard: boolean): void => {
    for (let nowMs = startMs; nowMs <= ms; nowMs += 100) {
      if (isHeard) monitor.heard(first, nowMs);
      else monitor.heard({ ...first, incarnation: 'another' }, nowMs);
      monitor.heard(other, nowMs);
      monitor.check(nowMs);
    }
    startMs = ms + 100;
  };
  let startMs = 100;
  until(3_000, true);
  assert.equal(status(), 'alive');
  until(3_500, false);
  assert.equal(status(), 'suspect');
  assert.deepEqual(
    monitor.heard(first, 3_600).map(({ kind }) => kind),
    ['process-back'],
  );
  assert.equal(status(), 'alive');
  until(5_000, false);
  assert.equal(status(), 'dead');
  assert.deepEqual(monitor.heard(first, 5_100), []);
  assert.equal(status(), 'dead');
  assert.deepEqual(monitor.heard({ ...first, machine: machineId('unknown') }, 5_100), []);
});

test('the only process is never dead, and a pause of the controller blames nobody', () => {
  const alone = new Monitor(app, places);
  alone.accept(report(1, [sample(1)]), 0);
  for (let nowMs = 100; nowMs <= 5_000; nowMs += 100) {
    assert.ok(alone.check(nowMs).every(({ kind }) => kind === 'process-suspect'));
  }
  assert.equal(alone.instances.size, 1);

  const paused = new Monitor(app, places);
  paused.accept(report(1, [sample(1)]), 0);
  paused.accept(report(1, [sample(2)], { machine: machineId('b') }), 0);
  paused.check(100);
  assert.deepEqual(paused.check(8_000), []);
  assert.ok([...paused.processes.values()].every(({ status }) => status === 'alive'));
});

test('an instance whose thread is being replaced counts as before; not back in time, or given up, it is lost', () => {
  const monitor = new Monitor(app, places);
  const phase = (): string | undefined => [...monitor.type('work').instances][0]?.phase;
  const lost = sample(1, { phase: 'lost' });
  monitor.accept(report(1, [sample(1)]), 0);
  monitor.accept(report(2, [lost]), 200);
  monitor.accept(report(3, [lost]), 200 + lostGraceMs - 1);
  assert.equal(phase(), 'serving');
  monitor.accept(report(4, [lost]), 200 + lostGraceMs);
  assert.equal(phase(), 'lost');
  monitor.accept(report(9, [sample(1)]), 900);
  assert.equal(phase(), 'serving');
  monitor.accept(report(10, [sample(1, { phase: 'lost', givenUp: 'start-failed' })]), 1_000);
  assert.equal(phase(), 'lost');
});

test('one whose thread is being replaced when the controller first hears of it counts as serving, one given up does not', () => {
  const monitor = new Monitor(app, places);
  const lost = [sample(1, { phase: 'lost' }), sample(2, { phase: 'lost', givenUp: 'restart-kind' })];
  monitor.accept(report(1, lost), 0);
  const phases = (): string[] => [...monitor.instances.values()].map(({ phase }) => phase);
  assert.deepEqual(phases(), ['serving', 'lost']);
  monitor.accept(report(2, lost), lostGraceMs);
  assert.deepEqual(phases(), ['lost', 'lost'], 'and not for longer than any other');
});

test('the queue counts as persistent only for as long as reports have shown it', () => {
  const monitor = new Monitor(app, places);
  const queued = (sequence: number, min: number): number => {
    monitor.accept(report(sequence, [sample(1, { queueLengthMin: min, queueLength: min })]), sequence * 100);
    return [...monitor.type('work').instances][0]?.queuedForMs ?? -1;
  };
  assert.equal(queued(1, 2), 100);
  assert.equal(queued(2, 1), 200);
  assert.equal(queued(5, 1), 300, 'two reports are missing: what they would have shown is not known');
  assert.equal(queued(6, 0), 0);
});

test('a process that was stopped for long does not look idle for longer than until its next report', () => {
  const monitor = new Monitor(app, places);
  const at = (sequence: number, atMs: number, cpuMs: number, freeCores: number): void => {
    const { machineSample } = report(sequence, []);
    const windowMs = atMs - lastMs;
    lastMs = atMs;
    monitor.accept(
      report(sequence, [sample(1, { accepted: cpuMs, done: cpuMs, busyMs: cpuMs })], {
        atMs,
        windowMs,
        machineSample: { ...machineSample, freeCores },
        threads: [thread(2, cpuMs)],
      }),
      atMs,
    );
  };
  let lastMs = 0;
  at(1, 0, 0, 2);
  for (let sequence = 2; sequence <= 6; sequence++) at(sequence, (sequence - 1) * 100, 0, 2);
  const [instance] = [...monitor.type('work').instances];
  const machine = monitor.machines.get(machineId('a'));
  at(7, 8_500, 0, 2);
  assert.equal(instance?.recent.dtMs, 1_000);
  at(8, 8_600, 100, 0);
  assert.equal(instance?.recent.dtMs, 100);
  assert.equal(instance?.recent.cpuMs, 100);
  assert.equal(instance?.process.recentMs, 100);
  assert.equal(machine?.freeCores, 0);
});

test('CPU time of a shared thread goes to those who used it', () => {
  const monitor = new Monitor(app, places);
  const both = (busyOne: number, busyTwo: number): InstanceSample[] => [
    sample(1, { busyMs: busyOne }),
    sample(2, { msu: 'io', busyMs: busyTwo, inService: 1 }),
  ];
  monitor.accept(report(1, both(0, 0), { threads: [thread(2, 0)] }), 0);
  monitor.accept(report(2, both(30, 10), { threads: [thread(2, 80)] }), 100);
  const cpu = [...monitor.instances.values()].map((instance) =>
    Math.round(instance.windows.at(-1)?.cpuMs ?? 0),
  );
  assert.deepEqual(cpu, [30, 50], 'what is not booked yet is of the one that has a message in service');
});

test('free cores are averaged over time, whatever lengths reports cover: what was free at rest is not outvoted', () => {
  const monitor = new Monitor(app, places);
  const { machineSample } = report(1, []);
  const at = (sequence: number, atMs: number, windowMs: number, freeCores: number): void => {
    const options = { atMs, windowMs, machineSample: { ...machineSample, freeCores } };
    monitor.accept(report(sequence, [sample(1)], options), atMs);
  };
  at(1, 0, 0, 2);
  assert.equal(monitor.machines.get(machineId('a'))?.freeCores, 2);
  at(2, 1_000, 500, 1.8);
  for (let i = 1; i <= 3; i++) at(2 + i, 1_000 + i * 100, 100, 0.2);
  const free = monitor.machines.get(machineId('a'))?.freeCores ?? 0;
  assert.ok(Math.abs(free - (500 * 1.8 + 300 * 0.2) / 800) < 1e-9, `${free}`);
});

test('with a long sample period, a report at rest counts for what lies within the last second, and no longer', () => {
  const monitor = new Monitor(app, deployment({ a: { main: [['io'], ['work']] } }, { samplePeriodMs: 500 }));
  const { machineSample } = report(1, []);
  let sequence = 0;
  let doneMs = 0;
  let lastMs = 0;
  const at = (atMs: number, busyMs: number, freeCores: number): void => {
    doneMs += busyMs;
    const windowMs = atMs - lastMs;
    lastMs = atMs;
    const figures = { accepted: doneMs, done: doneMs, busyMs: doneMs };
    const options = {
      atMs,
      windowMs,
      machineSample: { ...machineSample, freeCores },
      threads: [thread(2, doneMs)],
    };
    monitor.accept(report(++sequence, [sample(1, figures)], options), atMs);
  };
  const seen = (): readonly number[] => {
    const [instance] = monitor.instances.values();
    const { dtMs = 0, cpuMs = 0, completed = 0 } = instance?.recent ?? {};
    const freeCores = monitor.machines.get(machineId('a'))?.freeCores ?? 0;
    return [dtMs, instance?.process.recentMs ?? 0, cpuMs, completed, freeCores];
  };
  at(0, 0, 2);
  at(2_520, 252, 2);
  assert.deepEqual(seen(), [1_000, 1_000, 100, 100, 2]);
  at(3_020, 500, 0);
  assert.deepEqual(seen(), [1_000, 1_000, 550, 550, 1], 'half a second of each');
  at(3_520, 500, 0);
  assert.deepEqual(seen(), [1_000, 1_000, 1_000, 1_000, 0]);
});

test('reports that come a little late, or early, lose nothing of what they count', () => {
  const monitor = new Monitor(app, places);
  for (let i = 0; i <= 20; i++) {
    const atMs = i * 100 + 4 * (i % 3);
    monitor.accept(
      report(i + 1, [sample(1, { accepted: i * 3, done: i * 3 })], { atMs, windowMs: 100 }),
      atMs,
    );
    const [instance] = monitor.instances.values();
    assert.ok((instance?.recent.completed ?? 0) >= Math.min(i, 10) * 3, `${instance?.recent.completed}`);
  }
});
