/**
 * Reclaim: when a type may have one instance less, and which. Two memories keep count and load from chasing each
 * other. Whoever drives the load up and down makes the calm time longer, so that the controller becomes slower to
 * take back, not busier. And where a clone was needed though the load had not changed, the count before it is not
 * tried again at that load.
 */
import type { AppGraph, ControllerPolicy } from '../../model/index.ts';
import {
  burstUtilizationMin,
  calmDoublingsMax,
  flapCalmTimes,
  flapMemoryMs,
  flapsFree,
  hindsightMs,
  retrySmallerDemand,
  sameLoadFactor,
  sameLoadSlack,
} from './constants.ts';
import { resourcesOf } from './detector.ts';
import { isServing } from './estimate.ts';
import type { Monitor } from './monitor.ts';
import { sufficient } from './sizing.ts';
import type { InstanceView, TypeView } from './view.ts';

/** For how long fewer must have sufficed. */
export function calmNeededMs(type: TypeView, policy: ControllerPolicy): number {
  const doublings = Math.min(calmDoublingsMax, Math.max(0, type.flaps - flapsFree));
  return policy.calmMs * 2 ** doublings;
}

/** A clone was decided on. Whether it undoes a recent reclaim is remembered; what it proves is seen later. */
export function rememberClone(type: TypeView, count: number, policy: ControllerPolicy, nowMs: number): void {
  type.trial ??= { count, demand: type.slowDemand, atMs: nowMs };
  if (nowMs - type.lastReclaimMs > flapCalmTimes * calmNeededMs(type, policy)) return;
  // A reclaim is blamed once.
  type.lastReclaimMs = Number.NEGATIVE_INFINITY;
  type.flaps++;
  type.lastFlapMs = nowMs;
}

/** A while after a clone: if the load is what it was before, it was a burst of this load, and will come again. */
function judgeTrial(type: TypeView, nowMs: number): void {
  const { trial } = type;
  if (trial === null || nowMs - trial.atMs < hindsightMs) return;
  type.trial = null;
  const isSameLoad = type.slowDemand < sameLoadFactor * trial.demand + sameLoadSlack;
  if (isSameLoad && trial.demand >= burstUtilizationMin * trial.count) type.provedTooFew = trial;
}

/** Updates since when the type could do with one instance less. */
export function trackCalm(type: TypeView, count: number, policy: ControllerPolicy, nowMs: number): void {
  judgeTrial(type, nowMs);
  if (type.flaps > 0 && nowMs - type.lastFlapMs > flapMemoryMs) {
    type.flaps--;
    type.lastFlapMs = nowMs;
  }
  const isCalm =
    count > type.floor &&
    !type.isOverloaded &&
    sufficient(type.demand) < count &&
    !hasProvedTooFew(type, count - 1, nowMs) &&
    !isResourceInUse(type, policy);
  if (!isCalm) type.calmSinceMs = -1;
  else if (type.calmSinceMs < 0) type.calmSinceMs = nowMs;
}

export function isReclaimDue(type: TypeView, policy: ControllerPolicy, nowMs: number): boolean {
  return (
    type.calmSinceMs >= 0 &&
    nowMs - type.calmSinceMs >= calmNeededMs(type, policy) &&
    nowMs - type.lastReclaimMs >= policy.reclaimIntervalMs
  );
}

function hasProvedTooFew(type: TypeView, count: number, nowMs: number): boolean {
  const proved = type.provedTooFew;
  if (proved === null || nowMs - proved.atMs > flapMemoryMs || count > proved.count) return false;
  return type.slowDemand > retrySmallerDemand * proved.demand;
}

/** One process less must not bring a limited resource back to where it was overloaded. */
function isResourceInUse(type: TypeView, policy: ControllerPolicy): boolean {
  for (const instance of type.instances) {
    for (const { name, used, limit } of resourcesOf(instance.process)) {
      if (type.msu.resources.includes(name) && used > 0.5 * policy.resourceUseMax * limit) return true;
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
