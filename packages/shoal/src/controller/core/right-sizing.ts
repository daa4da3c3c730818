/**
 * Right-sizing: clones are decided on in haste, by the messages of a second or less, of which n tell the load to one in
 * √n. Nothing but an overload or a calm would change their number again, so where they are many, too few or too many by
 * a tenth would stay. Once the load is known to half an instance, the count is corrected: once for a load.
 */
import type { AppGraph, ControllerPolicy } from '../../model/index.ts';
import { burstSpare, countTolerance, lessLoadShare, recentSpanMs, rightSizeDeviation } from './constants.ts';
import type { Cause } from './decision.ts';
import { type Estimate, inequality } from './estimate.ts';
import { LoadMemory } from './load-memory.ts';
import { calmNeededMs, isResourceInUse } from './reclaim.ts';
import type { TypeView } from './view.ts';

export type RightSizing = Extract<Cause, { kind: 'right-sizing' }>;

/**
 * Takes in what was in use while `elapsedMs` passed; says so when the count should be another. From then on the count
 * is taken for right, until there are clones for another load.
 */
export function rightSize(
  type: TypeView,
  figures: Estimate,
  count: number,
  elapsedMs: number,
  graph: AppGraph,
  policy: ControllerPolicy,
): RightSizing | null {
  const { hasty, madeFor } = type;
  if (hasty === null || madeFor === null) return null;
  // What is in use while nothing waits is what arrives; under overload it is what there is.
  if (type.isOverloaded || count !== hasty.count) {
    type.hasty = { count, load: new LoadMemory() };
    return null;
  }
  hasty.load.add(figures.inUse, elapsedMs);
  const { mean, knownMs } = hasty.load;
  if (knownMs < calmNeededMs(type, policy)) return null;
  // Figures in a row have messages in common: the more, the longer these take, and the more unequal they are.
  const serviceMs = 1_000 / figures.trueRatePerSecond;
  const alike = Math.sqrt(1 + (inequality(type, figures.spanMs) * serviceMs) / recentSpanMs);
  const deviation = (alike * hasty.load.deviationOver(knownMs)) / policy.targetUtilization;
  if (deviation > rightSizeDeviation) return null;
  type.hasty = null;
  // Where messages cannot go to any instance, or the load is over, a mean says nothing.
  if (!isReachedFromAnywhere(type, graph) || mean < lessLoadShare * madeFor.load) return null;
  const exact = mean / policy.targetUtilization;
  const best = Math.ceil(exact - countTolerance);
  // What bursts need, and what was too few for them, is left.
  const least = Math.max(
    best,
    madeFor.tooFew + 1,
    Math.ceil(mean + burstSpare * Math.sqrt(mean)),
    type.floor,
  );
  // With several messages in progress at a time, an instance can be in use and still have room.
  const isUseKnown = type.isCpuBound || type.msu.concurrency === 1;
  const most = isUseKnown ? Math.min(best, type.msu.instancesMax) : count;
  const wanted = count > least + 1 ? least : count < most - 1 ? most : count;
  if (wanted === count || (wanted < count && isResourceInUse(type, policy))) return null;
  return { kind: 'right-sizing', load: mean, deviation, knownMs, count, wanted };
}

function isReachedFromAnywhere(type: TypeView, graph: AppGraph): boolean {
  return graph.edges.every(
    ({ toMsu, routing }) =>
      toMsu !== type.msu.name || (routing !== 'same-process' && routing !== 'same-machine-as-origin'),
  );
}
