/**
 * Detector: which types are overloaded, and by which rule. It knows no type names and no attacks: every rule is a
 * relation between measured figures and what the type or the policy declares.
 *
 * (a) persistent queue: on some process no instance of the type saw an empty queue during the whole window. As
 *     published, with one thing added: when what waits will certainly outlast the window, the rest of it is not
 *     waited for.
 * (b) limited resource: on every process that hosts the type a resource with a limit is used beyond a share of it,
 *     and the type holds most of what is used.
 * (c) deadline: its p99 sojourn time exceeds its deadline, and waiting is the reason. Over the last second, or as many
 *     seconds as it takes to see enough messages end.
 * (d) thread: a thread's CPU was used up for a window; the type with most of it.
 */
import type { AppGraph, ControllerPolicy } from '../../model/index.ts';
import type { ResourceSample } from '../../wire/index.ts';
import {
  completionsTrusted,
  deadlineSamplesMin,
  deadlineSpanMaxMs,
  lateEndingsMin,
  recentSpanMs,
  threadRuleWindows,
} from './constants.ts';
import { isServing } from './estimate.ts';
import { addBetween, countOver, quantileBetween } from './histogram.ts';
import type { EndingsMark, InstanceView, InstanceWindow, ProcessKey, ProcessView, TypeView } from './view.ts';
import { sumWindows } from './windows.ts';

export type Overload =
  | {
      readonly rule: 'persistent-queue';
      readonly process: ProcessKey;
      /** For how long no instance there has seen an empty queue; and how much longer it cannot. */
      readonly queuedForMs: number;
      readonly certainForMs: number;
      readonly queueLength: number;
    }
  | {
      readonly rule: 'limited-resource';
      readonly resource: string;
      readonly processes: readonly {
        readonly process: ProcessKey;
        readonly used: number;
        readonly limit: number;
        readonly ownUse: number;
      }[];
    }
  | {
      readonly rule: 'deadline';
      readonly deadlineMs: number;
      /** The figures are over so long; of the messages that ended in it, `late` were over the deadline or expired. */
      readonly spanMs: number;
      readonly late: number;
      readonly sojournP99Ms: number;
      readonly serviceP99Ms: number;
      readonly completed: number;
      readonly expired: number;
    }
  | {
      readonly rule: 'thread';
      readonly process: ProcessKey;
      readonly threadId: number;
      readonly cpuShare: number;
      readonly busyForMs: number;
    };

/** The rules that hold for the type now, in the order in which they are acted on. */
export function* overloadsOf(
  type: TypeView,
  graph: AppGraph,
  policy: ControllerPolicy,
  nowMs: number,
): Generator<Overload> {
  const rules = [
    () => persistentQueue(type, policy),
    () => limitedResource(type, policy),
    () => missedDeadline(type, policy, nowMs),
    () => busyThread(type, graph, policy),
  ];
  for (const rule of rules) {
    const overload = rule();
    if (overload !== null) yield overload;
  }
}

function servingByProcess(type: TypeView): Map<ProcessView, InstanceView[]> {
  const groups = new Map<ProcessView, InstanceView[]>();
  for (const instance of type.instances) {
    if (!isServing(instance) || instance.process.status === 'dead') continue;
    const group = groups.get(instance.process);
    if (group === undefined) groups.set(instance.process, [instance]);
    else group.push(instance);
  }
  return groups;
}

/** Mean milliseconds of work of one message over the last window; NaN where too few ended to say. */
function serviceTimeMs(type: TypeView, spanMs: number): number {
  let completed = 0;
  let busyMs = 0;
  for (const instance of type.instances) {
    const figures = sumWindows(instance.windows, spanMs);
    completed += figures.completed;
    busyMs += figures.busyMs / type.msu.concurrency;
  }
  return completed >= completionsTrusted ? busyMs / completed : Number.NaN;
}

