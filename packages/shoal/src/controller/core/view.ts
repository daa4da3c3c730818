/**
 * What the controller knows: processes, instances, machines and types, kept up to date by the monitor out of reports.
 * Only the monitor writes these; detector, planner, weights and reclaim read them.
 */
import type { GraphMsu, InstanceId, MachineId, ProcessId } from '../../model/index.ts';
import type { InstanceSample, ProcessSample, Report, ThreadSample, TimeHistogram } from '../../wire/index.ts';
import type { LoadMemory } from './load-memory.ts';

/** Names a process within the cluster: `machine/process`. */
export type ProcessKey = string;

export function processKey(machine: MachineId, process: ProcessId): ProcessKey {
  return `${machine}/${process}`;
}

/** What one instance did between two reports: differences of its cumulative counters. */
export interface InstanceWindow {
  /** End of the window on the controller's clock. */
  readonly atMs: number;
  readonly dtMs: number;
  /** Part of `dtMs` for which the queue's minimum is known (less where a report was lost). */
  readonly observedMs: number;
  /** The queue was never seen empty. */
  readonly isQueued: boolean;
  readonly accepted: number;
  /** Done and failed. */
  readonly completed: number;
  readonly shed: number;
  readonly busyMs: number;
  /** CPU time of its thread that it used, and its share of the thread's wait for a core. */
  readonly cpuMs: number;
  readonly coreWaitMs: number;
  /** Messages that this instance could not send because a queue was full. */
  readonly refusedFull: number;
  /** Snapshots at the window's start. */
  readonly sojournBefore: TimeHistogram;
  readonly serviceBefore: TimeHistogram;
  readonly expiredBefore: number;
}

/** What the cumulative counts were at a moment. */
export interface EndingsMark {
  /** On the controller's clock. */
  readonly atMs: number;
  readonly expired: number;
  readonly sojourn: TimeHistogram;
  readonly service: TimeHistogram;
}

/** Sums over the windows of the last `recentSpanMs`. */
export interface RecentFigures {
  dtMs: number;
  queuedMs: number;
  accepted: number;
  completed: number;
  shed: number;
  busyMs: number;
  cpuMs: number;
  coreWaitMs: number;
  refusedFull: number;
}

export interface InstanceView {
  readonly instanceId: InstanceId;
  readonly msu: string;
  readonly process: ProcessView;
  sample: InstanceSample;
  phase: InstanceSample['phase'];
  /** For how long every report has shown its queue never empty. */
  queuedForMs: number;
  firstSeenMs: number;
  /** Negative: not yet. */
  servingSinceMs: number;
  /** Negative: not lost. */
  lostSinceMs: number;
  /** On a thread that the deployment does not name. */
  isClone: boolean;
  /** Oldest first; at most `windowsMax`. */
  windows: InstanceWindow[];
  /** About one a second, oldest first, for `deadlineSpanMaxMs`; of types with a deadline. */
  endings: EndingsMark[];
  recent: RecentFigures;
}

export interface ThreadView {
  sample: ThreadSample;
  /** CPU used in the last window, as a share of it; and for how long that was at or over the threshold. */
  cpuShare: number;
  busyForMs: number;
}

export type ProcessStatus = 'alive' | 'suspect' | 'dead';

export interface ProcessView {
  readonly key: ProcessKey;
  readonly machine: MachineId;
  readonly process: ProcessId;
  incarnation: string;
  readonly endedIncarnations: string[];
  sequence: number;
  reportedAtMs: number;
  lastReceivedMs: number;
  status: ProcessStatus;
  processSample: ProcessSample;
  reportedEpoch: number;
  reportedTables: Report['tables'];
  readonly threads: Map<number, ThreadView>;
  readonly instances: Map<InstanceId, InstanceView>;
  /** Lengths of the last windows, for averages over `recentSpanMs`. */
  windowLengths: number[];
  recentMs: number;
}

export interface MachineView {
  readonly machine: MachineId;
  cores: number;
  memoryBytes: number;
  memoryFreeBytes: number;
  /** Free cores by time, over the last `recentSpanMs`. */
  readonly freeSamples: { readonly atMs: number; readonly windowMs: number; readonly freeCores: number }[];
  /** Their mean. */
  freeCores: number;
}

/** A clone that is being judged. */
export interface CloneTrial {
  readonly atMs: number;
  /** The count before. */
  readonly count: number;
  /** Of the load before: the most that a mean of `hindsightMs` may be without a change; and the least it was. Null: not known. */
  readonly before: { readonly most: number; readonly least: number } | null;
  readonly since: LoadMemory;
}

/** Why a type cannot be cloned any further just now. */
export interface Blocked {
  readonly reason: string;
  /** The rule whose overload cannot be cured; empty: whatever the overload. */
  readonly rule: string;
  readonly untilMs: number;
}

export interface TypeView {
  readonly msu: GraphMsu;
  readonly instances: Set<InstanceView>;
  /** Instances' worth of work that arrives, smoothed by `demandSmoothingMs`. */
  demand: number;
  /** Of about the last minute; of the present calm. */
  readonly load: LoadMemory;
  calmLoad: LoadMemory;
  isCpuBound: boolean;
  evaluatedAtMs: number;
  /** Since when the load would fit on one instance less; negative: it does not. */
  calmSinceMs: number;
  lastReclaimMs: number;
  /** When the last ordered instance began to serve. */
  lastServingMs: number;
  /** Clones that came soon after a reclaim, within memory. */
  flaps: number;
  lastFlapMs: number;
  /** The last clone, until it is known whether the load had changed: the load before it, and since. */
  trial: CloneTrial | null;
  /** The load for which the last clones were made, when, and the count that was too small for it. */
  madeFor: { readonly load: number; readonly atMs: number; readonly tooFew: number } | null;
  /** The count that the last clones made, and the load since they were judged; null: it is taken for right. */
  hasty: { readonly count: number; readonly load: LoadMemory } | null;
  blocked: Blocked | null;
  /** Additions that failed, in a row. */
  failures: number;
  /** When each reason was last logged. */
  readonly refusalsLogged: Map<string, number>;
  /** Count below which nothing is reclaimed: the initial one, moved by people's orders. */
  floor: number;
  /** Count that the decisions so far amount to; losses are made good up to it. */
  committed: number;
  /** Since when there are fewer; negative: there are enough. */
  deficitSinceMs: number;
  /** Instances are known to be lost for good, and need not be waited for. */
  isLossConfirmed: boolean;
  /** When lost instances were placed anew, within the type's restart period. */
  repairsAtMs: number[];
  /** It died more often than its restart policy allows: until then, no instance is placed. */
  restsUntilMs: number;
  isOverloaded: boolean;
}

/** Something that happened to a process or an instance and asks for action, found while taking in reports. */
export type Incident =
  | { readonly kind: 'process-joined'; readonly process: ProcessView }
  | { readonly kind: 'process-restarted'; readonly process: ProcessView }
  | { readonly kind: 'process-suspect'; readonly process: ProcessView; readonly silentMs: number }
  | { readonly kind: 'process-back'; readonly process: ProcessView }
  | { readonly kind: 'process-dead'; readonly process: ProcessView; readonly silentMs: number }
  /** The instance's phase changed, it appeared, or it is gone from its process's reports. */
  | { readonly kind: 'instance-changed'; readonly instance: InstanceView; readonly isGone: boolean };
