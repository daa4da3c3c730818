import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defaultPolicy, type GraphMsu } from '../../model/index.ts';
import type { InstanceSample, Report, ThreadSample } from '../../wire/index.ts';
import { deployment, graph, msu, report, sample, thread } from '../fixture.ts';
import { type Overload, overloadsOf } from './detector.ts';
import { Monitor } from './monitor.ts';

/** What is detected for `work` after each of the reports. */
function detections(
  reports: readonly {
    readonly instances: readonly InstanceSample[];
    readonly threads?: readonly ThreadSample[];
    readonly options?: Partial<Report>;
  }[],
  options: Partial<GraphMsu> = {},
): (Overload | null)[] {
  const app = graph([msu('io', { isEntry: true }), msu('work', options)], ['io>work']);
  const monitor = new Monitor(app, deployment({ a: { main: [['io'], ['work']] } }));
  return reports.map(({ instances, threads = [], options: more = {} }, index) => {
    monitor.accept(report(index + 1, instances, { threads, ...more }), index * 100);
    const [first] = overloadsOf(monitor.type('work'), app, defaultPolicy, index * 100);
    return first ?? null;
  });
}

const rules = (found: readonly (Overload | null)[]): string[] =>
  found.map((overload) => overload?.rule ?? '–');

test('(a) a queue that is never empty for a window is overload; one that is seen empty once is not', () => {
  const queued = { instances: [sample(1, { queueLength: 1, queueLengthMin: 1 })] };
  const empty = { instances: [sample(1, { queueLength: 1, queueLengthMin: 0 })] };
  assert.deepEqual(rules(detections([queued, queued, queued, empty, queued, queued])), [
    '–',
    '–',
    'persistent-queue',
    '–',
    '–',
    '–',
  ]);
});

test('(a) one idle instance on a process is enough for it not to be overloaded', () => {
  const both = {
    instances: [sample(1, { queueLength: 9, queueLengthMin: 9 }), sample(2, { threadId: 3 as never })],
  };
  assert.deepEqual(rules(detections([both, both, both, both])), ['–', '–', '–', '–']);
});

test('(a) what waits is not waited for, when it will certainly outlast the window', () => {
  const at = (index: number): { instances: InstanceSample[] } => ({
    instances: [
      sample(1, { queueLength: 8, queueLengthMin: index > 0 ? 4 : 0, done: index * 3, busyMs: index * 100 }),
    ],
  });
  // One report with a queue, three completions of 33 ms each, and seven more that have to come: 233 ms.
  assert.deepEqual(rules(detections([at(0), at(1)])), ['–', 'persistent-queue']);
  const quick = (index: number): { instances: InstanceSample[] } => ({
    instances: [
      sample(1, { queueLength: 8, queueLengthMin: index > 0 ? 4 : 0, done: index * 50, busyMs: index * 100 }),
    ],
  });
  assert.deepEqual(rules(detections([quick(0), quick(1)])), ['–', '–'], 'eight of 2 ms each are soon done');
});

test('(b) the main user of a resource that is 40 % used on all of its processes is overloaded', () => {
  const use = (used: number, own: number): Parameters<typeof detections>[0][number] => ({
    instances: [sample(1, { resources: { sockets: own } })],
    options: {
      processSample: {
        residentBytes: 0,
        openDescriptors: 0,
        descriptorsMax: 0,
        loopDelayMs: 0,
        cpuMs: 0,
        resources: [{ name: 'sockets', used, limit: 1_000 }],
      },
    },
  });
  const options = { resources: [{ name: 'sockets', limit: 1_000 }] };
  assert.deepEqual(rules(detections([use(400, 201)], options)), ['limited-resource']);
  assert.deepEqual(rules(detections([use(400, 200)], options)), ['–'], 'half of the use is not most of it');
  assert.deepEqual(rules(detections([use(399, 399)], options)), ['–']);
  assert.deepEqual(rules(detections([use(900, 900)])), ['–'], 'a type that does not declare the resource');
});