function persistentQueue(type: TypeView, policy: ControllerPolicy): Overload | null {
  let queued = false;
  for (const instance of type.instances) {
    if (instance.queuedForMs > 0) {
      queued = true;
      break;
    }
  }
  if (!queued) return null;
  const serviceMs = serviceTimeMs(type, policy.windowMs);
  let worst: Overload | null = null;
  for (const [process, instances] of servingByProcess(type)) {
    let queuedForMs = Number.POSITIVE_INFINITY;
    let certainForMs = Number.POSITIVE_INFINITY;
    let queueLength = 0;
    for (const instance of instances) {
      queuedForMs = Math.min(queuedForMs, instance.queuedForMs);
      const aheadMs = Number.isNaN(serviceMs) ? 0 : (instance.sample.queueLength - 1) * serviceMs;
      certainForMs = Math.min(certainForMs, Math.max(0, aheadMs));
      queueLength += instance.sample.queueLength;
    }
    if (queuedForMs === 0 || queuedForMs + certainForMs < policy.windowMs) continue;
    if (worst === null || (worst.rule === 'persistent-queue' && queuedForMs > worst.queuedForMs)) {
      worst = { rule: 'persistent-queue', process: process.key, queuedForMs, certainForMs, queueLength };
    }
  }
  return worst;
}

/** A limited resource of a process, as last reported; undefined: it has none of that name, or no limit for it. */
export function resourceOf({ processSample }: ProcessView, name: string): ResourceSample | undefined {
  return processSample.resources.find((resource) => resource.name === name && resource.limit > 0);
}

function limitedResource(type: TypeView, policy: ControllerPolicy): Overload | null {
  if (type.msu.resources.length === 0) return null;
  const groups = servingByProcess(type);
  if (groups.size === 0) return null;
  for (const { name: resource } of type.msu.resources) {
    const processes: { process: ProcessKey; used: number; limit: number; ownUse: number }[] = [];
    for (const [process, instances] of groups) {
      const found = resourceOf(process, resource);
      const ownUse = instances.reduce((total, i) => total + (i.sample.resources[resource] ?? 0), 0);
      if (found === undefined || found.used < policy.resourceUseMax * found.limit) break;
      if (ownUse <= policy.resourceShareMin * found.used) break;
      processes.push({ process: process.key, used: found.used, limit: found.limit, ownUse });
    }
    if (processes.length === groups.size) return { rule: 'limited-resource', resource, processes };
  }
  return null;
}

/** What ended within a span, and how: histograms of the messages handled, and how many expired. */
interface Endings {
  readonly sojourn: number[];
  readonly service: number[];
  completed: number;
  expired: number;
  sinceMs: number;
}

function startOf({ atMs, dtMs, expiredBefore, sojournBefore, serviceBefore }: InstanceWindow): EndingsMark {
  return { atMs: atMs - dtMs, expired: expiredBefore, sojourn: sojournBefore, service: serviceBefore };
}

function endingsWithin(type: TypeView, spanMs: number, nowMs: number): Endings {
  const endings: Endings = { sojourn: [], service: [], completed: 0, expired: 0, sinceMs: nowMs };
  for (const { windows, endings: marks, sample } of type.instances) {
    const mark = marks.find(({ atMs }) => atMs >= nowMs - spanMs);
    const window = windows[firstWithin(windows, recentSpanMs)];
    // Marks are a second apart: the windows know the last second better.
    const from = spanMs <= recentSpanMs || mark === undefined ? window && startOf(window) : mark;
    if (from === undefined) continue;
    endings.completed += addBetween(endings.sojourn, from.sojourn, sample.sojournTime);
    addBetween(endings.service, from.service, sample.serviceTime);
    endings.expired += Math.max(0, (sample.shed.expired ?? 0) - from.expired);
    endings.sinceMs = Math.min(endings.sinceMs, from.atMs);
  }
  return endings;
}

/**
 * Over the last second, or, where too few have ended in it, over as many as it takes. A pause of a quiet type makes
 * all of a burst late, and is over: over more than a second, they must have been late twice.
 */
