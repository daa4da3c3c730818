/** The controller's fixed figures, each with the reason for its value. What users may tune is `ControllerPolicy`. */
import assert from 'node:assert/strict';

/** Sample periods without a report or a heartbeat after which a process gets no new instances: one or two are lost by any network. */
export const suspectAfterPeriods = 3;
/** And so many after which it counts as dead: 1 s at the default period, beyond any pause of a healthy agent. */
export const deadAfterPeriods = 10;
/** Incarnations of a process that are remembered as ended, so that a late report of one is not taken for a restart. */
export const endedIncarnationsMax = 16;

/** Span of the figures that are compared with each other (rates, CPU): long enough for ten default windows. */
export const recentSpanMs = 1_000;
/** A window that lies within a span by so much counts as if all of it did: counts stay whole. */
export const wholeWindowShare = 0.9;
/** A window is too long to say what goes on now if it is longer than so many reports at rest, and than the span. */
export const restsTooLong = 2;
/** Windows kept per instance at most, whatever the sample period is. */
export const windowsMax = 20;
/** Smoothing of the demand by which clones are taken back: well over one burst, well under the calm time. */
export const demandSmoothingMs = 3_000;
/** Memory of the load that a clone is compared with: many bursts, and still soon that of a load that has changed. */
export const loadMemoryMs = 60_000;

/** Completions from which the mean service time of a short span is believed; below, one slow message decides it. */
export const completionsTrusted = 3;
/** Endings from which a p99 is taken seriously; where a second has fewer, more seconds are looked at. */
export const deadlineSamplesMin = 50;
/** And so many at most: beyond it, what was late says nothing about now. */
export const deadlineSpanMaxMs = 10_000;
/** Late endings, of how many they may be one in a hundred, below which chance may have done it. */
export const lateEndingsMin = 3;
/**
 * Standard deviations by which a demand is reckoned lower than it looks: after a quiet time, when a burst looks like
 * the beginning of an attack; and within `followUpMs` of a clone. What one decision leaves out, the next one adds.
 */
export const doubtDeviations = 1.25;
export const followUpDoubtDeviations = 0.25;
export const followUpMs = 2_000;
/** Instances' worth of work that doubt takes off a demand at most: a burst by chance is no more, and of very many some too many are taken back. */
export const doubtInstancesMax = 3;
/** Windows that must have passed since the last clones began to serve, before their type is judged again. */
export const settleWindows = 3;
/** Part of the wanted count that is rounded away: a tenth of an instance is noise (as in other autoscalers). */
export const countTolerance = 0.1;
/** Utilization that must not be exceeded after a reclaim: well below the target, so that count and load do not chase each other. */
export const reclaimUtilization = 0.5;
/** Standard deviation, in instances, of what a load asks for, from which the count is corrected by it: then it is right to one. */
export const rightSizeDeviation = 0.5;
/** Messages, one after the other, that figures last at least: in less time only such end as had arrived before it. */
export const spanMessagesMin = 2;
/** Share of a type's instances that one reclaim may take back, where that is more than one. */
export const reclaimShareMax = 0.05;
/** Share of handler time that a type spends on (or waiting for) a core, above which it counts as CPU-bound. */
export const cpuBoundShare = 0.5;
/** Milliseconds of handler time to be seen before a type is said not to be CPU-bound. */
export const cpuBoundEvidenceMs = 50;
/** The part of a core that must be free for one more CPU-bound instance: less is not worth a thread. */
export const usefulCoreShare = 0.2;
/** Thread CPU is judged over so many windows for types whose queue shows overload sooner. */
export const threadRuleWindows = 3;
/** A deadline missed at low utilization is cured by idle instances, up to so many times what the rates ask for. */
export const deadlineGrowthMax = 2;

/** Part of a limited resource in use from which a further instance there would find too little of it. */
export const resourceFullShare = 0.9;

/** OS niceness of threads made for CPU-heavy types without pinned state: about a tenth of the share of a normal thread. */
export const cloneNice = 10;
/** Share of a machine's memory that placement leaves free. */
export const memoryReserveShare = 0.1;
/** Memory of a thread beside its instances, MiB: an isolate with its code. */
export const threadMemoryMiB = 16;
/** Thread utilization below which one of its colocation group may join a thread. */
export const sharedThreadUtilizationMax = 0.5;
/** How long a new instance is reckoned with a whole core, until its CPU shows in the measured figures. */
export const youngInstanceMs = 1_000;

