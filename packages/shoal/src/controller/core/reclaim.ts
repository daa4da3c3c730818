/**
 * Reclaim: when a type may have one instance less, and which. Two memories keep count and load from chasing each
 * other. Whoever drives the load up and down makes the calm time longer, so that the controller becomes slower to
 * take back, not busier. And clones are taken back when the load is clearly less than the one they were made for: under
 * the same load they would be made again, at the next burst.
 */
import type { AppGraph, ControllerPolicy } from '../../model/index.ts';
import {
  burstSpare,
  calmDeviations,
  calmDoublingsMax,
  changeDeviations,
  changeMin,
  flapCalmTimes,
  flapMemoryMs,
  flapsFree,
  hindsightMs,
  lessLoadShare,
  loadMemoryMs,
} from './constants.ts';
import { resourceOf } from './detector.ts';
import { isServing } from './estimate.ts';
import { LoadMemory } from './load-memory.ts';
import type { Monitor } from './monitor.ts';
import { sufficient } from './sizing.ts';
import type { InstanceView, TypeView } from './view.ts';

/** For how long fewer must have sufficed. */
export function calmNeededMs(type: TypeView, policy: ControllerPolicy): number {
  const doublings = Math.min(calmDoublingsMax, Math.max(0, type.flaps - flapsFree));
  return policy.calmMs * 2 ** doublings;
}

/** Takes in the load of the time that has passed. */
export function rememberLoad(type: TypeView, load: number, forMs: number): void {
  if (forMs <= 0) return;
  type.load.add(load, forMs);
  type.trial?.since.add(load, forMs);
  if (type.calmSinceMs >= 0) type.calmLoad.add(load, forMs);
}

/** A clone was decided on for the load: what it was made for is seen later. */
export function beginTrial(type: TypeView, count: number, nowMs: number): void {
  const { load } = type;
  const isKnown = load.knownMs >= hindsightMs;
  const most = load.mean + changeDeviations * load.deviationOver(hindsightMs) + changeMin;
  const before = { most, least: load.least(calmDeviations) };
  type.trial ??= { atMs: nowMs, count, before: isKnown ? before : null, since: new LoadMemory() };
}

/** A clone was decided on. Whether it undoes a recent reclaim is remembered. */
export function rememberClone(type: TypeView, policy: ControllerPolicy, nowMs: number): void {
  if (nowMs - type.lastReclaimMs > flapCalmTimes * calmNeededMs(type, policy)) return;
  // A reclaim is blamed once.
  type.lastReclaimMs = Number.NEGATIVE_INFINITY;
  type.flaps++;
  type.lastFlapMs = nowMs;
}

/** A while after a clone: was it made for a new load, or for a burst of the old one, which will come again? */
function judgeTrial(type: TypeView, serving: number, nowMs: number): void {
  const { trial } = type;
  if (trial === null || nowMs - trial.atMs < hindsightMs) return;
  type.trial = null;
  const { before, since, count } = trial;
  // Where nothing is known of before, it may have been either.
  const load =
    before === null ? since.least(calmDeviations) : since.mean < before.most ? before.least : since.mean;
  type.madeFor = { load, atMs: nowMs, tooFew: count };
  type.hasty = { count: serving, load: new LoadMemory() };
}

/** The load of the present calm, as high as it may be in truth. */
function calmLoadMax({ calmLoad }: TypeView): number {
  return calmLoad.mean + calmDeviations * calmLoad.deviationOver(calmLoad.knownMs);
}

/** How many are enough: with less load than the clones were made for, what the load needs; else, what its bursts need, too. */
export function enough(type: TypeView, nowMs: number): number {
  const { madeFor, demand, calmLoad } = type;
  const load = calmLoadMax(type);
  if (madeFor === null || nowMs - madeFor.atMs > flapMemoryMs || load < lessLoadShare * madeFor.load)
    return sufficient(Math.max(load, demand));
  const usual = Math.max(madeFor.load, calmLoad.mean);
  return Math.max(sufficient(demand), madeFor.tooFew + 1, Math.ceil(usual + burstSpare * Math.sqrt(usual)));
}

