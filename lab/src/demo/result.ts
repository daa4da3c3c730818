/** What the demo measures. Plain data: this is what `--json` writes. */
import type { AttackPhase, DeploymentName, PhaseName } from './plan.ts';

/** Of one kind of honest request in one phase, as its clients saw it. */
export interface KindFigures {
  /** Responses with a status below 400, among all requests that were due. */
  readonly successRatio: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly sent: number;
  /** 503: the server said at once that it is too busy. */
  readonly refused: number;
  readonly refusedP99Ms: number;
  readonly timedOut: number;
  /** Other failures: broken connections, other statuses. */
  readonly failed: number;
}

export interface PhaseFigures {
  readonly name: PhaseName;
  readonly objects: KindFigures;
  readonly regex: KindFigures;
}

/** A decision of the controller, on the demo's clock. */
export interface DecisionFigures {
  /** From the start of the load. */
  readonly atMs: number;
  readonly servingAtMs: number | null;
  readonly operator: string;
  readonly msu: string;
  readonly outcome: string;
  readonly text: string;
}

/** One second, for the picture. */
export interface SecondFigures {
  readonly second: number;
  readonly objects: SecondKind;
  readonly regex: SecondKind;
  /** Instances that serve, by type; empty for deployments without. */
  readonly instances: Readonly<Record<string, number>>;
}
export interface SecondKind {
  readonly sent: number;
  readonly ok: number;
  readonly refused: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** CPU in an attack, in cores, as the kernel counted it. */
export interface SearchCores {
  /** What searches used: more than was asked for, where one cost more then than when it was calibrated. */
  readonly used: number;
  /** What there was for searches: cores that stayed idle, and what the server used beyond its use in `before`. */
  readonly available: number;
  /** What the hostile searches asked for: their rate times the calibrated cost of one. Honest ones cost next to nothing. */
  readonly asked: number;
}

export interface DeploymentFigures {
  readonly phases: readonly PhaseFigures[];
  /** Median over the onsets; null: there was none (the deployment does not clone, or did not). */
  readonly firstCloneServingMs: Readonly<Record<AttackPhase, number | null>>;
  readonly onsetsMs: Readonly<Record<AttackPhase, readonly (number | null)[]>>;
  readonly instancesPeak: number;
  /** From the end of the attack until the clones were gone; null: they were not, or there were none. */
  readonly reclaimedMs: number | null;
  /** Honest requests that ended neither well nor with a fast refusal from the first reclaim on. */
  readonly failedByReclaim: number | null;
  readonly searchCores: Readonly<Record<AttackPhase, SearchCores>>;
  readonly decisions: readonly DecisionFigures[];
  readonly seconds: readonly SecondFigures[];
  /** Worst 99th percentile of the load generators' own lateness. */
  readonly generatorLagP99Ms: number;
}

export interface DemoResult {
  /** `costMs`: CPU that one burned before the run; `costAtEndMs`: after it. */
  readonly hostileRequest: {
    readonly costMs: number;
    readonly costAtEndMs: number;
    readonly characters: number;
  };
  /** From the start of the program to its end, building apart. */
  readonly durationMs: number;
  readonly honestRatePerSecond: number;
  readonly machine: { readonly cores: number; readonly cpu: string; readonly node: string };
  readonly deployments: Readonly<Partial<Record<DeploymentName, DeploymentFigures>>>;
}
