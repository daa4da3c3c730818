/**
 * How much work arrives for a type, and how much its instances can do: the true-rate model of DS2 (Kalavri et al.,
 * OSDI 2018), on counters that every runtime has. True rate = completions / time in use.
 */
import type { AppGraph } from '../../model/index.ts';
import type { TimeHistogram } from '../../wire/index.ts';
import { cpuBoundEvidenceMs, cpuBoundShare, recentSpanMs } from './constants.ts';
import { squaredVariation } from './histogram.ts';
import type { Monitor } from './monitor.ts';
import type { InstanceView, RecentFigures, TypeView } from './view.ts';
import { sumWindows } from './windows.ts';

/** Figures of a type over a span. "Instances' worth" is the work of one instance that is always busy. */
export interface Estimate {
  readonly spanMs: number;
  /** Instances that serve, and what they can do together: less where cores are shared with others. */
  readonly serving: number;
  readonly capacity: number;
  readonly arrivalsPerSecond: number;
  readonly completionsPerSecond: number;
  /** Of those, messages that were refused because a queue was full. */
  readonly refusedPerSecond: number;
  /** Messages per second that one instance completes while it works. */
  readonly trueRatePerSecond: number;
  /** Arriving work, in instances' worth. */
  readonly demand: number;
  /** Of that, what is in use now. */
  readonly inUse: number;
  /** The counts behind it. */
  readonly arrivedInSpan: number;
  readonly completedInSpan: number;
  /** Mean share of its time that an instance is in use. */
  readonly utilization: number;
  /** Messages waiting. */
  readonly backlog: number;
}

/** Milliseconds of a figure's span in which the instance was in use. */
function usedMs(figures: RecentFigures, isCpuBound: boolean, concurrency: number): number {
  if (isCpuBound && figures.cpuMs > 0) return Math.min(figures.cpuMs, figures.dtMs);
  // With several events in progress, handler times overlap; an instance that always has a queue is in full use.
  const busyMs = figures.busyMs > figures.dtMs ? figures.busyMs / concurrency : figures.busyMs;
  return Math.min(figures.dtMs, Math.max(busyMs, figures.queuedMs));
}

/** What an instance could do at most: all of a core, but where it always has work, the part of one that it gets. */
function capacityOf(figures: RecentFigures, isCpuBound: boolean): number {
  const isSaturated = figures.dtMs > 0 && figures.queuedMs >= 0.5 * figures.dtMs;
  if (!isCpuBound || !isSaturated || figures.cpuMs <= 0) return 1;
  return Math.min(1, Math.max(0.1, figures.cpuMs / figures.dtMs));
}

/** Messages per second that senders could not put into a queue of the type. */
function refusedPerSecond(monitor: Monitor, graph: AppGraph, type: TypeView, backlog: number): number {
  let total = 0;
  for (const edge of graph.edges) {
    if (edge.toMsu !== type.msu.name) continue;
    const sender = monitor.types.get(edge.fromMsu);
    if (sender === undefined) continue;
    let refused = 0;
    for (const instance of sender.instances) {
      if (instance.recent.dtMs > 0) refused += (instance.recent.refusedFull * 1_000) / instance.recent.dtMs;
    }
    if (refused === 0) continue;
    // A sender counts refusals, not by whom: they are shared out by the queues of those it sends to.
    const receivers = new Set(graph.edges.filter((e) => e.fromMsu === edge.fromMsu).map((e) => e.toMsu));
    let queued = 0;
    for (const name of receivers) queued += backlogOf(monitor.types.get(name));
    total += queued > 0 ? (refused * backlog) / queued : refused / receivers.size;
  }
  return total;
}

/** What an instance has reported of the time since then; if that is nothing, of its last window. */
function since({ windows }: InstanceView, sinceMs: number): RecentFigures {
  const last = windows.at(-1);
  return sumWindows(windows, last === undefined ? 0 : Math.max(1, last.atMs - sinceMs));
}

export function backlogOf(type: TypeView | undefined): number {
  let backlog = 0;
  for (const instance of type?.instances ?? []) backlog += instance.sample.queueLength;
  return backlog;
}

