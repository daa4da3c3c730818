/** The controller's view as plain data, for `shoal top`, the API and people. */
import type { InstanceId, MachineId, ProcessId } from '../../model/index.ts';
import type { RoutingTable } from '../../wire/index.ts';
import { recentSpanMs } from './constants.ts';
import { estimate } from './estimate.ts';
import { quantileBetween } from './histogram.ts';
import type { Parts } from './parts.ts';
import { calmNeededMs, enough } from './reclaim.ts';
import type { InstanceView, ProcessStatus, TypeView } from './view.ts';
import { type EntryWeight, entryWeights } from './weights.ts';

/** One instance. Rates and times are over about the last second. */
export interface InstanceFigures {
  readonly instanceId: InstanceId;
  readonly machine: MachineId;
  readonly process: ProcessId;
  readonly threadId: number;
  readonly phase: InstanceView['phase'];
  /** Made by the controller, not by the deployment. */
  readonly isClone: boolean;
  /** Gets no new work, because it is being removed. */
  readonly isDraining: boolean;
  readonly queueLength: number;
  readonly inService: number;
  readonly acceptedPerSecond: number;
  readonly completedPerSecond: number;
  readonly shedPerSecond: number;
  /** Share of the time that it kept its thread busy; cores used. */
  readonly utilization: number;
  readonly cores: number;
  readonly serviceP50Ms: number | null;
  readonly serviceP99Ms: number | null;
  readonly sojournP50Ms: number | null;
  readonly sojournP99Ms: number | null;
  readonly states: number;
  /** What the type counts itself, since the instance began. */
  readonly counters: Readonly<Record<string, number>>;
  readonly weight: number;
}

export interface TypeFigures {
  readonly msu: string;
  readonly serving: number;
  /** Ordered, and not serving yet. */
  readonly pending: number;
  /** Count below which nothing is taken back; count that losses are made good to. */
  readonly floor: number;
  readonly committed: number;
  /** Arriving work in instances' worth: over the last second, and smoothed. */
  readonly demand: number;
  readonly smoothedDemand: number;
  readonly arrivalsPerSecond: number;
  readonly completionsPerSecond: number;
  readonly refusedPerSecond: number;
  readonly trueRatePerSecond: number;
  readonly utilization: number;
  readonly backlog: number;
  readonly isOverloaded: boolean;
  readonly isCpuBound: boolean;
  /** For how long fewer have sufficed, and how long that must last; null: they do not suffice. */
  readonly calmForMs: number | null;
  readonly calmNeededMs: number;
  /** The load for which there are as many, where it is not clearly less now: then they stay. Null: nothing keeps them. */
  readonly keptForLoad: number | null;
  /** Why it could not be cloned; empty: nothing stood in the way. */
  readonly blockedBy: string;
  readonly instances: readonly InstanceFigures[];
}

export interface ProcessFigures {
  readonly machine: MachineId;
  readonly process: ProcessId;
  readonly status: ProcessStatus;
  readonly silentMs: number;
  readonly threads: number;
  readonly instances: number;
  readonly residentBytes: number;
  readonly openDescriptors: number;
  readonly descriptorsMax: number;
  readonly loopDelayMs: number;
}

export interface MachineFigures {
  readonly machine: MachineId;
  readonly cores: number;
  readonly freeCores: number;
  readonly memoryBytes: number;
  readonly memoryFreeBytes: number;
}

/** Everything the controller knows, as JSON. */
export interface ControllerView {
  readonly app: string;
  readonly atMs: number;
  readonly epoch: number;
  /** A newer controller has been heard of; this one does nothing any more. */
  readonly isDeposed: boolean;
  readonly isActive: boolean;
  /** Clones that exist, and how many may; 0: no limit. */
  readonly clones: number;
  readonly clonesMax: number;
  readonly types: readonly TypeFigures[];
  readonly processes: readonly ProcessFigures[];
  readonly machines: readonly MachineFigures[];
  readonly tables: readonly Pick<RoutingTable, 'edgeId' | 'version'>[];
  /** Shares for a balancer in front of the entry instances. */
  readonly entryWeights: readonly EntryWeight[];
}

const finite = (value: number): number | null => (Number.isFinite(value) ? value : null);

