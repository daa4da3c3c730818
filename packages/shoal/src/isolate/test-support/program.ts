/**
 * A program that isolates functions and then has nothing more to do: `node program.js WHAT`. It must end by itself, and
 * prints what it has seen.
 */
import cluster from 'node:cluster';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { isolate } from '../isolate.ts';
import type * as Functions from './functions.ts';

const functions = new URL(import.meta.url.replace('program', 'functions'));
const print = (text: unknown): boolean => process.stdout.write(`${text}\n`);
const codeOf = (error: unknown): string => (error as { code: string }).code;

const programs: Readonly<Record<string, () => Promise<unknown>>> = {
  /** Not closed; nor is it kept for as long as its call might have taken. */
  idle: async () => {
    const twice = await isolate<typeof Functions.default>(functions, { timeoutMs: 3_600_000 });
    print(await twice(21));
  },
  /** Its last call is answered although nothing else keeps the program. */
  waiting: async () => {
    const waitOn = await isolate<typeof Functions.waitOn>(functions, { export: 'waitOn' });
    void waitOn(300).then(() => print('answered'));
  },
  /** Arguments that cannot be carried do not keep it. */
  refused: async () => {
    const echo = await isolate<typeof Functions.echo>(functions, { export: 'echo' });
    await echo(Symbol('s')).catch((error) => print(codeOf(error)));
  },
  closed: async () => {
    const never = await isolate<typeof Functions.never>(functions, { export: 'never' });
    const call = never().catch((error) => print(codeOf(error)));
    await never.close();
    await call;
  },
  failed: () => isolate(functions, { export: 'nothing' }).catch((error) => print(codeOf(error))),
  cluster: async () => {
    if (cluster.isPrimary) {
      for (let i = 0; i < 2; i++) cluster.fork();
      return;
    }
    const forever = await isolate<typeof Functions.forever>(functions, {
      export: 'forever',
      runLimitMs: 100,
    });
    await forever().catch((error) => print(error.facts.reason));
    cluster.worker?.disconnect();
  },
  /** The thread that called is ended in the middle of a call, and what it had started goes with it. */
  'ended-worker': async () => {
    if (isMainThread) {
      const worker = new Worker(new URL(import.meta.url), { workerData: 'ended-worker' });
      worker.once('message', () => worker.terminate());
      worker.once('exit', () => print('ended'));
      return;
    }
    const forever = await isolate<typeof Functions.forever>(functions, { export: 'forever', runLimitMs: 0 });
    void forever();
    parentPort?.postMessage('called');
  },
  worker: async () => {
    if (isMainThread) {
      new Worker(new URL(import.meta.url), { workerData: 'worker' });
      return;
    }
    const twice = await isolate<typeof Functions.default>(functions);
    print(await twice(21));
  },
};

await programs[isMainThread ? (process.argv[2] as string) : workerData]?.();
