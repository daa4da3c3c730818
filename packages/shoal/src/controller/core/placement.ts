/**
 * Where: feasible processes and the best of them.
 *
 * I1 An instance is only placed with everything it needs on the same process: what is missing comes along, and
 *    where that cannot be, the place is not feasible. Nothing is half placed.
 * I2 A CPU-bound type never gets more instances on a machine than it has cores that nothing else uses. Its own use
 *    is not held against it (an attack that burns a core would otherwise forbid the clone that cures it).
 * I3 A new instance has a thread of its own, or one of its own colocation group: what may not die together never
 *    shares a thread.
 */
import {
  type AppGraph,
  type Deployment,
  type GraphMsu,
  type InstanceId,
  type MachineId,
  threadConflict,
} from '../../model/index.ts';
import type { ThreadTarget } from '../../wire/index.ts';
import {
  cloneNice,
  memoryReserveShare,
  recentSpanMs,
  resourceFullShare,
  sharedThreadUtilizationMax,
  threadMemoryMiB,
  usefulCoreShare,
  youngInstanceMs,
} from './constants.ts';
import type { Rejection } from './decision.ts';
import { resourceOf } from './detector.ts';
import type { Monitor } from './monitor.ts';
import type { MachineView, ProcessKey, ProcessView, TypeView } from './view.ts';

/** An instance that is ordered or about to be, and not yet in the view. */
export interface OrderedInstance {
  readonly msu: string;
  readonly process: ProcessView;
}

export interface PlannedInstance extends OrderedInstance {
  readonly target: ThreadTarget;
  readonly nice: number;
  readonly score: number;
  readonly isDependency: boolean;
}

/** What is placed as one: local dependencies first, the wanted instance last. */
export type PlacementUnit = readonly PlannedInstance[];

export interface PlacementRequest {
  readonly type: TypeView;
  readonly count: number;
  /** Only these; null: any. */
  readonly processes: ReadonlySet<ProcessKey> | null;
  /** Not where this resource is used beyond the policy's share. Empty: no such condition. */
  readonly relieves: string;
  /** A person's order is not held back by free cores. */
  readonly isForced: boolean;
}

export interface PlacementAnswer {
  readonly units: readonly PlacementUnit[];
  readonly rejected: readonly Rejection[];
}

const mebibyte = 1_048_576;

export class Placer {
  readonly #monitor: Monitor;
  readonly #graph: AppGraph;
  readonly #deployment: Deployment;
  readonly #random: () => number;
  /** Instances that are about to be removed: nothing may come to depend on them. */
  leaving: ReadonlySet<InstanceId> = new Set();

  constructor(monitor: Monitor, graph: AppGraph, deployment: Deployment, random: () => number) {
    this.#monitor = monitor;
    this.#graph = graph;
    this.#deployment = deployment;
    this.#random = random;
  }

  /** Places up to `count` units; fewer where there is no more room, with the reasons. */
  place(request: PlacementRequest, ordered: readonly OrderedInstance[], nowMs: number): PlacementAnswer {
    const taken: OrderedInstance[] = [...ordered];
    const units: PlacementUnit[] = [];
    let rejected: Rejection[] = [];
    while (units.length < request.count) {
      rejected = [];
      let best: PlacementUnit | null = null;
      let bestScore = Number.NEGATIVE_INFINITY;
      for (const process of this.#monitor.processes.values()) {
        if (process.status === 'dead') continue;
        const unit = this.#unitOn(process, request, taken, nowMs);
        if (typeof unit === 'string') {
          rejected.push({ process: process.key, reason: unit });
          continue;
        }
        // Equal places are taken in random order, so that several types do not all choose the first.
        const score = (unit.at(-1)?.score ?? 0) + this.#random() * 1e-6;
        if (score > bestScore) {
          best = unit;
          bestScore = score;
        }
      }
      if (best === null) break;
      units.push(best);
      taken.push(...best);
    }
    return { units, rejected };
  }

  /** Cores on a machine that nothing but the type uses, over the last second. */
  headroom(machine: MachineView, type: TypeView, nowMs: number): number {
    let cores = machine.freeCores;
    for (const process of this.#monitor.processes.values()) {
      if (process.machine !== machine.machine) continue;
      for (const instance of process.instances.values()) {
        const cpuShare = process.recentMs > 0 ? instance.recent.cpuMs / process.recentMs : 0;
        if (instance.msu === type.msu.name) {
          cores += cpuShare;
          continue;
        }
        const ageMs = nowMs - instance.firstSeenMs;
        const isYoung = instance.isClone && ageMs < youngInstanceMs + recentSpanMs;
        if (isYoung && this.#monitor.type(instance.msu).isCpuBound) cores -= Math.max(0, 1 - cpuShare);
      }
    }
    return Math.min(machine.cores, cores);
  }

  #unitOn(
    process: ProcessView,
    request: PlacementRequest,
    taken: readonly OrderedInstance[],
    nowMs: number,
  ): PlacementUnit | string {
    if (process.status !== 'alive') return 'the process has missed reports';
    if (request.processes !== null && !request.processes.has(process.key)) {
      return 'messages reach the type only where they come from';
    }
    if (!request.isForced) {
      const full = this.#usedUp(process, request, taken);
      if (full !== '') return full;
    }
    const unit: PlannedInstance[] = [];
    const problem = this.#addTo(unit, process, request.type.msu, false, request.isForced, taken, nowMs);
    return problem === '' ? unit : problem;
  }