function describeInstance(parts: Parts, instance: InstanceView): InstanceFigures {
  const { recent, sample, process } = instance;
  const perSecond = (count: number): number => (recent.dtMs > 0 ? (count * 1_000) / recent.dtMs : 0);
  let first = instance.windows.length;
  for (let ms = 0; first > 0 && ms < recentSpanMs; ) ms += instance.windows[--first]?.dtMs ?? 0;
  const before = instance.windows[first];
  const sojourn = (q: number): number | null =>
    finite(quantileBetween(before?.sojournBefore ?? [], sample.sojournTime, q));
  const service = (q: number): number | null =>
    finite(quantileBetween(before?.serviceBefore ?? [], sample.serviceTime, q));
  const endpoint = parts.tables.endpoint(instance.instanceId);
  return {
    instanceId: instance.instanceId,
    machine: process.machine,
    process: process.process,
    threadId: sample.threadId,
    phase: instance.phase,
    isClone: instance.isClone,
    isDraining: endpoint?.isDraining ?? false,
    queueLength: sample.queueLength,
    inService: sample.inService,
    acceptedPerSecond: perSecond(recent.accepted),
    completedPerSecond: perSecond(recent.completed),
    shedPerSecond: perSecond(recent.shed),
    utilization: recent.dtMs > 0 ? recent.busyMs / recent.dtMs : 0,
    cores: recent.dtMs > 0 ? recent.cpuMs / recent.dtMs : 0,
    serviceP50Ms: service(0.5),
    serviceP99Ms: service(0.99),
    sojournP50Ms: sojourn(0.5),
    sojournP99Ms: sojourn(0.99),
    states: sample.states,
    counters: sample.counters,
    weight: endpoint?.weight ?? 0,
  };
}

function describeType(parts: Parts, type: TypeView, nowMs: number): TypeFigures {
  const figures = estimate(parts.monitor, parts.graph, type, recentSpanMs, nowMs);
  const { blocked } = type;
  const isCalm = type.calmSinceMs >= 0;
  const isKept = enough(type, nowMs) >= figures.serving;
  return {
    msu: type.msu.name,
    serving: figures.serving,
    pending: parts.executor.pending(type.msu.name),
    floor: type.floor,
    committed: type.committed,
    demand: figures.demand,
    smoothedDemand: type.demand,
    arrivalsPerSecond: figures.arrivalsPerSecond,
    completionsPerSecond: figures.completionsPerSecond,
    refusedPerSecond: figures.refusedPerSecond,
    trueRatePerSecond: figures.trueRatePerSecond,
    utilization: figures.utilization,
    backlog: figures.backlog,
    isOverloaded: type.isOverloaded,
    isCpuBound: type.isCpuBound,
    calmForMs: isCalm && !isKept ? nowMs - type.calmSinceMs : null,
    calmNeededMs: calmNeededMs(type, parts.policy),
    keptForLoad: isCalm && isKept ? (type.madeFor?.load ?? null) : null,
    blockedBy: blocked !== null && nowMs < blocked.untilMs ? blocked.reason : '',
    instances: [...type.instances]
      .sort((a, b) => a.instanceId - b.instanceId)
      .map((instance) => describeInstance(parts, instance)),
  };
}

export function snapshot(
  parts: Parts,
  state: { readonly epoch: number; readonly isDeposed: boolean; readonly clones: number },
  nowMs: number,
): ControllerView {
  const { monitor, policy, tables } = parts;
  return {
    app: parts.graph.name,
    atMs: nowMs,
    ...state,
    isActive: policy.isActive,
    clonesMax: policy.clonesMax,
    types: [...monitor.types.values()].map((type) => describeType(parts, type, nowMs)),
    processes: [...monitor.processes.values()].map((process) => ({
      machine: process.machine,
      process: process.process,
      status: process.status,
      silentMs: Math.max(0, nowMs - process.lastReceivedMs),
      threads: process.threads.size,
      instances: process.instances.size,
      residentBytes: process.processSample.residentBytes,
      openDescriptors: process.processSample.openDescriptors,
      descriptorsMax: process.processSample.descriptorsMax,
      loopDelayMs: process.processSample.loopDelayMs,
    })),
    machines: [...monitor.machines.values()].map(
      ({ machine, cores, freeCores, memoryBytes, memoryFreeBytes }) => ({
        machine,
        cores,
        freeCores,
        memoryBytes,
        memoryFreeBytes,
      }),
    ),
    tables: tables.versions(),
    entryWeights: entryWeights(monitor, tables),
  };
}
