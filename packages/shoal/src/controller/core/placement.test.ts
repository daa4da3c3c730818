import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type GraphMsu, machineId, processId } from '../../model/index.ts';
import { createSeededRandom } from '../../testing/index.ts';
import { deployment, graph, msu, report, sample, thread } from '../fixture.ts';
import { Monitor } from './monitor.ts';
import { niceOf, Placer } from './placement.ts';

const app = graph(
  [
    msu('io', { isEntry: true, execution: 'async', state: 'pinned' }),
    msu('work', { instancesMax: 30, dependencies: [{ msu: 'cache', locality: 'local' }] }),
    msu('cache', { execution: 'async', machines: ['m0', 'm1', 'm2'] }),
  ],
  ['io>work', 'work>cache'],
);

interface Host {
  readonly cores: number;
  readonly freeCores: number;
  readonly hasWork: boolean;
  readonly workCores: number;
  readonly memoryFree: number;
}

const host = fc.record({
  cores: fc.integer({ min: 1, max: 16 }),
  freeCores: fc.double({ min: 0, max: 16, noNaN: true }),
  hasWork: fc.boolean(),
  workCores: fc.double({ min: 0, max: 1, noNaN: true }),
  memoryFree: fc.integer({ min: 0, max: 4_096 }),
});

function cluster(hosts: readonly Host[]): { monitor: Monitor; placer: Placer } {
  const machines = Object.fromEntries(hosts.map((_, index) => [`m${index}`, { main: [['work']] }]));
  const places = deployment(machines);
  const monitor = new Monitor(app, places);
  for (const [index, { cores, freeCores, hasWork, workCores, memoryFree }] of hosts.entries()) {
    for (let sequence = 1; sequence <= 11; sequence++) {
      const cpuMs = sequence * 100 * workCores;
      monitor.accept(
        report(sequence, hasWork ? [sample(index + 1, { busyMs: cpuMs, done: sequence })] : [], {
          machine: machineId(`m${index}`),
          threads: [thread(2, cpuMs)],
          machineSample: {
            cores,
            freeCores: Math.min(cores, freeCores),
            memoryBytes: 4_096 * 2 ** 20,
            memoryFreeBytes: memoryFree * 2 ** 20,
            throttledPeriods: 0,
            throttledMs: 0,
            networkInBytes: 0,
            networkOutBytes: 0,
          },
        }),
        sequence * 100,
      );
    }
  }
  return { monitor, placer: new Placer(monitor, app, places, createSeededRandom(1)) };
}

test('whatever is placed: free cores, memory, bounds and machines are kept, and every dependency is there', () => {
  fc.assert(
    fc.property(
      fc.array(host, { minLength: 1, maxLength: 5 }),
      fc.integer({ min: 1, max: 40 }),
      (hosts, count) => {
        const { monitor, placer } = cluster(hosts);
        const type = monitor.type('work');
        const { units } = placer.place(
          { type, count, processes: null, relieves: '', isForced: false },
          [],
          1_100,
        );
        assert.ok(units.length <= count);
        const all = units.flat();
        assert.ok(type.instances.size + all.filter(({ msu: name }) => name === 'work').length <= 30);
        for (const [index, { cores, freeCores, hasWork, workCores, memoryFree }] of hosts.entries()) {
          const here = all.filter(({ process }) => process.machine === `m${index}`);
          const placed = here.filter(({ msu: name }) => name === 'work').length;
          const headroom = Math.min(cores, Math.min(cores, freeCores) + (hasWork ? workCores : 0));
          if (placed > 0) {
            // Rounded up: the last one may get less than a whole core, but a useful part of it.
            assert.ok(
              placed + (hasWork ? 1 : 0) <= Math.ceil(headroom),
              `${placed} placed into ${headroom} cores`,
            );
            assert.ok(memoryFree - 32 * here.length >= 0.1 * 4_096 - 1e-6);
          }
          const caches = here.filter(({ msu: name }) => name === 'cache').length;
          assert.equal(caches, placed > 0 ? 1 : 0, 'the cache comes along once');
          if (index > 2) assert.equal(placed, 0, 'where the cache may not run, what needs it is not placed');
        }
        for (const unit of units) assert.equal(unit.at(-1)?.msu, 'work', 'dependencies come first');
      },
    ),
    { numRuns: 300 },
  );
});

