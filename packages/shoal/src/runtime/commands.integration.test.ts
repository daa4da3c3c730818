import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as os from 'node:os';
import { test } from 'node:test';
import { machineId, processId } from '../model/index.ts';
import type { RoutingTable } from '../wire/index.ts';
import { endWorker } from './node-faults.ts';
import { id, startApp, type TestRuntime, unaccounted, watchWorkers } from './test-apps/start.ts';

const flow = [
  { name: 'a', core: -1, nice: 0, scheduling: 'fifo' as const, instances: ['source'] },
  { name: 'b', core: -1, nice: 0, scheduling: 'fifo' as const, instances: ['worker'] },
  { name: 'c', core: -1, nice: 0, scheduling: 'fifo' as const, instances: ['sink', 'asker'] },
  { name: 'd', core: -1, nice: 0, scheduling: 'fifo' as const, instances: ['stubborn'] },
];

function table(edgeId: number, version: number, instances: readonly number[]): RoutingTable {
  return {
    edgeId,
    version,
    endpoints: instances.map((instance) => ({
      instanceId: id(instance),
      machine: machineId('local'),
      process: processId('main'),
      weight: 1,
      isDraining: false,
    })),
  };
}

const counter = (app: TestRuntime, msu: string, name: string): number =>
  app.instances(msu).reduce((sum, sample) => sum + (sample.counters[name] ?? 0), 0);

/** Instance ids are given in the order of placement. */
const workerId = 2;

test('an instance is added, serves, is drained and removed under load, and nothing is lost', async (t) => {
  const app = await startApp('flow', { threads: flow });
  t.after(() => app.runtime.close());
  await app.until('load', () => counter(app, 'sink', 'taken') > 50);
  for (let round = 0; round < 3; round++) {
    const clone = 100 + round;
    const added = await app.command({
      kind: 'add-instance',
      instanceId: id(clone),
      msu: 'worker',
      target: { kind: 'own' },
      nice: 0,
    });
    assert.ok(added.isOk, JSON.stringify(added));
    const both = [workerId, clone];
    const version = 10 + round * 10;
    await app.command({ kind: 'set-tables', tables: [table(0, version, both), table(1, version, both)] });
    // One edge alone, again and again: the other's lane must not mind.
    for (let i = 1; i < 5; i++)
      await app.command({ kind: 'set-tables', tables: [table(0, version + i, both)] });
    await app.until('work of the clone', () => {
      const sample = app.instances('worker').find(({ instanceId }) => instanceId === clone);
      return sample !== undefined && sample.done > 40;
    });
    const one = [workerId];
    await app.command({
      kind: 'set-tables',
      tables: [table(0, version + 5, one), table(1, version + 5, one)],
    });
    const drained = await app.command({ kind: 'drain-instance', instanceId: id(clone), drainMaxMs: 5_000 });
    assert.ok(drained.isOk, JSON.stringify(drained));
    const last = app.instances('worker').find(({ instanceId }) => instanceId === clone);
    assert.ok(last !== undefined);
    assert.deepEqual((await app.command({ kind: 'remove-instance', instanceId: id(clone) })).isOk, true);
    assert.ok(
      (await app.command({ kind: 'remove-instance', instanceId: id(clone) })).isOk,
      'again is alright',
    );
  }
  const threads = app.last().threads.length;
  assert.ok(threads <= 5, `${threads} threads are left`);
  // The asker's requests are held for ever: draining ends with the rest.
  await app.command({ kind: 'remove-instance', instanceId: id(5) });
  assert.equal(await app.runtime.drain(), true, JSON.stringify(app.last().instances, null, 1));
  await app.runtime.close();
  assert.deepEqual(unaccounted(app.last()), []);
  const sent = counter(app, 'source', 'sent');
  assert.ok(sent > 200);
  for (const outcome of ['failed', 'shed', 'timeout'])
    assert.equal(counter(app, 'source', outcome), 0, `requests ended as ${outcome}`);
  // What the removed clones had taken, they passed on: all of it came out at the end.
  assert.equal(counter(app, 'sink', 'taken'), sent);
});

