import { setTimeout as sleep } from 'node:timers/promises';
import type { AttackName } from '../attacks/attack.ts';
import { attacks } from '../attacks/catalogue.ts';
import { startAttack } from '../attacks/start.ts';
import { type LoadPhase, type LoadResult, startLoad } from '../load/index.ts';
import type { Deployment } from '../rivals/index.ts';
import { serverName } from '../service/certificates.ts';
import { readInstanceReports } from '../service/instance-report.ts';
import { honestMix } from '../service/mix.ts';
import { machineLauncher } from '../testbed/attack-launcher.ts';
import { accountService, type ServiceAccounting } from './accounting.ts';
import type { Laboratory, RunningService } from './laboratory.ts';
import {
  type Cell,
  type ExperimentSettings,
  type PhaseName,
  phaseNames,
  type Row,
  type SecondPoint,
  type Timing,
} from './results.ts';
import { attackPlan, honestSteps, totalMs } from './settings.ts';

/** Load generator and attacker boot side by side and begin together, this long after they are started. */
const bootMsDefault = 1_000;
const keptConnections = 90;
/** The load generator is late when its 99th percentile of lag in a phase is above a twentieth of the timeout. */
const lagMaxMs = 50;

/** What to run. */
export interface CellPlan {
  readonly attack: AttackName;
  readonly deployment: Deployment;
  readonly run: number;
  readonly settings: ExperimentSettings;
  readonly cpuSecondsPerRequest: Partial<Record<AttackName, number>>;
  /** How long load generator and attacker get to boot. Default 1,000. */
  readonly bootMs?: number;
}

/** What was seen of the machines at the start of each second, and at the end. */
interface Observation {
  readonly accounts: readonly ServiceAccounting[];
  readonly instances: readonly number[];
}

/** Runs one cell: deployment up, honest load, attack in its middle, deployment down. */
export async function runCell(laboratory: Laboratory, plan: CellPlan): Promise<Cell> {
  const started = performance.now();
  const service = await laboratory.start(plan.deployment);
  try {
    const cell = await measure(laboratory, plan, service);
    return { ...cell, durationMs: Math.round(performance.now() - started) };
  } finally {
    await service.close();
  }
}

async function measure(
  laboratory: Laboratory,
  plan: CellPlan,
  service: RunningService,
): Promise<Omit<Cell, 'durationMs'>> {
  const { testbed } = laboratory;
  const { settings, attack, deployment, run } = plan;
  const { timing } = settings;
  const seed = settings.seed + run;
  const startAtEpochMs = Date.now() + (plan.bootMs ?? bootMsDefault);
  const target = { host: service.host, port: service.port };
  const load = startLoad({
    ...target,
    tls: { ca: laboratory.certificate.ca, serverName },
    localAddresses: laboratory.clientAddresses,
    rate: honestSteps(settings),
    durationMs: totalMs(timing),
    startAtEpochMs,
    mix: honestMix,
    newConnectionRatio: settings.newConnectionRatio,
    keptConnections,
    timeoutMs: settings.timeoutMs,
    phases: loadPhases(timing),
    lagMaxMs,
    seed,
    launch: machineLauncher(testbed.machine('client')),
  });
  // What such an attacker has is connections; it may open them as fast as it is told to.
  if (attacks[attack].exhausts === 'descriptors') testbed.machine('attacker').setCores(null);
  const attacker = await startAttack(
    {
      ...attackPlan(attack, settings, plan.cpuSecondsPerRequest),
      ...target,
      seed,
      startAtEpochMs: startAtEpochMs + timing.warmMs + timing.beforeMs,
      localAddresses: laboratory.attackerAddresses,
    },
    machineLauncher(testbed.machine('attacker')),
  );
  const [result, observation] = await Promise.all([
    load.done,
    observe(laboratory, service, startAtEpochMs, Math.ceil(totalMs(timing) / 1000)),
  ]);
  const attackStats = await attacker.stop();
  const last = observation.accounts[observation.accounts.length - 1]!;
  return {
    attack,
    deployment: deployment.name,
    run,
    seed,
    rows: phaseNames.map((phase) => ({
      attack,
      deployment: deployment.name,
      run,
      ...rowOf(phase, timing, result, observation),
    })),
    seconds: secondsOf(result, observation),
    attackStats,
    generator: result.generator,
    oomKills: last.oomKills - observation.accounts[0]!.oomKills,
    restarts: service.restarts(),
    errors: result.errors,
  };
}

/** Where each phase begins and ends, in ms since the start of the load. */
function loadPhases({ warmMs, beforeMs, attackMs, afterMs }: Timing): (LoadPhase & { name: PhaseName })[] {
  const attackAt = warmMs + beforeMs;
  const afterAt = attackAt + attackMs;
  return [
    { name: 'before', startMs: warmMs, endMs: attackAt },
    { name: 'attack', startMs: attackAt, endMs: afterAt },
    { name: 'after', startMs: afterAt, endMs: afterAt + afterMs },
  ];
}

/** Looks at accounts and instances at every whole second of the load. */
async function observe(
  { testbed }: Laboratory,
  service: RunningService,
  startAtEpochMs: number,
  seconds: number,
): Promise<Observation> {
  const accounts: ServiceAccounting[] = [];
  const instances: number[] = [];
  for (let second = 0; second <= seconds; second += 1) {
    await sleep(Math.max(0, startAtEpochMs + second * 1000 - Date.now()));
    accounts.push(await accountService(testbed));
    instances.push(readInstanceReports(service.reportFolder).length);
  }
  return { accounts, instances };
}

function rowOf(
  phase: PhaseName,
  timing: Timing,
  result: LoadResult,
  { accounts }: Observation,
): Omit<Row, 'attack' | 'deployment' | 'run'> {
  const { startMs, endMs } = loadPhases(timing).find(({ name }) => name === phase)!;
  const figures = result.phases.find(({ name }) => name === phase)!;
  const within = accounts.slice(Math.floor(startMs / 1000), Math.ceil(endMs / 1000) + 1);
  const [first, last] = [within[0]!, within[within.length - 1]!];
  const { sent, ok, refused, failed, timedOut, errored } = figures;
  return {
    phase,
    successRatio: figures.successRatio,
    p50Ms: ok === 0 ? null : figures.latency.p50Ms,
    p99Ms: ok === 0 ? null : figures.latency.p99Ms,
    secondsBelow99: figures.secondsBelow99,
    cpuSeconds: last.cpuSeconds - first.cpuSeconds,
    peakMemoryMiB: Math.round(Math.max(...within.map(({ memoryMiB }) => memoryMiB))),
    wireBytes: last.wireBytes - first.wireBytes,
    throttled: last.throttled - first.throttled,
    generatorLagP99Ms: figures.lag.p99Ms,
    outcomes: { sent, ok, refused, failed, timedOut, errored },
  };
}

function secondsOf(result: LoadResult, { accounts, instances }: Observation): SecondPoint[] {
  const oomKillsBefore = accounts[0]!.oomKills;
  return result.seconds.map(({ second, total: { sent, ok, refused, latency } }) => ({
    second,
    sent,
    ok,
    refused,
    meanMs: ok === 0 ? null : latency.meanMs,
    p99Ms: ok === 0 ? null : latency.p99Ms,
    instances: instances[second] ?? 0,
    oomKills: (accounts[second]?.oomKills ?? oomKillsBefore) - oomKillsBefore,
  }));
}
