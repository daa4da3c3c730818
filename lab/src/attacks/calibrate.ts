import { setTimeout as wait } from 'node:timers/promises';
import { LabError } from '../lab-error.ts';
import type { AttackChoice, AttackName, AttackOptions, AttackPlan, AttackStats } from './attack.ts';
import { attacks } from './catalogue.ts';
import { type Launcher, launchHere, startAttack } from './start.ts';
import type { TargetProbe } from './target-probe.ts';

/** How a calibration goes about it. */
export interface CalibrationOptions {
  /** Batches whose median is taken. Default 5. */
  readonly batches?: number;
  /** CPU seconds that a batch is to burn at the target: more is more exact. Default 0.4. */
  readonly batchCpuSeconds?: number;
  /** Cores' worth of load while measuring, so that requests do not wait for each other. Default 0.25. */
  readonly loadCores?: number;
  /** A batch lasts this long at most, in ms. Default 10,000. */
  readonly batchMsMax?: number;
  /** Where the attack is sent from. Default: this machine. */
  readonly launch?: Launcher;
}

export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** What an attack costs its target and its attacker. */
export interface Calibration {
  readonly attack: AttackName;
  readonly requests: number;
  readonly failed: number;
  /** CPU seconds that one request burns at the target, over the batches. */
  readonly cpuSecondsPerRequest: Spread;
  /** What the attacker pays for a CPU second burnt at the target. */
  readonly attackerCpuPerTargetCpu: number;
  readonly attackerBytesSentPerTargetCpuSecond: number;
  readonly attackerBytesReceivedPerTargetCpuSecond: number;
  /** CPU that the attacker spends once, before the first request: starting up and making the attack ready. */
  readonly preparationCpuSeconds: number;
  /** Descriptors that the target opened for each request in flight, where any were seen. */
  readonly descriptorsPerRequest: number;
  /** The most memory the target held above what it held before, in bytes. */
  readonly memoryGrowthBytes: number;
}

/** Time for the target to finish what the last request left behind. */
const SETTLE_MS = 200;
const IDLE_MS = 500;
const PROBE_PERIOD_MS = 50;
/** A pilot is large enough once it burnt this much: ten of the clock's steps. */
const PILOT_CPU_SECONDS_MIN = 0.1;
/** Sizes of the pilots and the time each is spread over: a cheap request needs many, a costly one few. */
const PILOTS = [
  { requests: 5, durationMs: 500 },
  { requests: 50, durationMs: 1000 },
  { requests: 500, durationMs: 2000 },
] as const;

interface Batch {
  readonly stats: AttackStats;
  readonly cpuSeconds: number;
  readonly descriptors: number;
  readonly inFlight: number;
  readonly memoryBytes: number;
}

function spreadOf(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const median =
    sorted.length % 2 === 1 ? (sorted[middle] ?? 0) : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2;
  return { median, min: sorted[0] ?? 0, max: sorted.at(-1) ?? 0 };
}

/** Sends `requests` evenly over `durationMs` and reads what the target spent above its idle rate. */
async function runBatch(
  options: AttackOptions,
  size: { readonly requests: number; readonly durationMs: number },
  probe: TargetProbe,
  idleCores: number,
  launch: Launcher,
): Promise<Batch> {
  const cpuBefore = probe.cpuSeconds();
  const descriptorsBefore = probe.descriptors();
  const memoryBefore = probe.memoryBytes();
  const began = process.hrtime.bigint();
  let descriptors = 0;
  let memoryBytes = 0;
  let inFlight = 0;
  const watch = setInterval(() => {
    descriptors = Math.max(descriptors, probe.descriptors() - descriptorsBefore);
    memoryBytes = Math.max(memoryBytes, probe.memoryBytes() - memoryBefore);
  }, PROBE_PERIOD_MS);
  try {
    const phases = [
      { shape: 'steady', rate: size.requests / (size.durationMs / 1000), durationMs: size.durationMs },
    ] as const;
    const { strength: _, ...plan } = options;
    const handle = await startAttack(
      { ...plan, phases, maxRequests: size.requests } as AttackOptions,
      launch,
    );
    handle.onReport((stats) => {
      inFlight = Math.max(inFlight, stats.inFlight);
    });
    const stats = await handle.done;
    // What such an attack opens it holds to its end.
    if (attacks[options.attack].exhausts === 'descriptors') inFlight = stats.sent;
    await wait(SETTLE_MS);
    const seconds = Number(process.hrtime.bigint() - began) / 1e9;
    const cpuSeconds = Math.max(0, probe.cpuSeconds() - cpuBefore - idleCores * seconds);
    return { stats, cpuSeconds, descriptors, inFlight, memoryBytes };
  } finally {
    clearInterval(watch);
  }
}

