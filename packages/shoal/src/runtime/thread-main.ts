/** Entry of an MSU thread. Started by the agent with a {@link ThreadStart}. */

import { getHeapStatistics } from 'node:v8';
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { createSeededRandom } from '../model/index.ts';
import { createMachineClock } from './clock.ts';
import { Hosting } from './hosting.ts';
import { loadApp } from './load-app.ts';
import { MessageIds } from './message-ids.ts';
import { currentThreadTid, pinThread, setThreadNice } from './native/index.ts';
import { ThreadFloat, ThreadWord, viewThreadBlock } from './shared-block.ts';
import { startThreadLoop } from './thread-loop.ts';
import type { ThreadReport, ThreadRequest, ThreadStart } from './thread-messages.ts';
import { ThreadRuntime } from './thread-runtime.ts';

/** Between two readings of the heap's size: each wakes the thread. */
const heapPeriodMs = 2000;

const start = workerData as ThreadStart;
const port = parentPort;
if (port === null) throw new Error('thread-main is started by the agent, as a worker thread');
const post = (report: ThreadReport): void => port.postMessage(report);
const warn = (text: string): void =>
  post({ kind: 'log', level: 'warn', msu: '', instanceId: 0 as never, text, fields: { thread: start.name } });

const block = viewThreadBlock(start.block);
Atomics.store(block.words, ThreadWord.tid, currentThreadTid());

if (start.core >= 0) {
  const pinned = pinThread(start.core);
  if (!pinned.isOk) warn(pinned.detail);
}
if (start.nice !== 0) {
  const niced = setThreadNice(start.nice);
  if (!niced.isOk) warn(niced.detail);
}

const clock = createMachineClock();
const thread = new ThreadRuntime({
  id: start.threadId,
  limits: start.limits,
  block,
  clock,
  scheduling: start.scheduling,
  random: createSeededRandom(start.seed),
  messageIds: new MessageIds(start.messageBlocks),
  observer: {
    onError: (instance, what, error) =>
      post({
        kind: 'log',
        level: 'error',
        msu: instance.graph.name,
        instanceId: instance.id,
        text: `${what}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
        fields: {},
      }),
    onCounter: (instance, slot, name) => post({ kind: 'counter', instanceId: instance.id, slot, name }),
  },
});

// Loaded while the thread is spare, so that hosting an instance takes no time for it.
const app = loadApp(start.appUrl);
app.catch(() => {}); // Told when somebody hosts an instance.
const hosting = new Hosting({
  thread,
  graph: start.graph,
  loadApp: () => app,
  post,
});

const handle = (request: ThreadRequest): void => hosting.accept(request);
port.on('message', handle);
startThreadLoop(thread, clock, {
  canPark: () => hosting.canPark,
  onControl: () => {
    for (;;) {
      const received = receiveMessageOnPort(port) as { message: ThreadRequest } | undefined;
      if (received === undefined) return;
      handle(received.message);
    }
  },
});

const readHeap = (): void => {
  const { used_heap_size, heap_size_limit } = getHeapStatistics();
  block.floats[ThreadFloat.heapUsed] = used_heap_size;
  block.floats[ThreadFloat.heapLimit] = heap_size_limit;
  thread.after(heapPeriodMs, readHeap);
};
readHeap();

app.then(
  () => post({ kind: 'ready' }),
  () => post({ kind: 'ready' }),
);
