/** Graphs and deployments for the controller's own tests. */
import type {
  AppGraph,
  ControllerPolicy,
  Deployment,
  DeploymentMachine,
  GraphEdge,
  GraphMsu,
} from '../model/index.ts';
import { defaultLimits, defaultPolicy, defaultRestart } from '../model/index.ts';

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
