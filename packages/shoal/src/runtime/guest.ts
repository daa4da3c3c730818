/**
 * Lets a thread that Shoal did not start take part: a program that calls isolated functions from its own main
 * thread. It hosts instances like any MSU thread, waits through the event loop, and is never killed.
 */
import type { MessagePort } from 'node:worker_threads';
import { type App, type AppGraph, createSeededRandom, type Limits, threadId } from '../model/index.ts';
import { offerPipe, Pipes } from './bell.ts';
import { createMachineClock } from './clock.ts';
import { Hosting } from './hosting.ts';
import { MessageIds } from './message-ids.ts';
import { createThreadBlock, viewThreadBlock } from './shared-block.ts';
import { startThreadLoop } from './thread-loop.ts';
import type { ThreadReport, ThreadRequest } from './thread-messages.ts';
import { ThreadRuntime } from './thread-runtime.ts';

/** Its own name for itself; routing and lanes know it by the id that the agent gave it. */
const guestThread = threadId(0);

export interface Guest {
  /** Block of the thread: give it, and the other end of `port`, to the agent. */
  readonly block: SharedArrayBuffer;
  /** When the agent's threads have ended: nobody rings it any more. */
  close(): void;
}

/** Makes the calling thread a guest that hosts instances of `app` when the agent at the other end asks for it. */
export function createGuest(options: {
  app: App;
  graph: AppGraph;
  limits: Limits;
  port: MessagePort;
  onLog: (level: string, text: string) => void;
}): Guest {
  const { app, graph, limits, port, onLog } = options;
  const block = viewThreadBlock(createThreadBlock());
  const pipes = new Pipes();
  const pipe = pipes.take();
  offerPipe(block.words, pipe);
  const clock = createMachineClock();
  const post = (report: ThreadReport): void => port.postMessage(report);
  const thread = new ThreadRuntime({
    id: guestThread,
    limits,
    block,
    clock,
    scheduling: 'fifo',
    random: createSeededRandom(Math.floor(clock.now())),
    messageIds: new MessageIds(null),
    observer: {
      onError: (instance, what, error) =>
        onLog(
          'error',
          `${instance.graph.name}: ${what}: ${error instanceof Error ? error.message : String(error)}`,
        ),
      onCounter: (instance, slot, name) => post({ kind: 'counter', instanceId: instance.id, slot, name }),
    },
  });
  const hosting = new Hosting({
    thread,
    graph,
    loadApp: async () => app,
    post,
  });
  port.on('message', (request: ThreadRequest) => hosting.accept(request));
  const loop = startThreadLoop(thread, clock, { canPark: () => false, onControl: () => {} });
  let isClosed = false;
  const close = (): void => {
    if (isClosed) return;
    isClosed = true;
    loop.close();
    if (pipe !== null) pipes.giveBack(pipe);
    pipes.close();
  };
  return { block: block.buffer, close };
}
