/**
 * Overhead: the web server as five MSUs against the same code as one Node program, and against `node:https`.
 *
 * Measured, for objects alone (no hop crosses a thread) and for the demo's mix (one request in five goes to the
 * regex thread and back): throughput of a closed loop (`wrk`, 50 kept-alive connections), and mean, standard
 * deviation and 99th percentile of latency in an open loop of 2,500 requests a second (Poisson, kept-alive), ten
 * seconds after the start. The server has core 0 to itself, whatever it is; the load generators have the others.
 * Rounds are interleaved, ratios are taken within a round, and the medians over the rounds are reported.
 * Not measured: more than one core for the server, handshakes, large bodies, and what is above 2,500 requests a second
 * and below saturation.
 */
import { execFileSync } from 'node:child_process';
import * as os from 'node:os';
import { fileURLToPath } from 'node:url';
import { decodeFromCompressedBase64 } from 'hdr-histogram-js';
import { launchHere } from 'shoal-lab/attacks';
import { startLoad } from 'shoal-lab/load';
import { type BenchServer, type System, startServer, systems } from './overhead/servers.ts';
import { closedLoop } from './overhead/wrk.ts';
import { type BenchOptions, describeMachine, median, printTable, type Row, writeRows } from './report.ts';

const serverCores = '0';
const openRatePerSecond = 2_500;

interface Sizes {
  readonly rounds: number;
  readonly warmSeconds: number;
  readonly closedSeconds: number;
  /**
   * The open loop is measured from here on, ten to fifteen seconds after the server's start. V8 tidies the heap of each
   * thread that has become idle, once: of the agent and the supervisor before that, of spare threads after it. Each
   * time takes 25 ms from what the only core of the server does: other windows are less kind to Shoal (RESULTS.md).
   */
  readonly openWarmMs: number;
  readonly openMs: number;
  readonly openRatePerSecond: number;
}
const fullSizes: Sizes = {
  rounds: 5,
  warmSeconds: 1,
  closedSeconds: 3,
  openWarmMs: 5_000,
  openMs: 10_000,
  openRatePerSecond,
};
const tinySizes: Sizes = {
  rounds: 1,
  warmSeconds: 0,
  closedSeconds: 1,
  openWarmMs: 300,
  openMs: 700,
  openRatePerSecond: 200,
};
const openTimeoutMs = 10_000;

interface Figures {
  readonly perSecond: number;
  readonly meanMs: number;
  readonly stdevMs: number;
  readonly p99Ms: number;
}

/** One core, or all but the server's. */
function loadCores(): string {
  const cores = os.availableParallelism();
  return cores <= 2 ? '1' : `1-${cores - 1}`;
}

async function openLoop(
  port: number,
  sizes: Sizes,
  objectOnly: boolean,
): Promise<Omit<Figures, 'perSecond'>> {
  const objects = {
    name: 'objects',
    weight: 4,
    request: () => ({ path: '/object/1' }),
  };
  const regex = {
    name: 'regex',
    weight: 1,
    request: () => ({ path: '/search?q=status:+200+content-type:+text' }),
  };
  const load = startLoad({
    host: '127.0.0.1',
    port,
    tls: {},
    rate: sizes.openRatePerSecond,
    durationMs: sizes.openMs,
    keptConnections: 50,
    mix: objectOnly ? [objects] : [objects, regex],
    phases: [{ name: 'measured', startMs: sizes.openWarmMs, endMs: sizes.openMs }],
    // Late is a latency here, not a failure.
    timeoutMs: openTimeoutMs,
    // Sends late by a timer's millisecond would hide what is measured here.
    spins: true,
    launch: ({ name, command, args }) =>
      launchHere({ name, command: 'taskset', args: ['-c', loadCores(), command, ...args] }),
  });
  const { phases } = await load.done;
  const [measured] = phases;
  if (measured === undefined || measured.ok === 0 || measured.ok !== measured.sent) {
    throw new Error(`of ${measured?.sent} requests of the open loop, ${measured?.ok} were answered`);
  }
  return { ...spread(measured.histogram), p99Ms: measured.latency.p99Ms };
}

