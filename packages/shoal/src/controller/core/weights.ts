/**
 * Weights: the share of an endpoint follows what its instance can do and what waits there, smoothed. Stateful types
 * keep the weights they have: a changed weight moves keys, at the cost of a handover or a detour for each.
 */
import type { AppGraph, MachineId, ProcessId } from '../../model/index.ts';
import { weightChangeMin, weightMax, weightMin, weightSmoothing, weightsIntervalMs } from './constants.ts';
import { isServing } from './estimate.ts';
import type { Monitor } from './monitor.ts';
import type { Tables } from './tables.ts';
import type { InstanceView, TypeView } from './view.ts';

export class Weights {
  readonly #monitor: Monitor;
  readonly #graph: AppGraph;
  readonly #tables: Tables;
  readonly #smoothed: Map<InstanceView, number> = new Map();
  #updatedAtMs = Number.NEGATIVE_INFINITY;

  constructor(monitor: Monitor, graph: AppGraph, tables: Tables) {
    this.#monitor = monitor;
    this.#graph = graph;
    this.#tables = tables;
  }

  tick(nowMs: number): void {
    if (nowMs - this.#updatedAtMs < weightsIntervalMs) return;
    this.#updatedAtMs = nowMs;
    for (const type of this.#monitor.types.values()) {
      if (this.#isWeighted(type)) this.#update(type);
    }
    for (const instance of this.#smoothed.keys()) {
      if (this.#monitor.instances.get(instance.instanceId) !== instance) this.#smoothed.delete(instance);
    }
  }

  /** Stateless, and reached by a policy that looks at weights where it cannot look at queues. */
  #isWeighted(type: TypeView): boolean {
    if (type.msu.state !== 'none' || type.instances.size < 2) return false;
    const processes = new Set([...type.instances].map((instance) => instance.process));
    return this.#graph.edges.some(
      ({ toMsu, routing }) =>
        toMsu === type.msu.name &&
        (routing === 'round-robin' ||
          routing === 'keyed' ||
          (routing === 'shortest-queue' && processes.size > 1)),
    );
  }

  #update(type: TypeView): void {
    const measured: { readonly instance: InstanceView; readonly raw: number }[] = [];
    let total = 0;
    let known = 0;
    for (const instance of type.instances) {
      const endpoint = this.#tables.endpoint(instance.instanceId);
      if (!isServing(instance) || endpoint === undefined || endpoint.isDraining) continue;
      const raw = rawWeight(instance);
      measured.push({ instance, raw });
      if (Number.isNaN(raw)) continue;
      total += raw;
      known++;
    }
    if (measured.length < 2 || known === 0) return;
    for (const { instance, raw } of measured) {
      // One that has not shown what it can do counts as average.
      const relative = Number.isNaN(raw) ? 1 : (raw * known) / total;
      const target = Math.min(weightMax, Math.max(weightMin, relative));
      const before = this.#smoothed.get(instance) ?? 1;
      const weight = before + weightSmoothing * (target - before);
      this.#smoothed.set(instance, weight);
      const sent = this.#tables.endpoint(instance.instanceId)?.weight ?? 1;
      if (Math.abs(weight - sent) >= weightChangeMin * sent) {
        this.#tables.reweigh(instance.instanceId, Math.round(weight * 100) / 100);
      }
    }
  }
}

/** Messages it completes per second of use, less for each second of work that waits. NaN: nothing was measured. */
function rawWeight({ recent, sample }: InstanceView): number {
  const usedMs = Math.min(recent.dtMs, Math.max(recent.busyMs, recent.queuedMs));
  if (recent.completed === 0 || usedMs <= 0) return Number.NaN;
  // Mixed messages make single rates uncertain, so that a rate enters by its root.
  const perSecond = (recent.completed * 1_000) / usedMs;
  return Math.sqrt(perSecond) / (1 + sample.queueLength / perSecond);
}

/** The share of new connections that a process of entry instances should get from a balancer in front. */
export interface EntryWeight {
  readonly machine: MachineId;
  readonly process: ProcessId;
  /** 1…256; 0: none, because nothing serves there. */
  readonly weight: number;
}

/** Weights for a balancer in front: entry instances of a process by the descriptors it has left. */
export function entryWeights(monitor: Monitor, tables: Tables): EntryWeight[] {
  const raw: { readonly machine: MachineId; readonly process: ProcessId; readonly share: number }[] = [];
  for (const process of monitor.processes.values()) {
    if (process.status === 'dead') continue;
    let instances = 0;
    for (const instance of process.instances.values()) {
      const isEntry = monitor.types.get(instance.msu)?.msu.isEntry ?? false;
      const isLeaving = tables.endpoint(instance.instanceId)?.isDraining ?? false;
      if (isEntry && isServing(instance) && !isLeaving) instances++;
    }
    const { openDescriptors, descriptorsMax } = process.processSample;
    const use = descriptorsMax > 0 ? openDescriptors / descriptorsMax : 0;
    // Half of the limit halves the share; towards the limit it goes to nothing.
    const share = process.status === 'alive' ? instances / (1 + Math.exp(15 * (use - 0.5))) : 0;
    raw.push({ machine: process.machine, process: process.process, share });
  }
  const most = Math.max(...raw.map(({ share }) => share), Number.MIN_VALUE);
  return raw.map(({ machine, process, share }) => ({
    machine,
    process,
    weight: share > 0 ? Math.max(1, Math.round((256 * share) / most)) : 0,
  }));
}
