/** Graphs and deployments for the controller's own tests. */
import type {
  AppGraph,
  ControllerPolicy,
  Deployment,
  DeploymentMachine,
  GraphEdge,
  GraphMsu,
} from '../model/index.ts';
import {
  defaultLimits,
  defaultPolicy,
  defaultRestart,
  instanceId,
  machineId,
  processId,
  threadId,
} from '../model/index.ts';
import type { InstanceSample, Report, ThreadSample } from '../wire/index.ts';

/** An MSU type with the usual defaults. */
export function msu(name: string, options: Partial<GraphMsu> = {}): GraphMsu {
  return {
    name,
    state: 'none',
    execution: 'sync',
    concurrency: 1,
    order: 'fifo',
    deadlineMs: 0,
    runLimitMs: 0,
    queueMaxMessages: 0,
    queueMaxWorkMs: 0,
    instancesInitial: 1,
    instancesMin: 1,
    instancesMax: 64,
    machines: [],
    colocation: '',
    dependencies: [],
    resources: [],
    cost: { serviceTimeMs: 1, memoryMiB: 16 },
    restart: defaultRestart,
    isEntry: false,
    isExit: false,
    in: [],
    out: [],
    timers: [],
    ...options,
  };
}

/** Types and the edges between them, written `a>b` or `a>b:routing`. */
export function graph(msus: readonly GraphMsu[], edges: readonly string[]): AppGraph {
  return {
    name: 'test',
    msus,
    edges: edges.map((text, id): GraphEdge => {
      const [ends = '', routing = 'shortest-queue'] = text.split(':');
      const [fromMsu = '', toMsu = ''] = ends.split('>');
      return { id, fromMsu, fromPort: 'out', toMsu, toPort: 'in', routing: routing as GraphEdge['routing'] };
    }),
  };
}

/** Machines as `{ a: { main: [['io'], ['regex']] } }`: machine → process → threads → types. */
export function deployment(
  machines: Readonly<Record<string, Readonly<Record<string, readonly (readonly string[])[]>>>>,
  options: { policy?: Partial<ControllerPolicy>; samplePeriodMs?: number; spareThreads?: number } = {},
): Deployment {
  return {
    name: 'test',
    machines: Object.entries(machines).map(
      ([name, processes]): DeploymentMachine => ({
        name,
        processes: Object.entries(processes).map(([processName, threads]) => ({
          name: processName,
          threads: threads.map((instances, index) => ({
            name: `t${index}`,
            core: -1,
            nice: 0,
            scheduling: 'fifo',
            instances,
          })),
        })),
      }),
    ),
    limits: defaultLimits,
    policy: { ...defaultPolicy, ...options.policy },
    samplePeriodMs: options.samplePeriodMs ?? 100,
    drainMaxMs: 10_000,
    spareThreads: options.spareThreads ?? 1,
  };
}

/** An idle `work` instance on thread 2, with the given figures. */
export function sample(id: number, options: Partial<InstanceSample> = {}): InstanceSample {
  return {
    instanceId: instanceId(id),
    msu: 'work',
    threadId: threadId(2),
    phase: 'serving',
    givenUp: null,
    queueLength: 0,
    queueLengthMin: 0,
    queueLengthMax: 0,
    inService: 0,
    accepted: 0,
    done: 0,
    failed: {},
    shed: {},
    refused: {},
    handlerMs: 0,
    busyMs: 0,
    items: 0,
    serviceTime: [],
    sojournTime: [],
    errors: 0,
    states: 0,
    resources: {},
    counters: {},
    ports: [],
    orphans: 0,
    noticesCoalesced: 0,
    noticesLost: 0,
    ...options,
  };
}

/** A report of `a/main`, 100 ms after the one before, from a machine of two cores with one free. */
export function report(
  sequence: number,
  instances: readonly InstanceSample[],
  options: Partial<Report> = {},
): Report {
  return {
    machine: machineId('a'),
    process: processId('main'),
    incarnation: 'x',
    sequence,
    atMs: sequence * 100,
    windowMs: 100,
    stoodStillMs: 0,
    epoch: 0,
    tables: [],
    machineSample: {
      cores: 2,
      freeCores: 1,
      memoryBytes: 1e9,
      memoryFreeBytes: 1e9,
      throttledPeriods: 0,
      throttledMs: 0,
      networkInBytes: 0,
      networkOutBytes: 0,
    },
    processSample: {
      residentBytes: 0,
      openDescriptors: 0,
      descriptorsMax: 0,
      loopDelayMs: 0,
      cpuMs: 0,
      resources: [],
    },
    threads: [],
    instances,
    events: [],
    ...options,
  };
}

/** A thread that has used so much CPU time. */
export function thread(id: number, cpuMs: number, options: Partial<ThreadSample> = {}): ThreadSample {
  return {
    threadId: threadId(id),
    name: `t${id - 1}`,
    phase: 'serving',
    cpuMs,
    runQueueWaitMs: 0,
    minorFaults: 0,
    majorFaults: 0,
    voluntarySwitches: 0,
    involuntarySwitches: 0,
    heapUsedBytes: 0,
    heapLimitBytes: 0,
    restarts: 0,
    ...options,
  };
}
