import { endRates, expectedRequests, type Phase, slicePhases, totalDurationMs } from './phases.ts';

/** slowhttptest opens connections at one rate only, so a ramp is climbed in at most this many steps. */
const STEPS_A_RAMP_MAX = 8;
/** A step is not made shorter than this: each is a process of its own. */
const STEP_MIN_MS = 1000;

/** One run of slowhttptest: from `startMs` on it opens `connections` at `ratePerSecond` and holds them. */
export interface SlowRun {
  readonly startMs: number;
  readonly connections: number;
  readonly ratePerSecond: number;
  /** Until the end of the attack, in whole seconds (slowhttptest's unit), rounded up. */
  readonly lengthSeconds: number;
}

/** Cuts ramps into steps of equal length; steady phases stay whole. */
function steps(phases: readonly Phase[]): Phase[] {
  return phases.flatMap((phase) => {
    const [from, to] = endRates(phase);
    if (from === to) return [phase];
    const count = Math.max(1, Math.min(STEPS_A_RAMP_MAX, Math.floor(phase.durationMs / STEP_MIN_MS)));
    return Array.from({ length: count }, (_, index) =>
      slicePhases([phase], (index * phase.durationMs) / count, ((index + 1) * phase.durationMs) / count),
    ).flat();
  });
}

/**
 * The runs of slowhttptest that together open connections at the plan's rates (new connections per second),
 * at most `connectionsMax` in all, and hold them to the plan's end. Rounding is carried from step to step, so
 * that the sum is right within one.
 */
export function slowhttptestPlan(phases: readonly Phase[], connectionsMax: number): SlowRun[] {
  const endMs = totalDurationMs(phases);
  const runs: SlowRun[] = [];
  let startMs = 0;
  let wanted = 0;
  let opened = 0;
  for (const step of steps(phases)) {
    wanted += expectedRequests([step]);
    const connections = Math.min(Math.round(wanted), connectionsMax) - opened;
    if (connections > 0) {
      runs.push({
        startMs,
        connections,
        ratePerSecond: Math.max(1, Math.round(connections / (step.durationMs / 1000))),
        lengthSeconds: Math.max(1, Math.ceil((endMs - startMs) / 1000)),
      });
      opened += connections;
    }
    startMs += step.durationMs;
  }
  return runs;
}
