/**
 * What the control endpoint serves: the interface between it and what runs. The controller's figures and decisions are
 * plain data; here stands the part of them that people are shown.
 */
import type { Report } from '../../wire/index.ts';

/** One instance, over about the last second. Times are null where nothing ended in it. */
export interface InstanceFigures {
  readonly instanceId: number;
  readonly machine: string;
  readonly process: string;
  readonly threadId: number;
  readonly phase: 'starting' | 'serving' | 'draining' | 'lost';
  readonly isClone: boolean;
  readonly isDraining: boolean;
  readonly queueLength: number;
  readonly inService: number;
  readonly acceptedPerSecond: number;
  readonly completedPerSecond: number;
  readonly shedPerSecond: number;
  /** Share of the time that it kept its thread busy. */
  readonly utilization: number;
  readonly sojournP50Ms: number | null;
  readonly sojournP99Ms: number | null;
}

/** One MSU type, over about the last second. */
export interface TypeFigures {
  readonly msu: string;
  readonly serving: number;
  readonly pending: number;
  readonly demand: number;
  readonly arrivalsPerSecond: number;
  readonly completionsPerSecond: number;
  readonly refusedPerSecond: number;
  readonly trueRatePerSecond: number;
  readonly utilization: number;
  readonly backlog: number;
  readonly isOverloaded: boolean;
  /** Why it could not be cloned; empty: nothing stood in the way. */
  readonly blockedBy: string;
  readonly instances: readonly InstanceFigures[];
}

export interface ControlView {
  readonly app: string;
  /** Milliseconds on the controller's clock; so are the times of decisions. */
  readonly atMs: number;
  readonly epoch: number;
  readonly isActive: boolean;
  /** Clones that exist, and how many may; 0: no limit. */
  readonly clones: number;
  readonly clonesMax: number;
  readonly types: readonly TypeFigures[];
  readonly processes: readonly {
    readonly machine: string;
    readonly process: string;
    readonly status: string;
  }[];
  readonly machines: readonly {
    readonly machine: string;
    readonly cores: number;
    readonly freeCores: number;
  }[];
}

/** A decision of the controller. Its cause has figures of its own kind, passed on as they are. */
export interface DecisionRecord {
  readonly id: number;
  readonly epoch: number;
  readonly atMs: number;
  readonly operator: 'add' | 'remove' | 'clone' | 'reassign';
  readonly msu: string;
  readonly outcome: 'running' | 'done' | 'partly' | 'failed' | 'refused';
  readonly detail: string;
}

/** What a person may order. */
export type Order =
  | { readonly operator: 'clone'; readonly msu: string; readonly count: number }
  | { readonly operator: 'remove'; readonly instanceId: number }
  | {
      readonly operator: 'reassign';
      readonly instanceId: number;
      readonly machine: string;
      readonly process: string;
    };

/** What runs, as the control endpoint sees it. */
export interface ControlSource {
  view(): ControlView;
  /** Oldest first. */
  decisions(): readonly DecisionRecord[];
  /** One line for people: when, what, why, and what came of it. */
  renderDecision(decision: DecisionRecord): string;
  /** Why there are as many of a type, or why an instance (`7` or `regex#7`) is there. The name exists. */
  explain(name: string): string;
  /** Carries out an order; resolves when it is over. The names in it exist. */
  operate(order: Order): Promise<DecisionRecord>;
  /** The newest report of each process. */
  reports(): readonly Report[];
  /** Sojourn times of each type over about the last second; types without any are absent. */
  sojourn(): Readonly<Record<string, SojournTimes>>;
}

export interface SojournTimes {
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** A decision with its line for people. */
export type DecisionWithText = DecisionRecord & { readonly text: string };

/** What `GET /v1/view` answers. */
export interface ControlSnapshot {
  readonly view: ControlView;
  readonly sojourn: Readonly<Record<string, SojournTimes>>;
  /** The newest, at most {@link recentDecisionsMax}; oldest first. */
  readonly recentDecisions: readonly DecisionWithText[];
}

/** Decisions that come along with a view. */
export const recentDecisionsMax = 20;

/** Instances that one order may ask for. */
export const orderCountMax = 64;
