/**
 * Hops: what it costs to hand a value to another component and get an answer.
 *
 * Measured: round trips of one caller (p50, p99) and the throughput with 256 requests in flight, from one thread to
 * one worker or instance, with work of a few nanoseconds that is checked in every reply. All systems run in the same
 * process, one at a time: started, warmed up, measured, ended; in several rounds whose order rotates. Figures are
 * medians of the rounds, and ratios medians of those to the best rival of each round: machines change their speed.
 * Systems with settings are tried first with each, and enter with the best for round trips and the best for throughput.
 * One-way rows have no round trip.
 *
 * Every system is driven by the same loops (`drive.ts`), by callbacks: those that answer with promises by `then`. What
 * differs by the systems' own design is where the loop runs: Shoal's in the thread of the instance that asks (its rows
 * "parked threads" sleep in `Atomics.wait`, which a thread with an event loop cannot; "sockets on the caller's thread" has
 * one), that of `isolate` and of the others on this process's main thread, which has one always. One-way rows have loops
 * of their own, for what may be on its way is bounded by a lane in Shoal, and by nothing in `postMessage`.
 *
 * Not measured: several callers or workers, large payloads, what a pool does when a worker is slow or dies, and
 * memory. Pools can transfer buffers instead of copying them: at 64 bytes that is slower.
 */
import {
  type BenchOptions,
  describeMachine,
  median,
  printTable,
  type Row,
  reportOthers,
  watchOthers,
  writeRows,
} from '../report.ts';
import { moleculerSystem } from './moleculer.ts';
import { type PayloadKind, payloadKinds } from './payload.ts';
import { piscinaVariants } from './piscina.ts';
import { poolifierVariants } from './poolifier.ts';
import { postMessageOneWay, postMessageRequest } from './post-message.ts';
import { shoalSystems } from './shoal.ts';
import type { HopSession, HopSystem } from './system.ts';
import { workerpoolSystem } from './workerpool.ts';

/** Milliseconds and counts of a run. */
interface Plan {
  readonly rounds: number;
  /** Of systems within a thread, which are nearly as fast as each other: they are measured more often, in turns. */
  readonly sameThreadRounds: number;
  readonly warmUpMs: number;
  readonly latencyMs: number;
  readonly throughputMs: number;
  readonly trialMs: number;
  /** Each setting is tried so often, and its best figures count. */
  readonly trials: number;
  /** Settings tried of a system that has some. */
  readonly variantsMax: number;
}
const fullPlan: Plan = {
  rounds: 5,
  sameThreadRounds: 21,
  warmUpMs: 800,
  latencyMs: 250,
  throughputMs: 400,
  trialMs: 300,
  trials: 2,
  variantsMax: 99,
};
const tinyPlan: Plan = {
  rounds: 1,
  sameThreadRounds: 1,
  warmUpMs: 5,
  latencyMs: 5,
  throughputMs: 5,
  trialMs: 2,
  trials: 1,
  variantsMax: 1,
};

/** A system in a run: what is measured of it, and what was. */
interface Entry {
  readonly system: HopSystem;
  readonly payload: PayloadKind;
  /** A system with settings enters twice, once for each of its best. */
  readonly measures: 'both' | 'round-trips' | 'throughput';
  readonly p50Us: number[];
  readonly p99Us: number[];
  readonly perSecond: number[];
  checksum: number;
}

function enter(system: HopSystem, payload: PayloadKind, measures: Entry['measures']): Entry {
  return { system, payload, measures, p50Us: [], p99Us: [], perSecond: [], checksum: 0 };
}

/** The best settings of a system: of all of them, one for the median round trip and one for the throughput. */
async function tryOut(
  variants: readonly HopSystem[],
  payload: PayloadKind,
  plan: Plan,
): Promise<{ fastest: HopSystem; strongest: HopSystem }> {
  const tried = variants
    .slice(0, plan.variantsMax)
    .map((system) => ({ system, p50Us: Number.POSITIVE_INFINITY, perSecond: 0 }));
  for (let trial = 0; trial < plan.trials; trial++) {
    for (const one of tried) {
      const session = await one.system.open(payload);
      await session.throughput(plan.trialMs);
      const trips = await session.roundTrips?.(plan.trialMs);
      const { perSecond } = await session.throughput(plan.trialMs);
      await session.close();
      one.p50Us = Math.min(one.p50Us, trips?.p50Us ?? Number.POSITIVE_INFINITY);
      one.perSecond = Math.max(one.perSecond, perSecond);
    }
  }
  process.stdout.write(`Settings tried, ${payload}:\n`);
  printTable(
    tried.map(({ system, p50Us, perSecond }) => ({
      name: system.name,
      p50Us: Number(p50Us.toFixed(1)),
      perSecond: Math.round(perSecond),
    })),
  );
  process.stdout.write('\n');
  const first = tried[0];
  if (first === undefined) throw new Error('no settings to try');
  const fastest = tried.reduce((best, one) => (one.p50Us < best.p50Us ? one : best), first);
  const strongest = tried.reduce((best, one) => (one.perSecond > best.perSecond ? one : best), first);
  return { fastest: fastest.system, strongest: strongest.system };
}

