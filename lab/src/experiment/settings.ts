import type { AttackChoice, AttackName, AttackPlan } from '../attacks/attack.ts';
import type { MixedMember } from '../attacks/mixed.ts';
import type { RateStep } from '../load/index.ts';
import type { ExperimentSettings, Timing } from './results.ts';

/** Short phases, so that every cell of the table fits into ten minutes. */
export const quickTiming: Timing = { warmMs: 2_000, beforeMs: 1_000, attackMs: 5_000, afterMs: 2_000 };
/** Long enough for every deployment's reaction, its end, and what comes after. */
export const fullTiming: Timing = { warmMs: 2_000, beforeMs: 5_000, attackMs: 20_000, afterMs: 13_000 };

/** Honest requests per second: the published day, 1500 to 3000 and back, at a tenth. */
const dayRatesPerSecond = [150, 200, 250, 300, 250, 200, 150];
/** The day's mean in short runs, in which a step would be lost in the noise. */
const quickRatesPerSecond = [200];

/**
 * What an attack's requests are like. The strengths (cores' worth at the target) are measured for these
 * settings. Every one passes the limits of a careful team that knows its honest requests.
 */
export const attackSettings: {
  readonly [Name in Exclude<AttackName, 'mixed'>]: AttackChoice & { attack: Name };
} = {
  'tls-renegotiation': { attack: 'tls-renegotiation', settings: { renegotiations: 100 } },
  'tls-handshake': { attack: 'tls-handshake', settings: { variant: 'hello-only' } },
  redos: { attack: 'redos', settings: { length: 25 } },
  slowloris: { attack: 'slowloris', settings: { path: '/health' } },
  // PHP's `max_input_vars` allows 1000 as well.
  'hash-collision': { attack: 'hash-collision', settings: { keys: 1_000 } },
  'decompression-bomb': { attack: 'decompression-bomb', settings: { inflatedMiB: 16 } },
};

/** Attacks whose strength is CPU, which a calibration measures. */
export const calibratedAttacks = [
  'tls-renegotiation',
  'tls-handshake',
  'redos',
  'hash-collision',
  'decompression-bomb',
] as const;

export type CalibratedAttack = (typeof calibratedAttacks)[number];

/** The members of the mixed attack, each with an equal turn within the attack. */
const mixedMembers = ['redos', 'tls-handshake', 'hash-collision', 'decompression-bomb'] as const;

export const totalMs = (timing: Timing): number =>
  timing.warmMs + timing.beforeMs + timing.attackMs + timing.afterMs;

/**
 * Rates of the honest load: half of the first rate to warm up, in which the kept connections are made, and then
 * steps of equal length over the rest of the cell.
 */
export function honestSteps(settings: ExperimentSettings): RateStep[] {
  const { honestRatesPerSecond: rates, timing } = settings;
  const stepMs = (totalMs(timing) - timing.warmMs) / rates.length;
  const steps = rates.map((ratePerSecond, i) => ({ atMs: timing.warmMs + i * stepMs, ratePerSecond }));
  return [{ atMs: 0, ratePerSecond: (rates[0] ?? 0) / 2 }, ...steps];
}

export const honestRates = (quick: boolean): number[] => (quick ? quickRatesPerSecond : dayRatesPerSecond);

/** The attack's settings, phases and strength for a cell. */
export function attackPlan(
  attack: AttackName,
  settings: ExperimentSettings,
  cpuSecondsPerRequest: Partial<Record<AttackName, number>>,
): AttackChoice & Pick<AttackPlan, 'phases' | 'strength'> {
  const { attackMs } = settings.timing;
  const steady = (rate: number): AttackPlan['phases'] => [{ shape: 'steady', rate, durationMs: attackMs }];
  const strengthOf = (name: AttackName): { readonly cpuSecondsPerRequest: number } => {
    const cost = cpuSecondsPerRequest[name];
    if (cost === undefined) throw new Error(`${name} has not been calibrated`);
    return { cpuSecondsPerRequest: cost };
  };
  if (attack === 'slowloris') {
    return { ...attackSettings.slowloris, phases: steady(settings.slowConnectionsPerSecond) };
  }
  if (attack === 'mixed') {
    const members = mixedMembers.map((name) => ({ ...attackSettings[name], strength: strengthOf(name) }));
    return {
      attack,
      settings: { members: members as MixedMember[], periodMs: Math.floor(attackMs / members.length) },
      phases: steady(settings.attackCores),
    };
  }
  return { ...attackSettings[attack], phases: steady(settings.attackCores), strength: strengthOf(attack) };
}