test("a type's own use of a core is not held against it, that of others is", () => {
  const burning: Host = { cores: 2, freeCores: 0.6, hasWork: true, workCores: 1, memoryFree: 4_096 };
  const request = (hosts: readonly Host[]): number => {
    const { monitor, placer } = cluster(hosts);
    const type = monitor.type('work');
    return placer.place({ type, count: 5, processes: null, relieves: '', isForced: false }, [], 1_100).units
      .length;
  };
  assert.equal(request([burning]), 1);
  assert.equal(request([{ ...burning, freeCores: 0.1 }]), 0, 'others use 0.9 of the two cores');
  assert.equal(request([{ ...burning, cores: 8, freeCores: 6.6 }]), 5);
});

test('a place that is refused is named with its reason', () => {
  const { monitor, placer } = cluster([
    { cores: 2, freeCores: 0, hasWork: true, workCores: 1, memoryFree: 4_096 },
    { cores: 8, freeCores: 8, hasWork: false, workCores: 0, memoryFree: 100 },
    { cores: 8, freeCores: 8, hasWork: false, workCores: 0, memoryFree: 4_096 },
    { cores: 8, freeCores: 8, hasWork: false, workCores: 0, memoryFree: 4_096 },
  ]);
  const m2 = monitor.processes.get('m2/main');
  assert.ok(m2 !== undefined);
  m2.status = 'suspect';
  const type = monitor.type('work');
  const { units, rejected } = placer.place(
    { type, count: 1, processes: null, relieves: '', isForced: false },
    [],
    1_100,
  );
  assert.equal(units.length, 0);
  assert.deepEqual(
    rejected.map(({ process, reason }) => `${process}: ${reason}`),
    [
      'm0/main: no free core: others leave it 1.00 of the 2 cores of m0',
      'm1/main: it needs cache on the same process, but: m1 has 100 MiB of memory free',
      'm2/main: the process has missed reports',
      'm3/main: it needs cache on the same process, but: cache may not run on m3',
    ],
  );
});

test('clones that compute yield to everything else; those that hold sockets do not', () => {
  assert.ok(niceOf(msu('regex')) > 0);
  assert.ok(niceOf(msu('risky', { execution: 'async', runLimitMs: 500 })) > 0);
  assert.equal(niceOf(msu('read', { execution: 'async', state: 'pinned' })), 0);
  assert.equal(niceOf(msu('listener', { isEntry: true })), 0);
});

test('one of a colocation group joins a thread of its group that has time, and that it may share', () => {
  const target = (cpuMs: number, options: Partial<GraphMsu> = {}): string => {
    const types = [
      msu('io', { isEntry: true, execution: 'async', state: 'pinned' }),
      msu('left', { colocation: 'pair', execution: 'async', ...options }),
      msu('right', { colocation: 'pair', execution: 'async' }),
    ];
    const paired = graph(types, ['io>left', 'left>right']);
    const places = deployment({ a: { main: [['io'], ['left']] } });
    const monitor = new Monitor(paired, places);
    const left = sample(1, { msu: 'left' });
    monitor.accept(report(1, [left], { process: processId('main'), threads: [thread(2, 0)] }), 0);
    monitor.accept(report(2, [left], { process: processId('main'), threads: [thread(2, cpuMs)] }), 100);
    const placer = new Placer(monitor, paired, places, createSeededRandom(1));
    const type = monitor.type('right');
    const { units } = placer.place(
      { type, count: 1, processes: null, relieves: '', isForced: false },
      [],
      200,
    );
    return units[0]?.[0]?.target.kind ?? 'none';
  };
  assert.equal(target(10), 'thread');
  assert.equal(target(80), 'own');
  const message = { kind: 'connection', fields: null } as const;
  const out = [{ name: 'out', kind: 'sends', message, reply: null, timeoutMs: 0 }] as const;
  assert.equal(target(10, { state: 'pinned', out }), 'own');
});
