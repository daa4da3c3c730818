/**
 * The open loop: requests at random times at a given rate, whatever the server answers. One process sends all loads: a new
 * one would be compiling its code while it measures, and be late by milliseconds itself.
 *
 * The servers take turns, and a load rests while its server does. At first a server makes up for its handshakes and for
 * having been stopped; after that it is measured, but at the end, when what is on its way is still answered, gets no more.
 */
import { spawn } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { decodeFromCompressedBase64 } from 'hdr-histogram-js';
import { type LoadResult, type LoadSecond, type RateStep, resolveLoadOptions } from 'shoal-lab/load';
import type { Loads } from './open-loop-main.ts';

export interface OpenFigures {
  readonly meanMs: number;
  readonly stdevMs: number;
  readonly p99Ms: number;
  /** By how much a search takes longer than an object, in the mean; 0 where there are objects only. */
  readonly searchExtraMs: number;
}

export interface OpenLoopOptions {
  /** Of the servers. */
  readonly ports: readonly number[];
  /** Whose turn it is, by its port's index, one after the other. */
  readonly turns: readonly number[];
  /** While a server has its turn. */
  readonly ratePerSecond: number;
  /** Whole seconds, as is what is not measured at the beginning. */
  readonly turnMs: number;
  readonly warmMs: number;
  /** Without searches. */
  readonly objectOnly: boolean;
}

export interface OpenLoop {
  /**
   * Sends a load to each server, and calls `takeTurn` when the turn of one begins, and `answerRest` when the last is over:
   * a server that was too slow for its turn has requests left. Resolves with figures in the order of the turns; throws if
   * a request was not answered.
   */
  run(
    options: OpenLoopOptions,
    takeTurn: (index: number) => void,
    answerRest: () => void,
  ): Promise<readonly OpenFigures[]>;
  close(): void;
}

/** At the end of its turn a server gets no more. */
const restMs = 200;
/** From the call until the first turn. */
const leadMs = 200;
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
    run: async (options, takeTurn, answerRest) => {
      const results = new Promise<LoadResult[]>((resolve, reject) => {
        const onExit = (): void => reject(new Error('the process of the open loop has ended'));
        child.once('exit', onExit);
        child.once('message', (message) => {
          child.removeListener('exit', onExit);
          resolve(message as LoadResult[]);
        });
      });
      const startAtEpochMs = Date.now() + leadMs;
      const asked: Loads = {
        startAtEpochMs,
        loads: options.ports.map((_, index) => resolveLoadOptions(loadOf(options, index))),
      };
      child.send(asked);
      const turnBegins = (turn: number): Promise<void> =>
        delay(Math.max(0, startAtEpochMs + turn * options.turnMs - Date.now()));
      for (const [turn, index] of options.turns.entries()) {
        await turnBegins(turn);
        takeTurn(index);
      }
      await turnBegins(options.turns.length);
      answerRest();
      const loads = await results;
      const figures = loads.map((result, index) => figuresOf(result, options, index));
      // Each load knows of its own turns, in their order.
      return options.turns.map((index) => figures[index]!.shift() as OpenFigures);
    },
    close: () => {
      process.removeListener('exit', kill);
      kill();
    },
  };
}

/** When the turns of a server begin. */
function turnsOf({ turns, turnMs }: OpenLoopOptions, index: number): number[] {
  return turns.flatMap((whose, turn) => (whose === index ? [turn * turnMs] : []));
}

function loadOf(options: OpenLoopOptions, index: number) {
  const objects = { name: 'objects', weight: 4, request: () => ({ path: '/object/1' }) };
  const search = '/search?q=status:+200+content-type:+text';
  const searches = { name: 'searches', weight: 1, request: () => ({ path: search }) };
  const { ports, ratePerSecond, turnMs, warmMs, objectOnly } = options;
  const turns = turnsOf(options, index);
  const rest: RateStep = { atMs: 0, ratePerSecond: 0 };
  const steps = turns.flatMap((atMs): RateStep[] => [
    { atMs, ratePerSecond },
    { atMs: atMs + turnMs - restMs, ratePerSecond: 0 },
  ]);
  return {
    host: '127.0.0.1',
    port: ports[index] as number,
    tls: {},
    rate: turns[0] === 0 ? steps : [rest, ...steps],
    durationMs: turnMs * options.turns.length,
    keptConnections,
    mix: objectOnly ? [objects] : [objects, searches],
    phases: turns.map((atMs, turn) => ({
      name: `turn ${turn + 1}`,
      startMs: atMs + warmMs,
      endMs: atMs + turnMs,
    })),
    timeoutMs,
    // Sends late by a timer's millisecond would hide what is measured here.
    spins: true,
  };
}

/** The figures of the turns of one server. */
function figuresOf(result: LoadResult, options: OpenLoopOptions, index: number): OpenFigures[] {
  const { phases, seconds, errors } = result;
  const { turnMs, warmMs, objectOnly } = options;
  return turnsOf(options, index).map((atMs, turn) => {
    const { sent, ok, refused, failed, timedOut, histogram } = phases[turn]!;
    if (ok === 0 || ok !== sent) {
      const others = JSON.stringify({ refused, failed, timedOut, ...errors });
      throw new Error(
        `of ${sent} requests that were sent to server ${index + 1}, ${ok} were answered: ${others}`,
      );
    }
    const latency = decodeFromCompressedBase64(histogram);
    const warm = seconds.filter(
      ({ second }) => second * 1_000 >= atMs + warmMs && second * 1_000 < atMs + turnMs,
    );
    return {
      meanMs: latency.mean / 1_000,
      stdevMs: latency.stdDeviation / 1_000,
      p99Ms: latency.getValueAtPercentile(99) / 1_000,
      searchExtraMs: objectOnly ? 0 : meanOfKind(warm, 'searches') - meanOfKind(warm, 'objects'),
    };
  });
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