test('a replaced instance serves only when it knows where to send: what waited for it gets through', async (t) => {
  const watch = watchWorkers();
  t.after(() => watch.stop());
  const app = await startApp('flow', { threads: flow.slice(0, 3) });
  t.after(() => app.runtime.close());
  await app.until('report', () => true);
  for (let round = 0; round < 4; round++) {
    const taken = counter(app, 'sink', 'taken');
    await app.until('load', () => counter(app, 'sink', 'taken') > taken + 30);
    const lost = app.events.filter(({ kind }) => kind === 'thread-replaced').length;
    const workers = [...watch.workers];
    for (const worker of workers) void endWorker(worker);
    await app.until(
      'replacements',
      () => app.events.filter(({ kind }) => kind === 'thread-replaced').length === lost + workers.length,
    );
  }
  await app.runtime.close();
  for (const msu of ['source', 'worker'])
    assert.equal(app.instances(msu)[0]?.refused['no-endpoint'], undefined, `${msu} had nowhere to send`);
  assert.deepEqual(unaccounted(app.last()), []);
});

test('what an instance holds when it is removed fails, its requesters are told, and the counts add up', async (t) => {
  const app = await startApp('flow', { threads: flow });
  t.after(() => app.runtime.close());
  await app.until('requests', () => app.instances('stubborn')[0]?.accepted === 3);
  const drained = await app.command({ kind: 'drain-instance', instanceId: id(5), drainMaxMs: 50 });
  assert.equal(!drained.isOk && drained.reason, 'not-drained');
  await app.command({ kind: 'remove-instance', instanceId: id(5) });
  const { reply } = await app.result('held 0');
  assert.deepEqual(reply, { outcome: 'failed', reason: 'thread-lost', detail: '' });
  for (const n of [1, 2])
    assert.deepEqual((await app.result(`held ${n}`)).reply, { outcome: 'shed', reason: 'stopping' });
});

test('commands are carried out once, in their epoch; a new controller begins its versions anew', async (t) => {
  const app = await startApp('flow', { threads: flow });
  t.after(() => app.runtime.close());
  const add = {
    kind: 'add-instance',
    instanceId: id(50),
    msu: 'worker',
    target: { kind: 'own' },
    nice: 0,
  } as const;
  const [first, again] = await Promise.all([app.command(add, 5, 'same'), app.command(add, 5, 'same')]);
  assert.ok(first.isOk);
  assert.deepEqual(again, first);
  const other = await app.command(add, 5);
  assert.equal(!other.isOk && other.reason, 'start-failed');
  const stale = await app.command({ kind: 'remove-instance', instanceId: id(50) }, 4);
  assert.equal(!stale.isOk && stale.reason, 'stale-epoch');
  const inForce = (): number | undefined => app.last().tables.find(({ edgeId }) => edgeId === 0)?.version;
  const nextReport = async (): Promise<void> => {
    const { sequence } = app.last();
    await app.until('report', () => app.last().sequence > sequence);
  };
  await app.command({ kind: 'set-tables', tables: [table(0, 7, [workerId, 50])] }, 5);
  await app.command({ kind: 'set-tables', tables: [table(0, 6, [workerId])] }, 5);
  await nextReport();
  assert.deepEqual([app.last().epoch, inForce()], [5, 7], 'an older table of the same controller is ignored');
  await app.command({ kind: 'set-tables', tables: [table(0, 1, [workerId])] }, 6);
  await nextReport();
  assert.deepEqual([app.last().epoch, inForce()], [6, 1]);
  const unknown = await app.command({ kind: 'drain-instance', instanceId: id(999), drainMaxMs: 10 }, 6);
  assert.equal(!unknown.isOk && unknown.reason, 'unknown-instance');
});

