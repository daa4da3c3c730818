/** Entry of the thread behind an isolated function that runs no user code: its agent and its controller. */
import { writeSync } from 'node:fs';
import { type MessagePort, workerData } from 'node:worker_threads';
import { createController } from '../controller/index.ts';
import {
  type Deployment,
  defaultDeploymentSettings,
  defaultLimits,
  defaultPolicy,
  type ShoalError,
} from '../model/index.ts';
import { type InitialThread, startRuntime } from '../runtime/index.ts';
import { isolateAppUrl, isolateGraph } from './isolate-app.ts';
import type { ResolvedIsolateOptions } from './options.ts';

/** What the host is started with. */
export interface HostStart {
  readonly options: ResolvedIsolateOptions;
  readonly guestBlock: SharedArrayBuffer;
  /** To the calling thread as a guest, and for what the host has to say and is told. */
  readonly guestPort: MessagePort;
  readonly controlPort: MessagePort;
}

export type HostRequest = { readonly kind: 'close' };
export type HostReport =
  | { readonly kind: 'started' }
  | { readonly kind: 'failed'; readonly message: string }
  | { readonly kind: 'log'; readonly level: string; readonly text: string }
  | { readonly kind: 'closed' };

const { options, guestBlock, guestPort, controlPort } = workerData as HostStart;
const report = (message: HostReport): void => controlPort.postMessage(message);
const log = (level: string, text: string): void => report({ kind: 'log', level, text });

const functionThreads: InitialThread[] = Array.from({ length: options.instances }, (_, i) => ({
  name: `function-${i + 1}`,
  core: -1,
  nice: 0,
  scheduling: 'fifo',
  instances: ['function'],
}));
const guestThread: InitialThread = {
  name: 'caller',
  core: -1,
  nice: 0,
  scheduling: 'fifo',
  instances: ['caller'],
  guest: { port: guestPort, block: guestBlock },
};

async function start(): Promise<void> {
  const graph = isolateGraph(options);
  const limits = { ...defaultLimits, threadHeapMaxMiB: options.heapMaxMiB };
  const runtime = await startRuntime({
    appUrl: isolateAppUrl(options),
    graph,
    threads: [...functionThreads, guestThread],
    limits,
    log,
    onFatal: ({ detail }) => {
      // Nothing that is posted to another thread would be read any more.
      writeSync(2, `shoal: ${detail}; this process cannot go on and ends\n`);
      process.kill(process.pid, 'SIGKILL');
    },
  });
  const threads = [...functionThreads, guestThread].map(({ guest: _, ...thread }) => thread);
  const deployment: Deployment = {
    name: 'isolate',
    machines: [{ name: runtime.machine, processes: [{ name: runtime.process, threads }] }],
    limits,
    policy: defaultPolicy,
    ...defaultDeploymentSettings,
  };
  const controller = createController({
    graph,
    deployment,
    bus: runtime.bus,
    clock: runtime.clock,
    epoch: 1,
    random: Math.random,
    log: (line) => log('info', line),
  });
  onClose = async () => {
    await controller.close();
    await runtime.close();
  };
  report({ kind: 'started' });
}

/** Nothing is to be closed before there is a runtime. */
let onClose = (): Promise<void> => Promise.resolve();

// Listened to from the beginning: otherwise this thread would end by itself after a failure, before its report is read.
controlPort.on('message', async (request: HostRequest) => {
  if (request.kind !== 'close') return;
  await onClose();
  report({ kind: 'closed' });
});

start().catch((error: unknown) => {
  const { detail } = (error as Partial<ShoalError>).facts ?? {};
  report({ kind: 'failed', message: String(detail ?? (error instanceof Error ? error.message : error)) });
});
