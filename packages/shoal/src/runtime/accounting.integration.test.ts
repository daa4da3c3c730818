import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createSeededRandom } from '../model/index.ts';
import type { InitialThread } from './agent-threads.ts';
import { endWorker } from './node-faults.ts';
import {
  graphVariable,
  handledChannel,
  type RandomEdge,
  type RandomGraph,
  type RandomType,
} from './test-apps/random-graph.ts';
import { startApp, unaccounted, watchWorkers } from './test-apps/start.ts';

const isSource = import.meta.url.endsWith('.ts');
// From source a thread takes many times as long to start.
const graphs = isSource ? 2 : 6;
const killsPerGraph = isSource ? 8 : 18;

const type: fc.Arbitrary<RandomType> = fc.record({
  execution: fc.constantFrom('sync', 'sync', 'async', 'blocking'),
  concurrency: fc.integer({ min: 1, max: 4 }),
  order: fc.constantFrom('fifo', 'fifo', 'priority', 'edf', 'sjf'),
  state: fc.constantFrom('none', 'instance', 'keyed', 'pinned'),
  instances: fc.integer({ min: 1, max: 2 }),
  deadlineMs: fc.constantFrom(0, 0, 3, 50),
  queueMaxMessages: fc.constantFrom(0, 0, 4, 32),
  throwsPerMille: fc.constantFrom(0, 20),
  exitsPerMille: fc.constantFrom(0, 0, 1),
  takesMs: fc.constantFrom(0, 0, 0.3, 2),
});

const randomGraph: fc.Arbitrary<RandomGraph & { readonly threads: number }> = fc
  .integer({ min: 3, max: 5 })
  .chain((count) => {
    const edge: fc.Arbitrary<RandomEdge> = fc
      .record({
        from: fc.nat(count - 2),
        span: fc.nat(count - 1),
        kind: fc.constantFrom('send', 'request', 'publish'),
        routing: fc.constantFrom('shortest-queue', 'round-robin', 'keyed'),
      })
      .map(({ span, ...edge }) => ({ ...edge, to: edge.from + 1 + (span % (count - 1 - edge.from)) }));
    return fc.record({
      types: fc.array(type, { minLength: count, maxLength: count }),
      // A path through all types, so that each has something to do, and some more.
      edges: fc.array(edge, { maxLength: 3 }).map((more) => [
        ...Array.from(
          { length: count - 1 },
          (_, from): RandomEdge => ({
            from,
            to: from + 1,
            kind: from % 2 === 0 ? 'request' : 'send',
            routing: 'shortest-queue',
          }),
        ),
        ...more,
      ]),
      rate: fc.integer({ min: 2, max: 12 }),
      threads: fc.integer({ min: 2, max: 4 }),
    });
  });

function place(graph: RandomGraph, threads: number): InitialThread[] {
  const own: string[][] = [];
  const shared: string[][] = Array.from({ length: threads }, () => []);
  graph.types.forEach((type, at) => {
    for (let n = 0; n < type.instances; n++) {
      if (type.execution === 'blocking') own.push([`t${at}`]);
      else shared[(at + n) % threads]?.push(`t${at}`);
    }
  });
  return [...shared, ...own]
    .filter((instances) => instances.length > 0)
    .map((instances, n) => ({
      name: `thread-${n}`,
      core: -1,
      nice: 0,
      scheduling: 'fifo' as const,
      instances,
    }));
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

let killed = 0;
let ended = 0;

async function live(graph: RandomGraph & { readonly threads: number }, seed: number): Promise<void> {
  process.env[graphVariable] = JSON.stringify(graph);
  const random = createSeededRandom(seed);
  const handled = new Map<string, number>();
  const channel = new BroadcastChannel(handledChannel);
  channel.onmessage = (event) => {
    const key = String((event as { data: unknown }).data);
    handled.set(key, (handled.get(key) ?? 0) + 1);
  };
  const watch = watchWorkers();
  try {
    const app = await startApp('random-graph', {
      threads: place(graph, graph.threads),
      drainMaxMs: 1_500,
      limits: { laneMaxMessages: 64, laneMaxBytes: 131_072, messageMaxBytes: 65_536, requestsMax: 64 },
      seed,
    });
    const arrived = (): number => app.last().instances.reduce((sum, sample) => sum + sample.accepted, 0);
    await app.until('report', () => true);
    const isServing = (): boolean => app.last().threads.every(({ phase }) => phase === 'serving');
    for (let kills = 0; kills < killsPerGraph; ) {
      const before = arrived();
      await app.until('load', () => arrived() > before + 30);
      await pause(random() * 30);
      // Now and then two at once: both ends of a lane.
      const victims = new Set([...watch.workers].filter(() => random() < 0.5));
      for (const victim of victims) {
        watch.workers.delete(victim);
        void endWorker(victim);
        kills++;
        killed++;
      }
    }
    const fates = (): Map<number | null, string> =>
      new Map(
        app.events
          .filter(({ kind }) => kind === 'thread-lost' || kind === 'thread-replaced')
          .map(({ kind, threadId }) => [threadId, kind]),
      );
    // Spare threads are not replaced. Tables are given again before others are.
    const isReplaced = (): boolean =>
      app.last().threads.every(({ threadId }) => fates().get(threadId) !== 'thread-lost');
    await app.until('threads that run', () => isServing() && isReplaced());
    await app.runtime.drain();
    await app.runtime.close();
    await pause(20);
    const report = app.last();
    assert.deepEqual(unaccounted(report), []);
    for (const [key, times] of handled) assert.equal(times, 1, `${key} was handled ${times} times`);
    let accepted = 0;
    let sent = 0;
    for (const sample of report.instances) {
      accepted += sample.accepted;
      sent += sample.counters.sent ?? 0;
      const own = [...handled.keys()].filter((key) => key.startsWith(`${sample.instanceId},`)).length;
      // What goes on to the instance that has the key, and what instances tell each other of keys, no handler sees.
      if (graph.types[Number(sample.msu.slice(1))]?.state !== 'keyed')
        assert.ok(own >= sample.done, `${sample.msu}: ${own} handled, ${sample.done} done`);
      assert.ok(own <= sample.accepted);
    }
    // A thread that dies between a send and its counting leaves one message more than was counted.
    assert.ok(accepted >= sent, `${sent} were sent and accepted, ${accepted} arrived`);
    assert.ok(accepted > 0);
    ended += accepted;
  } finally {
    watch.stop();
    channel.close();
  }
}

test('in any graph, under any load, whatever is killed, every accepted message ends exactly once', async (t) => {
  await fc.assert(fc.asyncProperty(randomGraph, fc.nat(1_000_000), live), {
    numRuns: graphs,
    endOnFailure: true,
  });
  assert.ok(killed >= graphs * killsPerGraph);
  t.diagnostic(`${killed} threads killed, ${ended} messages accounted for`);
});
