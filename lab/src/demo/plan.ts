/** What the demo does when: one timeline, the same for every deployment. All times in milliseconds. */

export const deploymentNames = ['monolith', 'cluster', 'shoal'] as const;
export type DeploymentName = (typeof deploymentNames)[number];

export const phaseNames = ['before', 'attack-1.3', 'attack-3', 'after'] as const;
export type PhaseName = (typeof phaseNames)[number];

export const attackNames = ['attack-1.3', 'attack-3'] as const;
export type AttackPhase = (typeof attackNames)[number];

/** Cores' worth of CPU that the attack asks for. */
export const attackCores: Readonly<Record<AttackPhase, number>> = { 'attack-1.3': 1.3, 'attack-3': 3 };

export interface Plan {
  /** How long it is measured what a hostile request burns: the mean changes with the machine, by seconds and by minutes. */
  readonly measuringMs: number;
  /** Honest load before the first phase, so that no server is judged by its first requests. */
  readonly warmMs: number;
  /** A phase is measured from this long after its start, so that each is judged by how it goes on. */
  readonly settleMs: number;
  /** How long each phase lasts. */
  readonly durations: Readonly<Record<PhaseName, number>>;
  /** Shoal's `after` goes on, under the honest load, until its clones are gone, at most so long. */
  readonly reclaimMaxMs: number;
  /** Onsets of each attack from which the median time to the first clone is taken. */
  readonly onsets: number;
  /** An onset on a fresh process: honest load, then so much attack. */
  readonly onsetBeforeMs: number;
  readonly onsetAttackMs: number;
  /** The whole run is meant to be over in so long, building apart. */
  readonly durationMaxMs: number;
}

export const quickPlan: Plan = {
  measuringMs: 2_000,
  warmMs: 2_000,
  settleMs: 2_000,
  durations: { before: 5_000, 'attack-1.3': 6_000, 'attack-3': 6_000, after: 3_000 },
  reclaimMaxMs: 32_000,
  onsets: 1,
  onsetBeforeMs: 2_500,
  onsetAttackMs: 2_500,
  durationMaxMs: 120_000,
};

export const fullPlan: Plan = {
  measuringMs: 6_000,
  warmMs: 2_000,
  settleMs: 2_000,
  durations: { before: 12_000, 'attack-1.3': 20_000, 'attack-3': 20_000, after: 12_000 },
  reclaimMaxMs: 45_000,
  onsets: 5,
  onsetBeforeMs: 3_000,
  onsetAttackMs: 3_000,
  durationMaxMs: 420_000,
};

/** Honest requests per second: of both kinds together, Poisson. Bounded by what two cores also have to generate. */
export const honestRatePerSecond = 150;
/** Shares of the honest requests. */
export const shares = { objects: 0.8, regex: 0.2 } as const;
/** Share of honest requests that open a connection of their own, as a new visitor would. */
export const newConnectionRatio = 0.15;
/** An honest client waits so long. */
export const clientTimeoutMs = 1_000;
/** CPU that one hostile request is to burn, milliseconds. */
export const hostileCostMs = 100;

/** Phases as people read them. */
export const phaseLabels: Readonly<Record<PhaseName, string>> = {
  before: 'before',
  'attack-1.3': 'attack, 1.3 cores',
  'attack-3': 'attack, 3 cores',
  after: 'after',
};

export interface PhaseSpan {
  readonly name: PhaseName;
  readonly startMs: number;
  readonly endMs: number;
}

/** The phases one after the other, after the warm-up; times count from the start of the load. */
export function phaseSpans(plan: Plan): readonly PhaseSpan[] {
  let atMs = plan.warmMs;
  return phaseNames.map((name) => {
    const startMs = atMs;
    atMs += plan.durations[name];
    return { name, startMs, endMs: atMs };
  });
}
