/** How many instances a type should have: from true rates, all at once. */
import type { ControllerPolicy } from '../../model/index.ts';
import {
  countTolerance,
  deadlineGrowthMax,
  doubtDeviations,
  doubtInstancesMax,
  followUpDoubtDeviations,
  followUpMs,
  reclaimUtilization,
} from './constants.ts';
import type { Overload } from './detector.ts';
import type { Estimate } from './estimate.ts';
import { doubtOf } from './estimate.ts';
import type { TypeView } from './view.ts';

export interface Sizing {
  /** Instances that exist or are ordered. */
  readonly count: number;
  /** Instances that the figures ask for, before caps and places; and the number behind it, not rounded. */
  readonly wanted: number;
  readonly wantedExact: number;
  /** Relative standard deviation of the demand: the more it is, the less of the demand is acted on. */
  readonly doubt: number;
}

/**
 * wanted = arrivals / (true rate × target utilization) + backlog / (true rate × drain time), where an instance that
 * does not get a whole core counts as the part it gets, and one that is ordered counts as a whole one.
 * For a limited resource: the sum of use / (limit × highest share allowed), in processes.
 */
export function size(
  type: TypeView,
  figures: Estimate,
  overload: Overload | null,
  policy: ControllerPolicy,
  ordered: number,
  nowMs: number,
): Sizing {
  const count = figures.serving + ordered;
  const settledMs = nowMs - type.lastServingMs;
  const deviations = settledMs < followUpMs ? followUpDoubtDeviations : doubtDeviations;
  const { demand, inUse } = figures;
  const doubt = doubtOf(type, figures);
  // More may be in use than arrives, while a backlog is worked off.
  const certain =
    demand <= inUse
      ? demand
      : Math.max(inUse, demand - Math.min(doubtInstancesMax, deviations * doubt * demand));
  const forRate = certain / policy.targetUtilization;
  // What waited when the last clones came is theirs to work off; counted again, it would be cloned for twice.
  const isBacklogCounted = settledMs >= policy.drainTimeMs;
  const drainSeconds = policy.drainTimeMs / 1_000;
  const forBacklog = isBacklogCounted ? figures.backlog / (figures.trueRatePerSecond * drainSeconds) : 0;
  // What the existing ones lack to whole cores is added to what is wanted.
  const lacking = figures.serving - figures.capacity;
  let wantedExact = forRate + forBacklog + lacking;
  let wanted = Math.ceil(wantedExact - countTolerance);
  switch (overload?.rule) {
    case 'limited-resource': {
      wantedExact = overload.processes.reduce(
        (total, { used, limit }) => total + used / (limit * policy.resourceUseMax),
        0,
      );
      const more = Math.max(1, Math.ceil(wantedExact - countTolerance) - overload.processes.length);
      // A clone that is ordered already will relieve the processes there are.
      wanted = figures.serving + Math.max(0, more - ordered) + ordered;
      break;
    }
    case 'deadline':
      // Late at a low utilization: idle instances cure it, one at a time, and only so far.
      if (count < deadlineGrowthMax * Math.max(1, wanted)) wanted = Math.max(wanted, count + 1);
      break;
    default:
  }
  const { instancesMax, instancesMin } = type.msu;
  return { count, wanted: Math.min(instancesMax, Math.max(instancesMin, wanted)), wantedExact, doubt };
}

/** Instances that suffice with room to spare: the count down to which a type may be taken back. */
export function sufficient(demand: number): number {
  return Math.max(1, Math.ceil(demand / reclaimUtilization - countTolerance));
}