async function enterAll(plan: Plan): Promise<Entry[]> {
  const entries: Entry[] = [];
  const others = [postMessageRequest, postMessageOneWay, workerpoolSystem, moleculerSystem, ...shoalSystems];
  for (const payload of payloadKinds) {
    for (const variants of [piscinaVariants, poolifierVariants]) {
      const { fastest, strongest } = await tryOut(variants, payload, plan);
      if (fastest === strongest) entries.push(enter(fastest, payload, 'both'));
      else entries.push(enter(fastest, payload, 'round-trips'), enter(strongest, payload, 'throughput'));
    }
    entries.push(...others.map((system) => enter(system, payload, 'both')));
  }
  return entries;
}

/** Starts a system, warms it up, measures it, and ends it: nothing else is open meanwhile. */
async function measureOnce(entry: Entry, plan: Plan): Promise<void> {
  const session: HopSession = await entry.system.open(entry.payload);
  await session.throughput(plan.warmUpMs);
  await session.roundTrips?.(plan.warmUpMs);
  if (entry.measures !== 'throughput' && session.roundTrips !== null) {
    const { p50Us, p99Us, checksum } = await session.roundTrips(plan.latencyMs);
    entry.p50Us.push(p50Us);
    entry.p99Us.push(p99Us);
    entry.checksum += checksum;
  }
  if (entry.measures !== 'round-trips') {
    const { perSecond, checksum } = await session.throughput(plan.throughputMs);
    entry.perSecond.push(perSecond);
    entry.checksum += checksum;
  }
  await session.close();
}

/** A row for each system and payload; the two entries of a system with settings become one. */
function toRows(entries: readonly Entry[]): Row[] {
  const rows: Row[] = [];
  for (const entry of entries) {
    if (entry.measures === 'throughput') continue;
    const { system, payload } = entry;
    const partner =
      entry.measures === 'both'
        ? entry
        : entries.find(
            (other) =>
              other.measures === 'throughput' &&
              other.payload === payload &&
              other.system.system === system.system,
          );
    if (partner === undefined) throw new Error(`no throughput of ${system.name}`);
    rows.push({
      name: partner === entry ? system.name : `${system.name}; throughput: ${partner.system.name}`,
      system: system.system,
      kind: system.kind,
      where: system.where,
      payload,
      roundTripP50Us: figure(entry.p50Us),
      roundTripP99Us: figure(entry.p99Us),
      throughputPerSecond: Math.round(median(partner.perSecond)),
    });
  }
  return rows;
}

/** Median of the rounds to a hundredth; 0 where nothing was measured (one-way). */
function figure(values: readonly number[]): number {
  return values.length === 0 ? 0 : Number(median(values).toFixed(2));
}

/** Shoal beside the best rival of each round, for each payload; more is better for throughputs, less for round trips. */
function compare(entries: readonly Entry[]): Row[] {
  const pools = new Set<unknown>(['piscina', 'poolifier', 'workerpool']);
  return entries.flatMap((entry) => {
    const { system, payload } = entry;
    if (system.system !== 'shoal') return [];
    const rivals = entries.filter((other) => {
      const { system: rival } = other;
      if (rival.system === 'shoal' || other.payload !== payload || rival.kind !== system.kind) return false;
      if (rival.kind === 'one-way') return true;
      return system.where === 'same-thread' ? rival.where === 'same-thread' : pools.has(rival.system);
    });
    const inRound = (figures: 'perSecond' | 'p50Us', round: number): number[] =>
      rivals.flatMap((rival) => rival[figures][round] ?? []);
    const throughputs = entry.perSecond.map((own, round) => own / Math.max(...inRound('perSecond', round)));
    const roundTrips = entry.p50Us.map((own, round) => own / Math.min(...inRound('p50Us', round)));
    const row: Row = {
      name: system.name,
      payload,
      against: [...new Set(rivals.map((rival) => rival.system.system))].join(', '),
      throughputRatio: figure(throughputs),
      p50Ratio: figure(roundTrips),
    };
    return [row];
  });
}

export async function hops(options: BenchOptions): Promise<void> {
  const plan = options.tiny === true ? tinyPlan : fullPlan;
  process.stdout.write(`hops: ${JSON.stringify(describeMachine())}\n\n`);
  const othersShare = watchOthers();
  const entries = await enterAll(plan);
  for (let round = 0; round < plan.rounds; round++) {
    const shift = Math.floor((round * entries.length) / plan.rounds);
    for (const entry of [...entries.slice(shift), ...entries.slice(0, shift)]) await measureOnce(entry, plan);
  }
  const inTurns = entries.filter(({ system }) => system.where === 'same-thread');
  for (let round = plan.rounds; round < plan.sameThreadRounds; round++) {
    for (const entry of round % 2 === 0 ? inTurns : inTurns.toReversed()) await measureOnce(entry, plan);
  }
  const rows = toRows(entries);
  printTable(rows);
  process.stdout.write('\nShoal divided by the best of its rivals:\n');
  printTable(compare(entries));
  const checksum = entries.reduce((sum, entry) => sum + entry.checksum, 0);
  process.stdout.write(`\nChecksum of all replies: ${checksum}\n`);
  if (!(checksum > 0)) throw new Error('no reply was received');
  writeRows(options.jsonFile, 'hops', rows, reportOthers(othersShare()));
}
