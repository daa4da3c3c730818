/**
 * Overhead: the web server as five MSUs against the same code as one Node program, and against `node:https`.
 *
 * Measured, for objects alone (no hop crosses a thread) and for the demo's mix (one request in five goes to the
 * regex thread and back): throughput of a closed loop (`wrk`, 50 kept-alive connections), and mean, standard
 * deviation and 99th percentile of latency in an open loop of 2,500 requests a second (Poisson, kept-alive). The
 * servers have core 0, the load generators the others.
 *
 * All servers are started and saturated for 20 seconds: V8 compiles more code than the monolith has, and tidies the
 * heap of each thread that has become idle, once, 8 to 26 s after the start. Then they take turns; whoever is not measured
 * is stopped by a signal and takes nothing from the others. The core never sleeps: waking it takes a virtual machine some
 * 20 µs, and at times more, whatever the server. The machine may be half as fast in one second as in the next, so that the
 * loops of all are open together. Turns in the closed loop are of half a second; in a round of the open loop each server
 * has one of eight seconds, of which the last five are measured: for so long it makes up for its handshakes and for having
 * been stopped (in turns of two seconds, one of them to make up for it, Shoal took 12 to 34 % longer than the monolith, in
 * three rounds; in turns of six, from the third second on, 4). Ratios are taken within a round, and their medians and
 * quartiles over all rounds are reported.
 *
 * Where throughput is concerned, one start of a program differs from the next, for as long as it runs (seven starts of the
 * monolith: 0.76 to 1.03 of an eighth's; of Shoal: 0.94 to 1.04), presumably by where its memory lies: so there are several
 * sets of servers. In the open loop it is the machine: what the ratio of latencies was in one round says nothing about
 * the next with the same servers (correlation 0.04, 36 sets of six runs), so there are more rounds than sets.
 * Not measured: the first 20 seconds, more than one core for the server, handshakes, large bodies, and what is above
 * 2,500 requests a second and below saturation.
 */
import { execFileSync } from 'node:child_process';
import * as os from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import {
  type OpenFigures,
  type OpenLoop,
  type OpenLoopOptions,
  startOpenLoop,
} from './overhead/open-loop.ts';
import { type BenchServer, keepAwake, type System, startServer, systems } from './overhead/servers.ts';
import { closedLoop } from './overhead/wrk.ts';
import {
  type BenchOptions,
  describeMachine,
  median,
  printTable,
  quantile,
  type Row,
  writeRows,
} from './report.ts';

const serverCores = '0';

interface Sizes {
  /** Times that all servers are started. */
  readonly sets: number;
  readonly warmSeconds: number;
  /** The closed loops of all servers together, and a turn of one server. */
  readonly closedSeconds: number;
  readonly turnMs: number;
  /** Rounds of the open loop with each set: in each, every server has a turn. */
  readonly openRounds: { readonly objects: number; readonly mixed: number };
  readonly open: Pick<OpenLoopOptions, 'turnMs' | 'warmMs' | 'ratePerSecond'>;
}
const fullSizes: Sizes = {
  sets: 6,
  warmSeconds: 20,
  closedSeconds: 12,
  turnMs: 500,
  openRounds: { objects: 6, mixed: 2 },
  open: { turnMs: 8_000, warmMs: 3_000, ratePerSecond: 2_500 },
};
const tinySizes: Sizes = {
  sets: 1,
  warmSeconds: 0,
  closedSeconds: 2,
  turnMs: 200,
  openRounds: { objects: 1, mixed: 1 },
  open: { turnMs: 2_000, warmMs: 1_000, ratePerSecond: 200 },
};

/** One core, or all but the server's. */
function loadCores(): string {
  const cores = os.availableParallelism();
  return cores <= 2 ? '1' : `1-${cores - 1}`;
}

/** Every order of the servers in a round: Shoal and the monolith do better the later in it they are measured. */
const orders: readonly (readonly System[])[] = systems.flatMap((first) =>
  systems.flatMap((second) =>
    systems
      .filter((third) => new Set([first, second, third]).size === systems.length)
      .map((third) => [first, second, third]),
  ),
);

type Servers = Readonly<Record<System, BenchServer>>;
/** One round: a figure of each server. */
type Round<T> = Readonly<Record<System, T>>;
/** What was measured with one kind of load. */
interface Measured {
  /** Requests that each server answers in a second of a closed loop. */
  readonly closed: Round<number>[];
  readonly open: Round<OpenFigures>[];
}