function missedDeadline(type: TypeView, policy: ControllerPolicy, nowMs: number): Overload | null {
  const { deadlineMs } = type.msu;
  if (deadlineMs === 0) return null;
  // What had waited before the last clones came is late whatever they do.
  const settledMs = nowMs - type.lastServingMs - policy.drainTimeMs - deadlineMs;
  let late = 0;
  let secondsLate = 0;
  for (let spanMs = recentSpanMs; spanMs <= Math.min(settledMs, deadlineSpanMaxMs); spanMs += recentSpanMs) {
    const { sojourn, service, completed, expired, sinceMs } = endingsWithin(type, spanMs, nowMs);
    const before = late;
    late = countOver(sojourn, deadlineMs) + expired;
    if (late > before) secondsLate++;
    const ended = completed + expired;
    const isLast = spanMs + recentSpanMs > Math.min(settledMs, deadlineSpanMaxMs);
    if (ended < deadlineSamplesMin && !isLast) continue;
    const isSeen = spanMs === recentSpanMs && ended >= deadlineSamplesMin;
    const isLate = late >= lateEndingsMin && late > 0.01 * ended && (isSeen || secondsLate > 1);
    // Where all have expired, there is none.
    const sojournP99Ms = quantileBetween([], sojourn, 0.99) || 0;
    const serviceP99Ms = quantileBetween([], service, 0.99) || 0;
    // Where handling itself takes the time, more instances cannot help.
    const isWaiting = expired > 0.01 * ended || !(serviceP99Ms > 0.8 * sojournP99Ms);
    if (!isLate || !isWaiting) return null;
    const figures = { spanMs: nowMs - sinceMs, late, sojournP99Ms, serviceP99Ms, completed, expired };
    return { rule: 'deadline', deadlineMs, ...figures };
  }
  return null;
}

function firstWithin(windows: readonly InstanceWindow[], spanMs: number): number {
  let index = windows.length;
  let totalMs = 0;
  while (index > 0 && totalMs < spanMs) totalMs += windows[--index]?.dtMs ?? 0;
  return index;
}

/** Types whose work shows in their queue before it shows in the thread's CPU. */
function showsInQueue({ msu }: TypeView, graph: AppGraph): boolean {
  const isSentTo = graph.edges.some((edge) => edge.toMsu === msu.name);
  return msu.execution === 'sync' && msu.state !== 'pinned' && !msu.isEntry && isSentTo;
}

function busyThread(type: TypeView, graph: AppGraph, policy: ControllerPolicy): Overload | null {
  const isQueued = showsInQueue(type, graph);
  const neededMs = policy.windowMs * (isQueued ? threadRuleWindows : 1);
  for (const [process, instances] of servingByProcess(type)) {
    const busy = instances.filter((instance) => {
      const thread = process.threads.get(instance.sample.threadId);
      return thread !== undefined && thread.busyForMs >= neededMs && isMainUser(instance, graph);
    });
    // Where messages can go to any instance, one that is busy is no harm while another is not.
    if (busy.length < (isQueued ? instances.length : 1)) continue;
    // One message that runs long is no overload: nothing else has come to its end meanwhile.
    const completed = busy.reduce((sum, i) => sum + sumWindows(i.windows, neededMs).completed, 0);
    if (isQueued && completed < completionsTrusted * busy.length) continue;
    const threadId = busy[0]?.sample.threadId ?? 0;
    const thread = process.threads.get(threadId);
    if (thread === undefined) continue;
    const { cpuShare, busyForMs } = thread;
    return { rule: 'thread', process: process.key, threadId, cpuShare, busyForMs };
  }
  return null;
}

function isMainUser(instance: InstanceView, graph: AppGraph): boolean {
  const own = instance.windows.at(-1)?.cpuMs ?? 0;
  const byType = new Map<string, number>(graph.msus.map((msu) => [msu.name, 0]));
  for (const other of instance.process.instances.values()) {
    if (other.sample.threadId !== instance.sample.threadId) continue;
    byType.set(other.msu, (byType.get(other.msu) ?? 0) + (other.windows.at(-1)?.cpuMs ?? 0));
  }
  return own > 0 && Math.max(...byType.values()) === byType.get(instance.msu);
}
