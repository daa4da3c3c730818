/** Decisions: what the controller did and why, as plain data that can be kept as JSON. */
import type { InstanceId, MachineId, ProcessId } from '../../model/index.ts';
import type { ThreadTarget } from '../../wire/index.ts';
import type { Overload } from './detector.ts';
import type { Estimate } from './estimate.ts';
import type { Sizing } from './sizing.ts';

/** The four operators: nothing else ever changes what runs. */
export type Operator = 'add' | 'remove' | 'clone' | 'reassign';

/** Why a decision was taken, with the figures that caused it. */
export type Cause =
  | { readonly kind: 'overload'; readonly overload: Overload; readonly figures: Estimate & Sizing }
  | {
      readonly kind: 'calm';
      /** Arriving work in instances' worth, smoothed; how many would do; and for how long fewer have sufficed. */
      readonly demand: number;
      readonly count: number;
      readonly sufficient: number;
      readonly calmForMs: number;
      readonly calmNeededMs: number;
    }
  | {
      readonly kind: 'right-sizing';
      /** Work in instances' worth, the mean over `knownMs`; and the standard deviation of the count it asks for. */
      readonly load: number;
      readonly deviation: number;
      readonly knownMs: number;
      readonly count: number;
      readonly wanted: number;
    }
  | { readonly kind: 'instance-lost'; readonly instanceId: InstanceId; readonly detail: string }
  | { readonly kind: 'below-count'; readonly count: number; readonly neededCount: number }
  | { readonly kind: 'resumed'; readonly detail: string }
  | { readonly kind: 'person' };

export interface Placement {
  readonly instanceId: InstanceId;
  readonly msu: string;
  readonly machine: MachineId;
  readonly process: ProcessId;
  readonly target: ThreadTarget;
  readonly nice: number;
  /** Sum of the shares below; larger was better. */
  readonly score: number;
  /** True: came along as a local dependency of the instance that was wanted. */
  readonly isDependency: boolean;
}

/** A place that was not taken, and why. */
export interface Rejection {
  readonly process: string;
  readonly reason: string;
}

export interface Step {
  readonly atMs: number;
  readonly text: string;
}

export interface Decision {
  /** Counts up from 1 within the epoch. */
  readonly id: number;
  readonly epoch: number;
  readonly atMs: number;
  readonly operator: Operator;
  readonly msu: string;
  readonly cause: Cause;
  readonly placements: readonly Placement[];
  readonly removes: readonly InstanceId[];
  /** Places that did not qualify; at most `rejectionsMax`. */
  readonly rejected: readonly Rejection[];
  /** What was tried; at most `stepsMax`. */
  readonly steps: readonly Step[];
  /** `partly`: some of several instances serve, the others were rolled back. `refused`: nothing was tried. */
  readonly outcome: 'running' | 'done' | 'partly' | 'failed' | 'refused';
  /** One sentence on the outcome; empty while running. */
  readonly detail: string;
  /** When the first ordered instance began to serve; when all was over. Null: not (yet). */
  readonly servingAtMs: number | null;
  readonly endedAtMs: number | null;
}