  /**
   * A clone shares the limits of its process: what is used up there is relieved on another process only, and with
   * nothing left it would have nothing to work with. Answers which resource that is; empty: none.
   */
  #usedUp(
    process: ProcessView,
    { type, relieves }: PlacementRequest,
    taken: readonly OrderedInstance[],
  ): string {
    for (const { name } of type.msu.resources) {
      const resource = resourceOf(process, name);
      const max = name === relieves ? this.#deployment.policy.resourceUseMax : resourceFullShare;
      if (resource === undefined || resource.used < max * resource.limit) continue;
      const use = `${Math.round((100 * resource.used) / resource.limit)} % of its ${resource.limit} ${name}`;
      return `a clone shares the limits of its process, and ${process.key} uses ${use}`;
    }
    if (relieves === '') return '';
    const isThere = [...type.instances, ...taken].some(
      (other) => other.msu === type.msu.name && other.process === process,
    );
    return isThere ? `a clone shares the limits of its process, and ${process.key} has one already` : '';
  }

  /** Adds the type and, before it, what it needs there. Answers why it cannot be; empty: it can. */
  #addTo(
    unit: PlannedInstance[],
    process: ProcessView,
    msu: GraphMsu,
    isDependency: boolean,
    isForced: boolean,
    taken: readonly OrderedInstance[],
    nowMs: number,
  ): string {
    const all = (): readonly OrderedInstance[] => [...taken, ...unit];
    const isThere = (name: string): boolean =>
      all().some((other) => other.msu === name && other.process === process) ||
      [...process.instances.values()].some(
        (other) => other.msu === name && other.phase !== 'lost' && !this.leaving.has(other.instanceId),
      );
    for (const name of this.#localNeeds(msu)) {
      if (name === msu.name || isThere(name)) continue;
      const problem = this.#addTo(unit, process, this.#monitor.type(name).msu, true, isForced, taken, nowMs);
      if (problem !== '') return `it needs ${name} on the same process, but: ${problem}`;
    }
    const problem = this.#problemWith(process, msu, isThere, isDependency, isForced, all(), nowMs);
    if (problem !== '') return problem;
    unit.push({
      msu: msu.name,
      process,
      target: this.#threadFor(process, msu),
      nice: niceOf(msu),
      score: this.#score(process, msu, all(), nowMs),
      isDependency,
    });
    return '';
  }

  /** Types that must be on the same process before an instance can work there. */
  #localNeeds(msu: GraphMsu): Set<string> {
    const needs = new Set<string>();
    for (const dependency of msu.dependencies) {
      if (dependency.locality === 'local') needs.add(dependency.msu);
    }
    for (const edge of this.#graph.edges) {
      if (edge.fromMsu === msu.name && edge.routing === 'same-process') needs.add(edge.toMsu);
    }
    return needs;
  }

  #problemWith(
    process: ProcessView,
    msu: GraphMsu,
    isThere: (name: string) => boolean,
    isDependency: boolean,
    isForced: boolean,
    taken: readonly OrderedInstance[],
    nowMs: number,
  ): string {
    const machine = this.#monitor.machines.get(process.machine);
    if (machine === undefined) return 'the machine has not reported';
    if (msu.machines.length > 0 && !msu.machines.includes(process.machine)) {
      return `${msu.name} may not run on ${process.machine}`;
    }
    const type = this.#monitor.type(msu.name);
    const all = type.instances.size + taken.filter((other) => other.msu === msu.name).length;
    if (all >= msu.instancesMax)
      return `${msu.name} already has its maximum of ${msu.instancesMax} instances`;
    const into = this.#graph.edges.filter((edge) => edge.toMsu === msu.name);
    const isReachedLocally = into.length > 0 && into.every((edge) => edge.routing === 'same-process');
    // A dependency is sent to by what comes with it.
    if (!isDependency && isReachedLocally && !into.some((edge) => isThere(edge.fromMsu))) {
      return `nothing there sends to ${msu.name}`;
    }
    const here = taken.filter((other) => other.process === process).length;
    const { limits } = this.#deployment;
    if (process.instances.size + here >= limits.instancesMax) {
      return `the process holds its maximum of ${limits.instancesMax} instances`;
    }
    const inUse = [...process.threads.values()].filter(({ sample }) => sample.phase !== 'spare').length;
    if (this.#threadFor(process, msu).kind === 'own' && inUse + here >= limits.threadsMax) {
      return `the process has its maximum of ${limits.threadsMax} threads`;
    }
    const neededBytes =
      this.#memoryOf(taken, machine.machine) + (msu.cost.memoryMiB + threadMemoryMiB) * mebibyte;
    if (machine.memoryFreeBytes - neededBytes < memoryReserveShare * machine.memoryBytes) {
      return `${process.machine} has ${Math.round(machine.memoryFreeBytes / mebibyte)} MiB of memory free`;
    }
    if (!isForced && type.isCpuBound && this.#coreSlots(machine, type, taken, nowMs) < 1) {
      const cores = this.headroom(machine, type, nowMs).toFixed(2);
      return `no free core: others leave it ${cores} of the ${machine.cores} cores of ${process.machine}`;
    }
    return '';
  }

  #memoryOf(taken: readonly OrderedInstance[], machine: MachineId): number {
    let bytes = 0;
    for (const other of taken) {
      if (other.process.machine !== machine) continue;
      bytes += (this.#monitor.type(other.msu).msu.cost.memoryMiB + threadMemoryMiB) * mebibyte;
    }
    return bytes;
  }

  /** Further instances of a CPU-bound type that the machine has cores for; may be negative. */
  #coreSlots(machine: MachineView, type: TypeView, taken: readonly OrderedInstance[], nowMs: number): number {
    let own = 0;
    let cores = this.headroom(machine, type, nowMs);
    for (const instance of type.instances) {
      if (instance.process.machine === machine.machine && instance.phase !== 'lost') own++;
    }
    for (const other of taken) {
      if (other.process.machine !== machine.machine) continue;
      if (other.msu === type.msu.name) own++;
      else if (this.#monitor.type(other.msu).isCpuBound) cores -= 1;
    }
    return Math.floor(cores + 1 - usefulCoreShare) - own;
  }

  #threadFor(process: ProcessView, msu: GraphMsu): ThreadTarget {
    if (msu.colocation === '' || msu.execution === 'blocking' || niceOf(msu) > 0) return { kind: 'own' };
    for (const [threadId, thread] of process.threads) {
      if (thread.sample.phase !== 'serving' || thread.cpuShare >= sharedThreadUtilizationMax) continue;
      const on = [...process.instances.values()].filter((i) => i.sample.threadId === threadId);
      const isOfGroup = on.every(
        (i) => i.msu !== msu.name && threadConflict(this.#monitor.type(i.msu).msu, msu) === null,
      );
      if (on.length > 0 && isOfGroup) return { kind: 'thread', threadId: thread.sample.threadId };
    }
    return { kind: 'own' };
  }

  /** Free CPU and memory of the machine, nearness of the types it talks to, distance from its own kind: all 0…1. */
  #score(process: ProcessView, msu: GraphMsu, taken: readonly OrderedInstance[], nowMs: number): number {
    const machine = this.#monitor.machines.get(process.machine);
    if (machine === undefined) return 0;
    const type = this.#monitor.type(msu.name);
    const slots = this.#coreSlots(machine, type, taken, nowMs);
    const cpu = Math.max(0, Math.min(1, slots / machine.cores));
    const memory = machine.memoryBytes > 0 ? machine.memoryFreeBytes / machine.memoryBytes : 0;
    const peers = new Set<string>();
    for (const edge of this.#graph.edges) {
      if (edge.fromMsu === msu.name) peers.add(edge.toMsu);
      if (edge.toMsu === msu.name) peers.add(edge.fromMsu);
    }
    let near = 0;
    let total = 0;
    for (const peer of peers) {
      for (const instance of this.#monitor.type(peer).instances) {
        total++;
        if (instance.process === process) near += 1;
        else if (instance.process.machine === process.machine) near += 0.5;
      }
    }
    const own = [...type.instances].filter((i) => i.process.machine === process.machine).length;
    const ownShare = type.instances.size > 0 ? own / type.instances.size : 0;
    return cpu + 0.25 * memory + (total > 0 ? (0.5 * near) / total : 0) - 0.1 * ownShare;
  }
}

/**
 * CPU-heavy types without pinned state, and types that may run away, yield to everything else on their machine:
 * then honest I/O keeps its share however many of them burn.
 */
export function niceOf(msu: GraphMsu): number {
  const isHeavy = (msu.execution === 'sync' && msu.state === 'none') || msu.runLimitMs > 0;
  return isHeavy && !msu.isEntry ? cloneNice : 0;
}
