import { resultOf } from './analysis-result.ts';
import { AnalysisRun } from './analysis-run.ts';
import type { DelayRule } from './delay-meter.ts';
import { lcm } from './exact.ts';
import { findGrid, gridRates } from './grid.ts';
import type { TrafficProfile } from './profile.ts';
import type { AnalysisResult } from './result.ts';
import { longRunGrowth } from './stability.ts';
import type { Steps } from './steps.ts';
import { planSystem, type SystemInput } from './system.ts';

/** Options of {@link analyze}. */
export interface AnalyzeOptions {
  /** Hyperperiods to analyse, at least 1. Default 2: with one, nothing that carries over is seen. */
  readonly periods?: number | undefined;
  /**
   * Go on after `periods` hyperperiods until every later one would be like the last, for at most 100 in all, so that
   * the figures are final. The result says how many it took. Default false. No effect with `first-period`.
   */
  readonly untilSettled?: boolean | undefined;
  /** How delay is measured. Default `sup`, the exact supremum. */
  readonly delayRule?: DelayRule | undefined;
  /**
   * `full` (default) follows the data over the whole horizon. `first-period` reproduces the published tool, which
   * hands on only the first hyperperiod of what was sent and of what was left over, repeated; backlog that carries
   * over is lost at the next hop, so its figures can be too low.
   */
  readonly composition?: 'full' | 'first-period' | undefined;
  /** Which rates senders send at. Default `mean`. */
  readonly column?: 'mean' | 'max' | undefined;
  /** Keep the functions of every hop for plots and further calculation. Default false. */
  readonly curves?: boolean | undefined;
}

/** Most hyperperiods that are analysed. */
export const analysisMaxPeriods = 10_000;

/**
 * Analyses a system over whole hyperperiods, with exact rational arithmetic: buffers, delays, stability, end-to-end
 * delays. Flows are served by priority; what does not fit is buffered.
 *
 * Throws a `ProfileError` when the profiles do not make a system or repeat too late together, and a RangeError for a
 * bad number of periods.
 */
export function analyze(input: SystemInput, options: AnalyzeOptions = {}): AnalysisResult {
  const { periods = 2, delayRule = 'sup', composition = 'full', column = 'mean', curves = false } = options;
  const { untilSettled = false } = options;
  if (!Number.isSafeInteger(periods) || periods < 1 || periods > analysisMaxPeriods) {
    throw new RangeError(`periods must be a whole number from 1 to ${analysisMaxPeriods}, not ${periods}`);
  }
  const plan = planSystem(input);
  const profiles = [
    ...new Set([
      ...plan.branches.map((branch) => branch.sender),
      ...plan.receivers.map((receiver) => receiver.profile),
      ...[...plan.provided.values()].flat(),
    ]),
  ];
  const grid = findGrid(profiles);
  const rates = new Map<TrafficProfile, Steps>();
  for (const profile of profiles) {
    rates.set(profile, gridRates(profile, profile.kind === 'required' ? column : 'mean', grid));
  }
  const hyperperiod = [...rates.values()].map((steps) => steps.end).reduce(lcm);
  const run = new AnalysisRun(
    plan,
    rates,
    grid,
    delayRule,
    curves,
    composition === 'first-period' ? hyperperiod : undefined,
  );
  const growth = longRunGrowth(plan, hyperperiod, (profile) => rates.get(profile)!);
  run.analyse(hyperperiod, periods, growth, untilSettled);
  return resultOf(run, hyperperiod, growth);
}