test('(c) a missed deadline is overload if waiting is the reason', () => {
  const histogram = (bucket: number, count: number): number[] => [...Array<number>(bucket).fill(0), count];
  const at = (sojourn: number, service: number): Parameters<typeof detections>[0] => [
    { instances: [sample(1)] },
    {
      instances: [
        sample(1, {
          done: 100,
          busyMs: 10,
          sojournTime: histogram(sojourn, 100),
          serviceTime: histogram(service, 100),
        }),
      ],
    },
  ];
  // Bucket 72 is 2^18 µs = 262 ms; bucket 40 is 1 ms.
  assert.deepEqual(rules(detections(at(72, 40), { deadlineMs: 200 })), ['–', 'deadline']);
  assert.deepEqual(rules(detections(at(72, 40), { deadlineMs: 400 })), ['–', '–']);
  assert.deepEqual(
    rules(detections(at(72, 72), { deadlineMs: 200 })),
    ['–', '–'],
    'the handler itself takes so long',
  );
});

/** Reports of ten seconds: so many messages end in each 100 ms, and those of the given windows that are named are late. */
function endings(
  perWindow: number,
  lateByWindow: Readonly<Record<number, number>>,
): Parameters<typeof detections>[0] {
  let late = 0;
  return Array.from({ length: 101 }, (_, index) => {
    late += lateByWindow[index] ?? 0;
    const done = index * perWindow;
    // Bucket 72 is 262 ms, bucket 40 is 1 ms.
    const sojournTime = Array<number>(73)
      .fill(0)
      .fill(done - late, 40, 41)
      .fill(late, 72, 73);
    const serviceTime = Array<number>(41).fill(0).fill(done, 40, 41);
    return { instances: [sample(1, { done, sojournTime, serviceTime })] };
  });
}

test('(c) where few messages end in a second, more seconds are looked at, and being late once is not enough', () => {
  const found = (perWindow: number, lateByWindow: Readonly<Record<number, number>>): string[] =>
    rules(detections(endings(perWindow, lateByWindow), { deadlineMs: 200 })).filter((rule) => rule !== '–');
  assert.ok(found(2, { 40: 2, 60: 2 }).length > 0, '20 a second, late bursts two seconds apart');
  assert.ok(found(0.2, { 20: 1, 50: 1, 80: 1 }).length > 0, '2 a second, and three of them late');
  assert.deepEqual(found(2, { 40: 2 }), [], 'one late burst, as after a pause');
  assert.deepEqual(found(2, { 40: 1, 60: 1 }), [], 'two may be chance');
  for (const perWindow of [0.2, 2, 6, 50])
    assert.deepEqual(found(perWindow, { 50: 1 }), [], `a single late message of ${10 * perWindow} a second`);
  assert.deepEqual(found(50, { 20: 3, 60: 3 }), [], 'less than one in a hundred');
});

test('(d) a thread that is used up for a window is overload of its main user, queue or no queue', () => {
  const reports = (execution: GraphMsu['execution'], cpuMs: number, items: number): (Overload | null)[] =>
    detections(
      Array.from({ length: 12 }, (_, index) => ({
        instances: [sample(1, { done: index * items, busyMs: index * 50 })],
        threads: [thread(2, index * cpuMs)],
      })),
      { execution, state: execution === 'async' ? 'pinned' : 'none' },
    );
  assert.deepEqual(
    rules(reports('async', 95, 1)).indexOf('thread'),
    3,
    'after 300 ms where no queue would show it',
  );
  assert.deepEqual(rules(reports('sync', 95, 1)).indexOf('thread'), 9, 'after 900 ms where a queue would');
  assert.equal(rules(reports('async', 85, 1)).indexOf('thread'), -1);
  assert.equal(
    rules(reports('sync', 95, 0)).indexOf('thread'),
    -1,
    'one message that runs long is no overload',
  );
});

test('(d) a thread that only waits for a core is not too busy itself', () => {
  const starved = Array.from({ length: 12 }, (_, index) => ({
    instances: [sample(1, { done: index, busyMs: index * 90 })],
    threads: [thread(2, index * 30, { runQueueWaitMs: index * 65 })],
  }));
  assert.equal(rules(detections(starved, { execution: 'async', state: 'pinned' })).indexOf('thread'), -1);
});