/** Updates since when the type could do with one instance less. */
export function trackCalm(type: TypeView, count: number, policy: ControllerPolicy, nowMs: number): void {
  judgeTrial(type, count, nowMs);
  if (type.flaps > 0 && nowMs - type.lastFlapMs > flapMemoryMs) {
    type.flaps--;
    type.lastFlapMs = nowMs;
  }
  const isCalm =
    count > type.floor &&
    !type.isOverloaded &&
    type.trial === null &&
    sufficient(type.demand) < count &&
    !isResourceInUse(type, policy);
  if (!isCalm) type.calmSinceMs = -1;
  else if (type.calmSinceMs < 0) {
    type.calmSinceMs = nowMs;
    // Only of the end of a long calm: it may have begun under a load that is over.
    type.calmLoad = new LoadMemory(Math.max(loadMemoryMs, calmNeededMs(type, policy)));
  }
}

export function isReclaimDue(
  type: TypeView,
  count: number,
  policy: ControllerPolicy,
  nowMs: number,
): boolean {
  return (
    type.calmSinceMs >= 0 &&
    nowMs - type.calmSinceMs >= calmNeededMs(type, policy) &&
    nowMs - type.lastReclaimMs >= policy.reclaimIntervalMs &&
    enough(type, nowMs) < count
  );
}

/** One process less must not bring a limited resource back to where it was overloaded. */
export function isResourceInUse(type: TypeView, policy: ControllerPolicy): boolean {
  for (const instance of type.instances) {
    for (const { name } of type.msu.resources) {
      const resource = resourceOf(instance.process, name);
      if (resource !== undefined && resource.used > 0.5 * policy.resourceUseMax * resource.limit) return true;
    }
  }
  return false;
}

/** The instance that is missed least: a clone that nothing depends on, with the least to do. Null: none can go. */
export function chooseVictim(
  type: TypeView,
  graph: AppGraph,
  monitor: Monitor,
  leaving: ReadonlySet<number>,
): InstanceView | null {
  let best: InstanceView | null = null;
  for (const instance of type.instances) {
    if (!isServing(instance) || leaving.has(instance.instanceId)) continue;
    if (!isDispensable(instance, type, graph, monitor, leaving)) continue;
    if (best === null || compare(instance, best) < 0) best = instance;
  }
  return best;
}

function compare(a: InstanceView, b: InstanceView): number {
  // What the deployment names is kept as long as there is something else to take.
  if (a.isClone !== b.isClone) return a.isClone ? -1 : 1;
  return loadOf(a) - loadOf(b) || b.instanceId - a.instanceId;
}

function loadOf({ sample, recent }: InstanceView): number {
  const use = recent.dtMs > 0 ? Math.max(recent.busyMs, recent.cpuMs) / recent.dtMs : 0;
  return sample.queueLength + sample.inService + sample.states + use;
}

function isDispensable(
  instance: InstanceView,
  type: TypeView,
  graph: AppGraph,
  monitor: Monitor,
  leaving: ReadonlySet<number>,
): boolean {
  const { process } = instance;
  for (const other of type.instances) {
    const stays = other !== instance && !leaving.has(other.instanceId) && isServing(other);
    if (stays && other.process === process) return true;
  }
  // It is the last of its type there: nothing that stays may need it there.
  const dependents = graph.msus.filter((msu) =>
    msu.dependencies.some((need) => need.locality === 'local' && need.msu === type.msu.name),
  );
  const senders = graph.edges.filter(
    (edge) => edge.toMsu === type.msu.name && edge.routing === 'same-process',
  );
  const needed = new Set([...dependents.map((msu) => msu.name), ...senders.map((edge) => edge.fromMsu)]);
  for (const name of needed) {
    for (const dependent of monitor.type(name).instances) {
      if (dependent.process === process && !leaving.has(dependent.instanceId)) return false;
    }
  }
  return true;
}
