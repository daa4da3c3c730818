import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type GraphMsu, machineId } from '../../model/index.ts';
import { deployment, graph, msu, report, sample, thread } from '../fixture.ts';
import { weightsIntervalMs } from './constants.ts';
import { Monitor } from './monitor.ts';
import { Outbox } from './outbox.ts';
import { Tables } from './tables.ts';
import { entryWeights, Weights } from './weights.ts';

/** Two instances on two machines, the second of which does a quarter of the work; weights after so many rounds. */
function weightsAfter(rounds: number, options: Partial<GraphMsu>, routing: string): number[] {
  const app = graph([msu('io', { isEntry: true }), msu('work', options)], [`io>work:${routing}`]);
  const monitor = new Monitor(app, deployment({ a: { main: [['work']] }, b: { main: [['work']] } }));
  const tables = new Tables(app, new Outbox(1));
  const weights = new Weights(monitor, app, tables);
  for (let round = 1; round <= rounds + 1; round++) {
    const nowMs = round * weightsIntervalMs;
    for (const [index, perSecond] of [100, 25].entries()) {
      const work = sample(index + 1, {
        done: round * perSecond,
        busyMs: round * 1_000,
        accepted: round * perSecond,
      });
      const machine = machineId(index === 0 ? 'a' : 'b');
      monitor.accept(
        report(round, [work], { machine, atMs: nowMs, windowMs: 1_000, threads: [thread(2, 0)] }),
        nowMs,
      );
      if (round === 1) {
        const process = monitor.processes.get(`${machine}/main`);
        assert.ok(process !== undefined);
        tables.add('work', {
          instanceId: work.instanceId,
          machine,
          process: process.process,
          weight: 1,
          isDraining: false,
        });
      }
    }
    if (round > 1) weights.tick(nowMs);
  }
  return tables.endpoints('work').map(({ weight }) => weight);
}

test('shares follow what instances can do, step by step', () => {
  const [fast = 0, slow = 0] = weightsAfter(20, {}, 'round-robin');
  assert.ok(fast > 1.2 && slow < 0.8, `${fast} and ${slow}`);
  assert.ok(fast / slow > 1.5 && fast / slow <= 4, 'rates of mixed messages are not wholly trusted');
  assert.deepEqual(
    weightsAfter(1, {}, 'round-robin'),
    [1, 1],
    'one look moves less than is worth a new table',
  );
});

test('weights of stateful types never change: their keys would move without their states', () => {
  assert.deepEqual(weightsAfter(20, { state: 'keyed' }, 'keyed'), [1, 1]);
  assert.deepEqual(weightsAfter(20, { state: 'pinned' }, 'round-robin'), [1, 1]);
});

test('where senders see the queues themselves, weights stay out of it', () => {
  assert.deepEqual(weightsAfter(20, {}, 'explicit'), [1, 1]);
});

test('a process near its limit of descriptors gets few new connections, and one without entries none', () => {
  const app = graph([msu('io', { isEntry: true }), msu('work')], ['io>work']);
  const monitor = new Monitor(
    app,
    deployment({ a: { main: [['io']] }, b: { main: [['io']] }, c: { main: [['work']] } }),
  );
  for (const [name, open, type] of [
    ['a', 100, 'io'],
    ['b', 900, 'io'],
    ['c', 100, 'work'],
  ] as const) {
    const process = { ...report(1, []).processSample, openDescriptors: open, descriptorsMax: 1_000 };
    const id = name.charCodeAt(0);
    monitor.accept(
      report(1, [sample(id, { msu: type })], { machine: machineId(name), processSample: process }),
      0,
    );
  }
  const weights = entryWeights(monitor, new Tables(app, new Outbox(1))).map(({ weight }) => weight);
  assert.deepEqual(weights, [256, 1, 0]);
});