/** Lets a server run for as long as something is done with it. */
async function resumed<T>(server: BenchServer, run: () => Promise<T>): Promise<T> {
  server.resume();
  try {
    return await run();
  } finally {
    server.pause();
  }
}

async function startServers(sizes: Sizes): Promise<Servers> {
  const servers: Partial<Record<System, BenchServer>> = {};
  for (const system of systems) {
    process.stderr.write(`${system}: starts and is warmed up for ${sizes.warmSeconds} s\n`);
    const server = await startServer(system, serverCores);
    servers[system] = server;
    await resumed(server, async () => {
      if (sizes.warmSeconds > 0)
        await closedLoop(server.port, { cores: loadCores(), seconds: sizes.warmSeconds, objectOnly: false });
    });
  }
  return servers as Servers;
}

/** Requests that each server answers in a second of its own turns; the closed loops of all are open meanwhile. */
async function closedLoops(
  servers: Servers,
  order: readonly System[],
  sizes: Sizes,
  objectOnly: boolean,
): Promise<Round<number>> {
  const options = { cores: loadCores(), seconds: sizes.closedSeconds, objectOnly };
  const loops = order.map((system) => ({
    system,
    served: null as Promise<number> | null,
    isOver: false,
    ranMs: 0,
  }));
  for (let turn = 0; loops.some(({ isOver }) => !isOver); turn++) {
    const loop = loops[turn % loops.length]!;
    if (loop.isOver) continue;
    const server = servers[loop.system];
    const startedAt = performance.now();
    await resumed(server, async () => {
      // Not all at once: wrk spins until its handshakes are answered, and would take the core of whoever is first.
      loop.served ??= closedLoop(server.port, options).finally(() => {
        loop.isOver = true;
      });
      await Promise.race([delay(sizes.turnMs), loop.served]);
    });
    loop.ranMs += performance.now() - startedAt;
  }
  const perSecond = loops.map(async ({ system, served, ranMs }) => [
    system,
    ((await served) as number) / (ranMs / 1_000),
  ]);
  return Object.fromEntries(await Promise.all(perSecond)) as Round<number>;
}

/** Rounds of the open loop, each in its own order. */
async function openLoops(
  servers: Servers,
  open: OpenLoop,
  rounds: readonly (readonly System[])[],
  sizes: Sizes,
  objectOnly: boolean,
): Promise<Round<OpenFigures>[]> {
  let active: BenchServer | null = null;
  const takeTurn = (index: number): void => {
    active?.pause();
    active = servers[systems[index] as System];
    active.resume();
  };
  const answerRest = (): void => {
    for (const server of Object.values(servers)) server.resume();
  };
  const ports = systems.map((system) => servers[system].port);
  const turns = rounds.flatMap((order) => order.map((system) => systems.indexOf(system)));
  try {
    const figures = await open.run({ ...sizes.open, ports, turns, objectOnly }, takeTurn, answerRest);
    const rest = [...figures];
    return rounds.map(
      (order) => Object.fromEntries(order.map((system) => [system, rest.shift()])) as Round<OpenFigures>,
    );
  } finally {
    for (const server of Object.values(servers)) server.pause();
  }
}

/** The next order of the servers: so that each comes as often as the others. */
function orderOf(index: number): readonly System[] {
  return orders[index % orders.length] as readonly System[];
}

async function measure(
  servers: Servers,
  open: OpenLoop,
  sizes: Sizes,
  name: 'objects' | 'mixed',
  measured: Measured,
): Promise<void> {
  const objectOnly = name === 'objects';
  const closed = await closedLoops(servers, orderOf(measured.closed.length), sizes, objectOnly);
  measured.closed.push(closed);
  const rounds = Array.from({ length: sizes.openRounds[name] }, (_, round) =>
    orderOf(measured.open.length + round),
  );
  measured.open.push(...(await openLoops(servers, open, rounds, sizes, objectOnly)));
}

type Against = Exclude<System, 'shoal'>;

/** The ratios of one system to another, within each round. */
function ratiosOf<T>(rounds: readonly Round<T>[], against: Against, read: (figure: T) => number): number[] {
  return rounds.map((round) => read(round.shoal) / read(round[against])).sort((a, b) => a - b);
}