/** Mean and standard deviation of a histogram in microseconds. */
function spread(encoded: string): { meanMs: number; stdevMs: number } {
  const histogram = decodeFromCompressedBase64(encoded);
  return { meanMs: histogram.mean / 1_000, stdevMs: histogram.stdDeviation / 1_000 };
}

async function measure(server: BenchServer, sizes: Sizes, objectOnly: boolean): Promise<Figures> {
  const cores = loadCores();
  if (sizes.warmSeconds > 0) await closedLoop(server.port, { cores, seconds: sizes.warmSeconds, objectOnly });
  const perSecond = await closedLoop(server.port, { cores, seconds: sizes.closedSeconds, objectOnly });
  return { perSecond, ...(await openLoop(server.port, sizes, objectOnly)) };
}

type Round = Readonly<Record<System, Figures>>;

async function runRound(index: number, sizes: Sizes, objectOnly: boolean): Promise<Round> {
  const figures: Partial<Record<System, Figures>> = {};
  // Whoever is first in one round is last in another.
  for (let i = 0; i < systems.length; i++) {
    const system = systems[(index + i) % systems.length] as System;
    const server = await startServer(system, serverCores);
    try {
      figures[system] = await measure(server, sizes, objectOnly);
    } finally {
      await server.close();
    }
  }
  return figures as Round;
}

function compare(rounds: readonly Round[], against: Exclude<System, 'shoal'>, objectOnly: boolean): Row {
  const ratio = (read: (figures: Figures) => number): number =>
    median(rounds.map((round) => read(round.shoal) / read(round[against])));
  return {
    against,
    objectOnly,
    throughputRatio: ratio(({ perSecond }) => perSecond),
    meanLatencyRatio: ratio(({ meanMs }) => meanMs),
    stdevRatio: ratio(({ stdevMs }) => stdevMs),
    p99LatencyRatio: ratio(({ p99Ms }) => p99Ms),
  };
}

function absolute(rounds: readonly Round[], objectOnly: boolean): Row[] {
  return systems.map((system) => {
    const middle = (read: (figures: Figures) => number): number =>
      median(rounds.map((round) => read(round[system])));
    return {
      system,
      objectOnly,
      perSecond: Math.round(middle(({ perSecond }) => perSecond)),
      meanMs: middle(({ meanMs }) => meanMs),
      stdevMs: middle(({ stdevMs }) => stdevMs),
      p99Ms: middle(({ p99Ms }) => p99Ms),
    };
  });
}

export async function overhead(options: BenchOptions): Promise<void> {
  if (os.availableParallelism() < 2)
    throw new Error('This benchmark needs two cores: one for the server, one for its load.');
  const installer = fileURLToPath(new URL('../../lab/scripts/install-debian.sh', import.meta.url));
  execFileSync('sh', [installer, 'wrk', 'util-linux'], { stdio: 'inherit' });
  const sizes = options.tiny === true ? tinySizes : fullSizes;
  const rows: Row[] = [];
  const figures: Row[] = [];
  for (const objectOnly of [true, false]) {
    const rounds: Round[] = [];
    for (let round = 0; round < sizes.rounds; round++) {
      process.stderr.write(`${objectOnly ? 'objects' : 'mixed'}: round ${round + 1} of ${sizes.rounds}\n`);
      rounds.push(await runRound(round, sizes, objectOnly));
    }
    rows.push(compare(rounds, 'monolith', objectOnly), compare(rounds, 'node:https', objectOnly));
    figures.push(...absolute(rounds, objectOnly));
  }
  process.stdout.write(
    `overhead: closed loop of 50 connections, and ${sizes.openRatePerSecond} requests a second; ${JSON.stringify(describeMachine())}\n`,
  );
  printTable(figures);
  process.stdout.write('Shoal against the others, medians of ratios within a round:\n');
  printTable(rows);
  writeRows(options.jsonFile, 'overhead', rows);
}