test('an instance that is added with a niceness has it from the start, on a new thread and on a spare one', async (t) => {
  const nices = (): number[] =>
    fs.readdirSync('/proc/self/task').flatMap((tid) => {
      try {
        // The name of a thread, in brackets, may contain anything: fields are counted from behind it.
        return Number(
          fs.readFileSync(`/proc/self/task/${tid}/stat`, 'utf8').split(') ').pop()?.split(' ')[16],
        );
      } catch {
        return []; // It has ended since the folder was read.
      }
    });
  for (const spareThreads of [0, 1]) {
    // A number of its own for each round: the thread of the first one still lives in the second.
    const nice = Math.min(19, os.getPriority() + 5 + spareThreads);
    const app = await startApp('flow', { threads: flow, spareThreads });
    t.after(() => app.runtime.close());
    await app.until(
      'spare thread',
      () => app.last().threads.filter(({ phase }) => phase === 'spare').length === spareThreads,
    );
    const target = { kind: 'own' } as const;
    const added = await app.command({
      kind: 'add-instance',
      instanceId: id(50),
      msu: 'worker',
      target,
      nice,
    });
    assert.ok(added.isOk, JSON.stringify(added));
    assert.equal(nices().filter((found) => found === nice).length, 1, `spares: ${spareThreads}`);
  }
});

test('threads that park have a shorter time slice than those with an event loop, and niced ones the usual', async (t) => {
  /** How many threads have each slice, in ns, where the kernel shows it. */
  const slices = (): Map<string, number> => {
    const found = new Map<string, number>();
    for (const tid of fs.readdirSync('/proc/self/task')) {
      try {
        const shown = fs.readFileSync(`/proc/self/task/${tid}/sched`, 'utf8');
        const slice = /^se\.slice\s+:\s+(\d+)/m.exec(shown)?.[1] ?? '';
        found.set(slice, (found.get(slice) ?? 0) + 1);
      } catch {
        // It has ended since the folder was read, or the kernel shows none.
      }
    }
    return found;
  };
  const [major = 0, minor = 0] = os.release().split('.').map(Number);
  const knowsSlices =
    [...slices()].some(([slice]) => slice !== '') && (major > 6 || (major === 6 && minor >= 12));
  const expected = (count: number): number => (knowsSlices ? count : 0);
  const ours = (): number[] => ['100000', '300000'].map((slice) => slices().get(slice) ?? 0);
  assert.deepEqual(ours(), [0, 0]);
  const app = await startApp('flow', { threads: flow });
  t.after(() => app.runtime.close());
  // The source, and the sink with the asker; the worker, and the stubborn one, both of which await.
  assert.deepEqual(ours(), [2, 2].map(expected));
  for (const [nice, ofClone] of [
    [0, 1],
    [Math.min(19, os.getPriority() + 1), 0],
  ] as const) {
    const [parking, looping] = ours() as [number, number];
    const target = { kind: 'own' } as const;
    const instanceId = id(50 + nice);
    const added = await app.command({ kind: 'add-instance', instanceId, msu: 'worker', target, nice });
    assert.ok(added.isOk, JSON.stringify(added));
    assert.deepEqual(ours(), [parking, looping + expected(ofClone)], `niceness ${nice}`);
  }
});

test('a runtime that is closed leaves no thread, timer or descriptor behind', async () => {
  const open = (): string[] =>
    fs
      .readdirSync('/proc/self/fd')
      .map((descriptor) => {
        try {
          return fs.readlinkSync(`/proc/self/fd/${descriptor}`).replace(/\[\d+\]$|\d+/g, '#');
        } catch {
          return ''; // The listing's own.
        }
      })
      .sort();
  const threads = (): number => fs.readdirSync('/proc/self/task').length;
  const handles = (): string[] => process.getActiveResourcesInfo().sort();
  const settle = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 100));
  // The first one loads what stays for the process: native code, thread pools.
  await (await startApp('flow', { threads: flow, drainMaxMs: 1_000 })).runtime.close();
  await settle();
  const before = { open: open(), threads: threads(), handles: handles() };
  for (let round = 0; round < 3; round++) {
    const app = await startApp('flow', { threads: flow, drainMaxMs: 300, spareThreads: 1 });
    await app.until('load', () => counter(app, 'sink', 'taken') > 20);
    await app.runtime.drain();
    await app.runtime.close();
    await app.runtime.close();
  }
  await settle();
  assert.deepEqual({ open: open(), threads: threads(), handles: handles() }, before);
});
