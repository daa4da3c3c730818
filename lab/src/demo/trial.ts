/** Runs one deployment through the timeline, and puts together what its clients saw. */
import { type AttackHandle, startAttack } from '../attacks/start.ts';
import type { Load, LoadResult, LoadSecond } from '../load/index.ts';
import { startLoad } from '../load/index.ts';
import { type CpuReading, type CpuStretch, coresForSearches, coresUsedBySearches, readCpu } from './cores.ts';
import type { HostileText } from './hostile-text.ts';
import {
  type AttackPhase,
  attackCores,
  clientTimeoutMs,
  honestRatePerSecond,
  newConnectionRatio,
  type PhaseName,
  type Plan,
  phaseSpans,
  shares,
} from './plan.ts';
import type { DecisionFigures, KindFigures, SearchCores, SecondFigures, SecondKind } from './result.ts';
import type { DemoServer } from './servers.ts';
import { type InstanceCount, type Watch, watchShoal } from './watch.ts';

/** Time for the generators' processes to start, before anything is due; from source they take much longer. */
const leadMs = import.meta.url.endsWith('.ts') ? 6_000 : 1_200;
/** A hostile request is given up after so long; so many may be under way. */
const attackTimeoutMs = 10_000;
const attackInFlightMax = 256;
/** The clones count as gone when none was seen for so long. */
const goneMs = 600;

export type Kind = keyof typeof shares;

/** What is going on, for whoever shows it. */
export interface Progress {
  readonly phase: PhaseName | 'warm-up' | 'reclaim';
  readonly second: number;
  /** When the trial ends, at the latest. */
  readonly endSecond: number;
  readonly objects: LoadSecond | undefined;
  readonly regex: LoadSecond | undefined;
  readonly instances: Readonly<Record<string, number>>;
}

export interface TrialResult {
  readonly phases: readonly {
    readonly name: PhaseName;
    readonly objects: KindFigures;
    readonly regex: KindFigures;
  }[];
  readonly seconds: readonly SecondFigures[];
  readonly decisions: readonly DecisionFigures[];
  readonly counts: readonly InstanceCount[];
  readonly reclaimedMs: number | null;
  readonly failedByReclaim: number | null;
  readonly searchCores: Readonly<Record<AttackPhase, SearchCores>>;
  readonly generatorLagP99Ms: number;
}

function honestLoad(
  server: DemoServer,
  kind: Kind,
  timing: { startAtEpochMs: number; durationMs: number; plan: Plan },
  onSecond: (second: LoadSecond) => void,
): Load {
  const texts = [
    'status: 200 content-type: text',
    'accept-language: en date: today',
    'via: proxy cache-control: no',
  ];
  return startLoad({
    host: '127.0.0.1',
    port: server.port,
    tls: {},
    rate: honestRatePerSecond * shares[kind],
    durationMs: timing.durationMs,
    startAtEpochMs: timing.startAtEpochMs,
    newConnectionRatio,
    keptConnections: 24,
    timeoutMs: clientTimeoutMs,
    seed: kind === 'objects' ? 11 : 12,
    mix: [
      {
        name: kind,
        weight: 1,
        request: (random) =>
          kind === 'objects'
            ? { path: `/object/${random.integer(1_000)}` }
            : { path: `/search?q=${encodeURIComponent(texts[random.integer(texts.length)]!)}` },
      },
    ],
    phases: phaseSpans(timing.plan).map(({ name, startMs, endMs }) => ({
      name,
      startMs: startMs + timing.plan.settleMs,
      endMs,
    })),
    onSecond,
  });
}

/** Starts the hostile load: one steady stretch after the other. */
export function hostileLoad(
  server: DemoServer,
  hostile: HostileText,
  startAtEpochMs: number,
  stretches: readonly { readonly attack: AttackPhase; readonly durationMs: number }[],
): Promise<AttackHandle> {
  return startAttack({
    attack: 'redos',
    settings: { path: `${hostile.path}{input}`, length: 1, keepAlive: true },
    host: '127.0.0.1',
    port: server.port,
    startAtEpochMs,
    strength: { cpuSecondsPerRequest: hostile.costMs / 1_000 },
    phases: stretches.map(({ attack, durationMs }) => ({
      shape: 'steady',
      rate: attackCores[attack],
      durationMs,
    })),
    timeoutMs: attackTimeoutMs,
    maxInFlight: attackInFlightMax,
  });
}