/** One row a comparison: at each name what `show` makes of the ratios of the rounds. */
function compare<T extends string | number>(
  { closed, open }: Measured,
  against: Against,
  objectOnly: boolean,
  show: (sorted: readonly number[]) => T,
): Row {
  return {
    against,
    objectOnly,
    throughputRatio: show(ratiosOf(closed, against, (perSecond) => perSecond)),
    meanLatencyRatio: show(ratiosOf(open, against, ({ meanMs }) => meanMs)),
    stdevRatio: show(ratiosOf(open, against, ({ stdevMs }) => stdevMs)),
    p99LatencyRatio: show(ratiosOf(open, against, ({ p99Ms }) => p99Ms)),
  };
}

/** The median and the quartiles, for people. */
function showSpread(sorted: readonly number[]): string {
  const [low, middle, high] = [0.25, 0.5, 0.75].map((q) => quantile(sorted, q).toFixed(2));
  return `${middle} (${low}–${high})`;
}

function absolute({ closed, open }: Measured, objectOnly: boolean): Row[] {
  return systems.map((system) => {
    const middle = (read: (figures: OpenFigures) => number): number =>
      median(open.map((round) => read(round[system])));
    return {
      system,
      objectOnly,
      perSecond: Math.round(median(closed.map((round) => round[system]))),
      meanMs: middle(({ meanMs }) => meanMs),
      stdevMs: middle(({ stdevMs }) => stdevMs),
      p99Ms: middle(({ p99Ms }) => p99Ms),
    };
  });
}

/** What a crossing to another thread costs: a search makes two, and in the monolith none. */
function crossingMicroseconds({ open }: Measured): number {
  const extraMs = open.map(({ shoal, monolith }) => shoal.searchExtraMs - monolith.searchExtraMs);
  return (1_000 * median(extraMs)) / 2;
}

export async function overhead(options: BenchOptions): Promise<void> {
  if (os.availableParallelism() < 2)
    throw new Error('This benchmark needs two cores: one for the server, one for its load.');
  const installer = fileURLToPath(new URL('../../lab/scripts/install-debian.sh', import.meta.url));
  execFileSync('sh', [installer, 'wrk', 'util-linux'], { stdio: 'inherit' });
  const sizes = options.tiny === true ? tinySizes : fullSizes;
  const measured: Record<'objects' | 'mixed', Measured> = {
    objects: { closed: [], open: [] },
    mixed: { closed: [], open: [] },
  };
  const open = startOpenLoop(loadCores());
  try {
    await measureSets(open, sizes, measured);
  } finally {
    open.close();
  }
  report(measured, sizes, options);
}

async function measureSets(
  open: OpenLoop,
  sizes: Sizes,
  measured: Readonly<Record<'objects' | 'mixed', Measured>>,
): Promise<void> {
  for (let set = 0; set < sizes.sets; set++) {
    process.stderr.write(`servers ${set + 1} of ${sizes.sets}\n`);
    const servers = await startServers(sizes);
    const letSleep = keepAwake(serverCores);
    try {
      for (const name of ['objects', 'mixed'] as const) {
        process.stderr.write(
          `${name}: a closed loop, and ${sizes.openRounds[name]} rounds of the open one\n`,
        );
        await measure(servers, open, sizes, name, measured[name]);
      }
    } finally {
      letSleep();
      await Promise.all(Object.values(servers).map((server) => server.close()));
    }
  }
}

function report(
  measured: Readonly<Record<'objects' | 'mixed', Measured>>,
  sizes: Sizes,
  options: BenchOptions,
): void {
  const rows: Row[] = [];
  const spreads: Row[] = [];
  const figures: Row[] = [];
  for (const name of ['objects', 'mixed'] as const) {
    for (const against of ['monolith', 'node:https'] as const) {
      rows.push(compare(measured[name], against, name === 'objects', (sorted) => quantile(sorted, 0.5)));
      spreads.push(compare(measured[name], against, name === 'objects', showSpread));
    }
    figures.push(...absolute(measured[name], name === 'objects'));
  }
  const crossing = crossingMicroseconds(measured.mixed);
  process.stdout.write(
    `overhead: closed loop of 50 connections, and ${sizes.open.ratePerSecond} requests a second; ${JSON.stringify(describeMachine())}\n`,
  );
  printTable(figures);
  process.stdout.write('Shoal against the others, medians and quartiles of the ratios within a round:\n');
  printTable(spreads);
  process.stdout.write(
    `A crossing to another thread on the same core: ${crossing.toFixed(0)} µs in the mean.\n`,
  );
  const circumstances = { crossingUs: Number(crossing.toFixed(1)) };
  writeRows(options.jsonFile, 'overhead', rows, circumstances, { rounds: measured });
}