/** A type that could not be cloned is not looked at again for so long. */
export const blockedRetryMs = 2_000;
/** What failed several times in a row is tried again after so long at most. */
export const failureRetryMaxMs = 60_000;
/** A refusal with the same reason is logged again only after so long. */
export const refusalRepeatMs = 300_000;
/** How long a clone keeps its load in memory; and after which, without a new flap, calm is believed sooner again. */
export const flapMemoryMs = 1_800_000;
/** Clones so soon after a reclaim that are taken for real changes of load; each further one doubles the calm time. */
export const flapsFree = 4;
/** How long after a clone it is judged whether the load had really changed. */
export const hindsightMs = 10_000;
/** Standard deviations by which a mean must differ, before a load is said to have changed: a burst is what made it be looked at. */
export const changeDeviations = 6;
/** And the part of an instance by which it must have grown. */
export const changeMin = 0.1;
/** Standard deviations by which the load of a calm time is reckoned higher than it was. */
export const calmDeviations = 3;
/** Instances beyond a load that its bursts may need, by the square root of it: with so many they wait for each other no more. */
export const burstSpare = 3;
/** Doublings of the calm time at most: 20 s become about 20 minutes. */
export const calmDoublingsMax = 6;
/** Load, relative to that for which the clones were made, below which they are taken back. */
export const lessLoadShare = 0.7;
/** One type may use this share of the decisions per minute, so that an attack on one does not disarm the others. */
export const decisionShareOfOneType = 0.5;

/** A command without an answer is sent again (same id: carried out once) after so long. */
export const commandRetryMs = 1_000;
/** Attempts to deliver a command before it counts as failed. */
export const commandTriesMax = 5;
/** A refused table is sent again after so long. */
export const tablesRetryMs = 200;
/** A plan waits so long for tables to be in force everywhere; the processes that lag get them later all the same. */
export const tablesWaitMaxMs = 2_000;
/** What a drain may take beyond the deployment's `drainMaxMs` before it counts as unanswered. */
export const drainMarginMs = 2_000;
/** Drains that ran into `drainMaxMs` are asked again so often, then what is left is ended. */
export const drainTriesMax = 6;
/**
 * A lost instance is given so long to come back with a new thread before it is placed anew. A thread starts in 20 to
 * 100 ms, but in ten times that on a machine under attack; one that is given up for good is reported as such.
 */
export const lostGraceMs = 3_000;

/** An instance that serves by its agent's answer is believed in for so long without a report that shows it. */
export const unseenMaxMs = 5_000;
/** A count that is too low without a confirmed loss (a process restarts, say) is mended only after so long. */
export const repairAfterMs = 2_000;
/** At start, processes of the deployment are waited for so long before their instances are placed elsewhere. */
export const startGraceMs = 5_000;
/** A clone that follows a reclaim within so many calm times shows that the reclaim was a mistake. */
export const flapCalmTimes = 3;

/** Endpoint weights are changed at most so often. */
export const weightsIntervalMs = 1_000;
/** Relative change of a weight below which the table stays as it is. */
export const weightChangeMin = 0.25;
/** Part of the distance to the new weight that is gone in one step. */
export const weightSmoothing = 0.3;
/** Bounds of a weight; the mean is 1. */
export const weightMin = 0.1;
export const weightMax = 10;

/** Decisions kept; the oldest are dropped first. */
export const decisionsMax = 1_000;
/** Steps and rejected places kept with one decision. */
export const stepsMax = 64;
export const rejectionsMax = 16;
/** Ids left free by a controller that takes over, for what its predecessor had ordered and nobody has reported yet. */
export const takeoverIdGap = 256;
/** So many reports of a process at rest are waited for, before a controller that takes over sends tables without it. */
export const takeoverWaitReports = 2;

assert.ok(suspectAfterPeriods < deadAfterPeriods);
assert.ok(deadlineSpanMaxMs % recentSpanMs === 0);
assert.ok(weightMin < 1 && 1 < weightMax);
assert.ok(tablesRetryMs < commandRetryMs && commandRetryMs < tablesWaitMaxMs);