function kindFigures(load: LoadResult, name: PhaseName): KindFigures {
  const phase = load.phases.find((candidate) => candidate.name === name)!;
  return {
    successRatio: phase.successRatio,
    p50Ms: phase.latency.p50Ms,
    p99Ms: phase.latency.p99Ms,
    sent: phase.sent,
    refused: phase.refused,
    refusedP99Ms: phase.refusedLatency.p99Ms,
    timedOut: phase.timedOut,
    failed: phase.failed + phase.errored,
  };
}

function secondKind(second: LoadSecond | undefined): SecondKind {
  const total = second?.total;
  return {
    sent: total?.sent ?? 0,
    ok: total?.ok ?? 0,
    refused: total?.refused ?? 0,
    p50Ms: total?.latency.p50Ms ?? 0,
    p99Ms: total?.latency.p99Ms ?? 0,
  };
}

function secondsOf(
  objects: LoadResult,
  regex: LoadResult,
  counts: readonly InstanceCount[],
): SecondFigures[] {
  return objects.seconds.map((second) => ({
    second: second.second,
    objects: secondKind(second),
    regex: secondKind(regex.seconds.find((other) => other.second === second.second)),
    instances: counts.findLast(({ atMs }) => atMs < (second.second + 1) * 1_000)?.byType ?? {},
  }));
}

const isReclaim = ({ operator, outcome }: DecisionFigures): boolean =>
  operator === 'remove' && outcome === 'done';

/** Requests that ended badly from the first reclaim on. */
function lostFrom(loads: readonly LoadResult[], fromMs: number): number {
  return loads
    .flatMap(({ seconds }) => seconds)
    .filter(({ second }) => second >= Math.floor(fromMs / 1_000))
    .reduce((sum, { total }) => sum + total.timedOut + total.failed + total.errored + total.refused, 0);
}