/** Instances that take new work. */
export function isServing(instance: InstanceView): boolean {
  return instance.phase === 'serving';
}

/** The type's figures over (about) the last `spanMs`. */
export function estimate(
  monitor: Monitor,
  graph: AppGraph,
  type: TypeView,
  spanMs: number,
  nowMs: number,
): Estimate {
  let serving = 0;
  let capacity = 0;
  let used = 0;
  let usedTotalMs = 0;
  let completed = 0;
  let arrivals = 0;
  let completions = 0;
  let arrived = 0;
  for (const instance of type.instances) {
    const figures = spanMs >= recentSpanMs ? instance.recent : since(instance, nowMs - spanMs);
    if (isServing(instance)) {
      serving++;
      capacity += capacityOf(figures, type.isCpuBound);
    }
    if (figures.dtMs <= 0) continue;
    const inUseMs = usedMs(figures, type.isCpuBound, type.msu.concurrency);
    used += inUseMs / figures.dtMs;
    usedTotalMs += inUseMs;
    completed += figures.completed;
    arrived += figures.accepted;
    completions += (figures.completed * 1_000) / figures.dtMs;
    arrivals += (figures.accepted * 1_000) / figures.dtMs;
  }
  const backlog = backlogOf(type);
  const refused = refusedPerSecond(monitor, graph, type, backlog);
  const hintRate = 1_000 / Math.max(0.001, type.msu.cost.serviceTimeMs);
  // One completion is added on both sides, so that a handful of messages does not decide alone.
  const refusedInSpan = completions > 0 ? (refused * completed) / completions : 0;
  const ratio = (arrived + refusedInSpan + 1) / (completed + 1);
  const trueRate =
    completed > 0 && usedTotalMs > 0
      ? (completed * 1_000) / usedTotalMs
      : Math.min(hintRate, usedTotalMs > 0 ? 1_000 / usedTotalMs : hintRate);
  return {
    spanMs,
    serving,
    capacity,
    arrivalsPerSecond: arrivals + refused,
    completionsPerSecond: completions,
    refusedPerSecond: refused,
    trueRatePerSecond: trueRate,
    demand: used * ratio,
    arrivedInSpan: arrived + refusedInSpan,
    completedInSpan: completed,
    inUse: used,
    utilization: serving > 0 ? used / serving : 0,
    backlog,
  };
}

/**
 * Relative standard deviation of a demand. It rests on two counts of independent events, and says the less, the
 * more the messages differ: a count of messages is worth 1 / (1 + variation²) of as many equal ones.
 */
export function doubtOf(type: TypeView, figures: Estimate): number {
  const each = inequality(type, figures.spanMs);
  return Math.sqrt(each / (figures.arrivedInSpan + 1) + each / (figures.completedInSpan + 1));
}

/** How much less a message tells of the load than if all were equal: 1 + variation² of their service times. */
export function inequality(type: TypeView, spanMs: number): number {
  const variation = squaredVariation(serviceTimes(type, Math.max(spanMs, recentSpanMs)));
  return 1 + (Number.isNaN(variation) ? 1 : variation);
}

function* serviceTimes(
  type: TypeView,
  spanMs: number,
): Generator<{ readonly older: TimeHistogram; readonly newer: TimeHistogram }> {
  for (const { windows, sample } of type.instances) {
    let first = windows.length;
    for (let ms = 0; first > 0 && ms < spanMs; ) ms += windows[--first]?.dtMs ?? 0;
    const oldest = windows[first];
    if (oldest !== undefined) yield { older: oldest.serviceBefore, newer: sample.serviceTime };
  }
}

/** Whether the type's handlers spend their time on a core (or waiting for one). Unknown: `sync` types do. */
export function measureCpuBound(type: TypeView): boolean {
  let busyMs = 0;
  let onCoreMs = 0;
  for (const instance of type.instances) {
    busyMs += instance.recent.busyMs;
    onCoreMs += instance.recent.cpuMs + instance.recent.coreWaitMs;
  }
  if (busyMs < cpuBoundEvidenceMs || onCoreMs === 0) return type.isCpuBound;
  return onCoreMs / busyMs >= cpuBoundShare;
}
