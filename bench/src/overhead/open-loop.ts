/**
 * The open loop: requests at random times at a given rate, whatever the server answers. One process sends all loads, one
 * after the other: a new one would be compiling its code while it measures, and be late by milliseconds itself.
 */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { decodeFromCompressedBase64 } from 'hdr-histogram-js';
import { type LoadResult, type LoadSecond, resolveLoadOptions } from 'shoal-lab/load';

export interface OpenFigures {
  readonly meanMs: number;
  readonly stdevMs: number;
  readonly p99Ms: number;
  /** By how much a search takes longer than an object, in the mean; 0 where there are objects only. */
  readonly searchExtraMs: number;
}

export interface OpenLoopOptions {
  readonly port: number;
  readonly ratePerSecond: number;
  /** Measured from `warmMs` on until `ms`. */
  readonly warmMs: number;
  readonly ms: number;
  /** Without searches. */
  readonly objectOnly: boolean;
}

export interface OpenLoop {
  /** Sends a load. Throws if a request was not answered. */
  run(options: OpenLoopOptions): Promise<OpenFigures>;
  close(): void;
}

/** Late is a latency here, not a failure. */
const timeoutMs = 10_000;
const keptConnections = 50;

const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
const flags = extension === 'ts' ? process.execArgv.filter((flag) => !flag.startsWith('--test')) : [];

/** Starts the process on the cores, as `taskset` names them. */
export function startOpenLoop(cores: string): OpenLoop {
  const main = fileURLToPath(new URL(`open-loop-main.${extension}`, import.meta.url));
  const child = spawn('taskset', ['-c', cores, process.execPath, ...flags, main], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  const kill = (): void => void child.kill('SIGKILL');
  process.once('exit', kill);
  return {
    run: async (options) => {
      const result = new Promise<LoadResult>((resolve, reject) => {
        const onExit = (): void => reject(new Error('the process of the open loop has ended'));
        child.once('exit', onExit);
        child.once('message', (message) => {
          child.removeListener('exit', onExit);
          resolve(message as LoadResult);
        });
      });
      child.send(resolveLoadOptions(loadOf(options)));
      return figuresOf(await result, options);
    },
    close: () => {
      process.removeListener('exit', kill);
      kill();
    },
  };
}

function loadOf({ port, ratePerSecond, warmMs, ms, objectOnly }: OpenLoopOptions) {
  const objects = { name: 'objects', weight: 4, request: () => ({ path: '/object/1' }) };
  const search = '/search?q=status:+200+content-type:+text';
  const searches = { name: 'searches', weight: 1, request: () => ({ path: search }) };
  return {
    host: '127.0.0.1',
    port,
    tls: {},
    rate: ratePerSecond,
    durationMs: ms,
    keptConnections,
    mix: objectOnly ? [objects] : [objects, searches],
    phases: [{ name: 'measured', startMs: warmMs, endMs: ms }],
    timeoutMs,
    // Sends late by a timer's millisecond would hide what is measured here.
    spins: true,
  };
}

function figuresOf({ phases, seconds }: LoadResult, { warmMs, objectOnly }: OpenLoopOptions): OpenFigures {
  const [measured] = phases;
  if (measured === undefined || measured.ok === 0 || measured.ok !== measured.sent)
    throw new Error(`of ${measured?.sent} requests of the open loop, ${measured?.ok} were answered`);
  const warm = seconds.filter(({ second }) => second * 1_000 >= warmMs);
  const histogram = decodeFromCompressedBase64(measured.histogram);
  return {
    meanMs: histogram.mean / 1_000,
    stdevMs: histogram.stdDeviation / 1_000,
    p99Ms: measured.latency.p99Ms,
    searchExtraMs: objectOnly ? 0 : meanOfKind(warm, 'searches') - meanOfKind(warm, 'objects'),
  };
}

function meanOfKind(seconds: readonly LoadSecond[], kind: string): number {
  let count = 0;
  let sumMs = 0;
  for (const { kinds } of seconds) {
    const { ok = 0, latency } = kinds[kind] ?? {};
    count += ok;
    sumMs += ok * (latency?.meanMs ?? 0);
  }
  return count === 0 ? 0 : sumMs / count;
}