/** Waits until the clones are gone, or for so long. Answers when they were gone. */
async function waitForReclaim(
  server: DemoServer,
  watch: Watch,
  endAtEpochMs: number,
): Promise<number | null> {
  let goneSinceMs: number | null = null;
  while (Date.now() < endAtEpochMs) {
    server.mustRun();
    const count = watch.latest();
    if (count === undefined || count.clones > 0) goneSinceMs = null;
    else goneSinceMs ??= count.atMs;
    if (count !== undefined && goneSinceMs !== null && count.atMs - goneSinceMs >= goneMs) return goneSinceMs;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return null;
}

/** Looks at the CPU at the beginning and the end of the measured part of a phase. */
async function watchCpu(
  server: DemoServer,
  plan: Plan,
  name: PhaseName,
  startAtEpochMs: number,
): Promise<CpuStretch> {
  const { startMs, endMs } = phaseSpans(plan).find((span) => span.name === name)!;
  const readAt = async (atMs: number): Promise<CpuReading> => {
    await new Promise((resolve) => setTimeout(resolve, startAtEpochMs + atMs - Date.now()));
    server.mustRun();
    return readCpu(server.pid);
  };
  return [await readAt(startMs + plan.settleMs), await readAt(endMs)];
}

/** One deployment, the whole timeline. */
export async function runTrial(
  server: DemoServer,
  hostile: HostileText,
  plan: Plan,
  onProgress: (progress: Progress) => void,
): Promise<TrialResult> {
  const spans = phaseSpans(plan);
  const endMs = spans.at(-1)!.endMs;
  const attackFrom = spans.find(({ name }) => name === 'attack-1.3')!;
  const attackTo = spans.find(({ name }) => name === 'attack-3')!;
  const startAtEpochMs = Date.now() + leadMs;
  const isWatched = server.control !== null;
  const durationMs = isWatched ? attackTo.endMs + plan.reclaimMaxMs : endMs;
  const watch = isWatched ? watchShoal(server, startAtEpochMs) : null;
  const latest: Record<Kind, LoadSecond | undefined> = { objects: undefined, regex: undefined };
  const startKind = (kind: Kind): Load =>
    honestLoad(server, kind, { startAtEpochMs, durationMs, plan }, (second) => {
      latest[kind] = second;
    });
  const loads = { objects: startKind('objects'), regex: startKind('regex') };
  const attack = await hostileLoad(server, hostile, startAtEpochMs + attackFrom.startMs, [
    { attack: 'attack-1.3', durationMs: plan.durations['attack-1.3'] },
    { attack: 'attack-3', durationMs: plan.durations['attack-3'] },
  ]);
  const showing = setInterval(() => {
    const atMs = Date.now() - startAtEpochMs;
    const phase = spans.find(({ startMs, endMs: phaseEndMs }) => atMs >= startMs && atMs < phaseEndMs)?.name;
    onProgress({
      phase: phase ?? (atMs < plan.warmMs ? 'warm-up' : 'reclaim'),
      second: Math.max(0, Math.floor(atMs / 1_000)),
      endSecond: Math.ceil(durationMs / 1_000),
      ...latest,
      instances: watch?.latest()?.byType ?? {},
    });
  }, 1_000);
  try {
    const calm = await watchCpu(server, plan, 'before', startAtEpochMs);
    const weak = await watchCpu(server, plan, 'attack-1.3', startAtEpochMs);
    const strong = await watchCpu(server, plan, 'attack-3', startAtEpochMs);
    const coresIn = (name: AttackPhase, attacked: CpuStretch): SearchCores => ({
      used: coresUsedBySearches(calm, attacked),
      available: coresForSearches(calm, attacked),
      asked: attackCores[name],
    });
    await new Promise((resolve) => setTimeout(resolve, startAtEpochMs + endMs - Date.now()));
    const goneAtMs =
      watch === null
        ? null
        : await waitForReclaim(server, watch, startAtEpochMs + durationMs - clientTimeoutMs);
    server.mustRun();
    await Promise.all([loads.objects.close(), loads.regex.close(), attack.stop()]);
    const [objects, regex] = await Promise.all([loads.objects.done, loads.regex.done]);
    const decisions = watch === null ? [] : await watch.finish();
    const firstReclaim = decisions.find(isReclaim);
    return {
      phases: spans.map(({ name }) => ({
        name,
        objects: kindFigures(objects, name),
        regex: kindFigures(regex, name),
      })),
      seconds: secondsOf(objects, regex, watch?.counts ?? []),
      decisions,
      counts: watch?.counts ?? [],
      reclaimedMs: firstReclaim === undefined || goneAtMs === null ? null : goneAtMs - attackTo.endMs,
      failedByReclaim: firstReclaim === undefined ? null : lostFrom([objects, regex], firstReclaim.atMs),
      searchCores: { 'attack-1.3': coresIn('attack-1.3', weak), 'attack-3': coresIn('attack-3', strong) },
      generatorLagP99Ms: Math.max(objects.generator.lag.p99Ms, regex.generator.lag.p99Ms),
    };
  } finally {
    clearInterval(showing);
    await Promise.allSettled([loads.objects.close(), loads.regex.close(), attack.stop()]);
  }
}

/** The type that the attack hits. */
const attackedMsu = 'regex';

/** From the onset of an attack to the first clone of the type under attack that serves; null: none did. */
export function firstCloneAfter(decisions: readonly DecisionFigures[], onsetMs: number): number | null {
  const serving = decisions
    // A clone that was decided before the onset is no answer to it, whenever it serves.
    .filter(({ operator, msu, atMs }) => operator === 'clone' && msu === attackedMsu && atMs >= onsetMs)
    .flatMap(({ servingAtMs }) => servingAtMs ?? []);
  return serving.length === 0 ? null : Math.min(...serving) - onsetMs;
}

/** An onset on a fresh process: honest load, then the attack; how long until the first clone served. */
export async function runOnset(
  server: DemoServer,
  hostile: HostileText,
  attackName: AttackPhase,
  plan: Plan,
): Promise<number | null> {
  const startAtEpochMs = Date.now() + leadMs;
  const durationMs = plan.onsetBeforeMs + plan.onsetAttackMs;
  const watch = watchShoal(server, startAtEpochMs);
  const timing = { startAtEpochMs, durationMs, plan };
  const loads = (['objects', 'regex'] as const).map((kind) =>
    honestLoad(server, kind, timing, () => undefined),
  );
  const attack = await hostileLoad(server, hostile, startAtEpochMs + plan.onsetBeforeMs, [
    { attack: attackName, durationMs: plan.onsetAttackMs },
  ]);
  try {
    await new Promise((resolve) => setTimeout(resolve, startAtEpochMs + durationMs - Date.now()));
    server.mustRun();
    return firstCloneAfter(await watch.finish(), plan.onsetBeforeMs);
  } finally {
    await Promise.allSettled([...loads.map((load) => load.close()), attack.stop()]);
  }
}