async function measureIdle(probe: TargetProbe): Promise<number> {
  const before = probe.cpuSeconds();
  await wait(IDLE_MS);
  return (probe.cpuSeconds() - before) / (IDLE_MS / 1000);
}

/**
 * Measures what one request of an attack costs: a few pilots find its size, then equal batches, spread over time
 * so that the target stays well below saturation, give the median and the spread. Throws `LabError` when the
 * target answers most requests with a refusal, or when a request costs too little to be seen.
 */
export async function calibrate(
  choice: AttackChoice & Omit<AttackPlan, 'phases' | 'strength'>,
  probe: TargetProbe,
  options: CalibrationOptions = {},
): Promise<Calibration> {
  const {
    batches = 5,
    batchCpuSeconds = 0.4,
    loadCores = 0.25,
    batchMsMax = 10_000,
    launch = launchHere,
  } = options;
  if (choice.attack === 'mixed')
    throw new LabError('"mixed" has no strength of its own: calibrate each of its members.');
  const attackOptions = { ...choice, phases: [] } as unknown as AttackOptions;
  const idleCores = await measureIdle(probe);

  let cost = 0;
  let sent = 0;
  for (const size of PILOTS) {
    const pilot = await runBatch(attackOptions, size, probe, idleCores, launch);
    if (pilot.stats.sent > 0 && pilot.stats.failed * 2 > pilot.stats.sent)
      throw new LabError(
        `${choice.attack}: the target refused or broke off ${pilot.stats.failed} of ${pilot.stats.sent} requests. ` +
          `The attack needs of it:\n${attacks[choice.attack].needs.map((need) => `  ${need}`).join('\n')}`,
      );
    cost = pilot.cpuSeconds / Math.max(1, pilot.stats.sent);
    sent = pilot.stats.sent;
    if (pilot.cpuSeconds >= PILOT_CPU_SECONDS_MIN) break;
  }
  if (sent === 0)
    throw new LabError(`${choice.attack}: nothing could be sent to ${choice.host}:${choice.port}.`);
  if (cost === 0 && attacks[choice.attack].exhausts === 'cpu')
    throw new LabError(`${choice.attack}: its requests cost the target too little CPU to be measured.`);

  const wanted = Math.max(3, Math.min(5000, Math.round(batchCpuSeconds / Math.max(cost, 1e-6))));
  const durationMs = Math.min(batchMsMax, Math.max(1000, (wanted * cost * 1000) / loadCores));
  const requests = Math.max(
    3,
    Math.min(wanted, Math.floor((durationMs / 1000) * (loadCores / Math.max(cost, 1e-6)))),
  );
  const results: Batch[] = [];
  for (let index = 0; index < batches; index += 1)
    results.push(await runBatch(attackOptions, { requests, durationMs }, probe, idleCores, launch));
  return summarize(choice.attack, results);
}

function summarize(attack: AttackName, batches: readonly Batch[]): Calibration {
  const sum = (read: (batch: Batch) => number): number =>
    batches.reduce((total, batch) => total + read(batch), 0);
  const cpuSeconds = Math.max(
    sum((batch) => batch.cpuSeconds),
    Number.EPSILON,
  );
  return {
    attack,
    requests: sum((batch) => batch.stats.sent),
    failed: sum((batch) => batch.stats.failed),
    cpuSecondsPerRequest: spreadOf(batches.map((batch) => batch.cpuSeconds / Math.max(1, batch.stats.sent))),
    attackerCpuPerTargetCpu: sum((batch) => batch.stats.cpuSeconds) / cpuSeconds,
    attackerBytesSentPerTargetCpuSecond: sum((batch) => batch.stats.bytesSent) / cpuSeconds,
    attackerBytesReceivedPerTargetCpuSecond: sum((batch) => batch.stats.bytesReceived) / cpuSeconds,
    preparationCpuSeconds: spreadOf(batches.map((batch) => batch.stats.preparationCpuSeconds)).median,
    descriptorsPerRequest: spreadOf(
      batches.map((batch) => (batch.inFlight === 0 ? 0 : batch.descriptors / batch.inFlight)),
    ).median,
    memoryGrowthBytes: Math.max(...batches.map((batch) => batch.memoryBytes)),
  };
}
