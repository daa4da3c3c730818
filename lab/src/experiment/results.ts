import type { AttackName, AttackStats } from '../attacks/attack.ts';
import type { GeneratorHealth, OutcomeCounts } from '../load/result.ts';

export type PhaseName = 'before' | 'attack' | 'after';
export const phaseNames: readonly PhaseName[] = ['before', 'attack', 'after'];

/** The figures of one phase of one run of one deployment under one attack. */
export interface Row {
  readonly attack: AttackName;
  readonly deployment: string;
  /** From 1. */
  readonly run: number;
  readonly phase: PhaseName;
  /** Honest requests answered well, over those due. */
  readonly successRatio: number;
  /** Of successful honest requests, from their intended send times; null when there were none. */
  readonly p50Ms: number | null;
  readonly p99Ms: number | null;
  /** Seconds in which fewer than 99 % of the honest requests were answered well. */
  readonly secondsBelow99: number;
  /** CPU time of load balancer, web and database machines together. */
  readonly cpuSeconds: number;
  /** Most memory that these machines held together, looked at once a second. */
  readonly peakMemoryMiB: number;
  /** Bytes sent by all machines, attacker and honest client included: each byte on the wire once. */
  readonly wireBytes: number;
  /** Times that the quota stopped a load balancer, web or database machine. */
  readonly throttled: number;
  /** 99th percentile of how late the load generator itself was. */
  readonly generatorLagP99Ms: number;
  readonly outcomes: OutcomeCounts;
}

/** One second of a cell, for the figure. */
export interface SecondPoint {
  /** Seconds since the start of the load. */
  readonly second: number;
  readonly sent: number;
  readonly ok: number;
  readonly refused: number;
  /** Mean and 99th percentile of successful requests; null when there were none. */
  readonly meanMs: number | null;
  readonly p99Ms: number | null;
  /** Server instances alive. */
  readonly instances: number;
  /** Processes that the kernel has killed for memory so far. */
  readonly oomKills: number;
}

/** One run of one deployment under one attack. */
export interface Cell {
  readonly attack: AttackName;
  readonly deployment: string;
  readonly run: number;
  readonly seed: number;
  readonly rows: readonly Row[];
  readonly seconds: readonly SecondPoint[];
  readonly attackStats: AttackStats;
  readonly generator: GeneratorHealth;
  readonly oomKills: number;
  /** Server programs that ended and were started again. */
  readonly restarts: number;
  /** Error codes that honest requests ended with. */
  readonly errors: Readonly<Record<string, number>>;
  readonly durationMs: number;
}

/** How a cell passes, in milliseconds; `warm` is not reported. */
export interface Timing {
  readonly warmMs: number;
  readonly beforeMs: number;
  readonly attackMs: number;
  readonly afterMs: number;
}

/** Where the figures come from. */
export interface MachineFacts {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryMiB: number;
  readonly kernel: string;
  readonly node: string;
}

/** Everything that has to be equal for cells to belong together; a file with others is not resumed. */
export interface ExperimentSettings {
  readonly timing: Timing;
  readonly attackCores: number;
  readonly slowConnectionsPerSecond: number;
  readonly honestRatesPerSecond: readonly number[];
  readonly newConnectionRatio: number;
  readonly timeoutMs: number;
  readonly rsaBits: number;
  readonly openFiles: number;
  readonly seed: number;
  readonly machines: readonly {
    readonly name: string;
    readonly role: string;
    readonly cores: number;
    readonly memoryMiB: number;
  }[];
}

/** What an attack was calibrated by: so many requests took so much CPU time of the web machines. */
export interface CalibrationSample {
  readonly requests: number;
  readonly cpuSeconds: number;
}

/** The raw file of an experiment: plain JSON, appended to as cells finish. */
export interface ExperimentResults {
  readonly version: 1;
  readonly command: string;
  readonly startedAt: string;
  readonly machine: MachineFacts;
  readonly settings: ExperimentSettings;
  /** CPU seconds one request of each attack burns at a plain server: of {@link calibration}. */
  readonly cpuSecondsPerRequest: Partial<Record<AttackName, number>>;
  readonly calibration: Partial<Record<AttackName, CalibrationSample>>;
  readonly cells: Cell[];
}

export const cellKey = (cell: Pick<Cell, 'attack' | 'deployment' | 'run'>): string =>
  `${cell.attack} ${cell.deployment} ${cell.run}`;
