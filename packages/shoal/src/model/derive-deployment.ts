/**
 * The deployment of an app for which none is given. Pure.
 *
 * Threads are the unit of death, so what dies together is chosen:
 * - a type where messages enter has threads of its own: nothing delays accepting;
 * - a `blocking` type has a thread for each instance;
 * - a type with a run limit, or CPU-heavy by its cost hint, has threads of its own, which yield to the others when they
 *   keep a core;
 * - the rest share threads with what they talk to, so that their messages cross no thread.
 */
import {
  type Deployment,
  type DeploymentMachine,
  type DeploymentThread,
  defaultCore,
  defaultDeploymentSettings,
  localMachineName,
  mainProcessName,
} from './deployment.ts';
import type { AppGraph, GraphMsu } from './graph.ts';
import { defaultLimits, type Limits } from './limits.ts';
import { defaultPolicy } from './policy.ts';
import { isCpuHeavy, isRunLimited, threadConflict } from './thread-sharing.ts';

/** OS niceness of threads whose events keep a core from others. */
export const burningNice = 10;

/** Types that share threads: instance `i` of each runs on thread `i` modulo the number of threads. */
interface Group {
  readonly types: GraphMsu[];
  readonly nice: number;
  /** True: no other type may join. */
  readonly isClosed: boolean;
}

const groupSize = (group: Group): number => Math.max(...group.types.map((msu) => msu.instancesInitial));
const groupCost = (group: Group): number =>
  group.types.reduce((sum, msu) => sum + msu.cost.serviceTimeMs * msu.instancesInitial, 0);

function needsOwnThread(msu: GraphMsu): boolean {
  return msu.isEntry || msu.execution === 'blocking' || isRunLimited(msu) || isCpuHeavy(msu);
}

/** Sets of names, joined pairwise; the sets come in the order of their first members. */
function joinSets(names: readonly string[], pairs: readonly (readonly [string, string])[]): string[][] {
  const setOf = new Map(names.map((name) => [name, [name]]));
  for (const [a, b] of pairs) {
    const first = setOf.get(a);
    const second = setOf.get(b);
    if (first === undefined || second === undefined || first === second) continue;
    first.push(...second);
    for (const name of second) setOf.set(name, first);
  }
  return [...new Set(setOf.values())];
}

/** Types that must be on one process: local dependencies and `same-process` edges. */
function togetherSets(graph: AppGraph): string[][] {
  const local = graph.msus.flatMap((msu) =>
    msu.dependencies.filter((d) => d.locality === 'local').map((d) => [msu.name, d.msu] as const),
  );
  const within = graph.edges
    .filter((edge) => edge.routing === 'same-process')
    .map((edge) => [edge.fromMsu, edge.toMsu] as const);
  return joinSets(
    graph.msus.map((msu) => msu.name),
    [...local, ...within],
  );
}

/** Which types go to which machine: as few machines as the types allow; `local` where any will do. */
function assignMachines(graph: AppGraph): Map<string, GraphMsu[]> {
  const typeOf = new Map(graph.msus.map((msu) => [msu.name, msu]));
  const sets = togetherSets(graph).map((names) => {
    const types = names.flatMap((name) => typeOf.get(name) ?? []);
    const restricted = types.filter((msu) => msu.machines.length > 0);
    const allowed = (restricted[0]?.machines ?? []).filter((m) =>
      restricted.every((msu) => msu.machines.includes(m)),
    );
    return { types, allowed };
  });
  // Every machine that a type names is there: it is where clones of the type may go.
  const named = [...new Set(graph.msus.flatMap((msu) => msu.machines))];
  const byUse = named.toSorted((a, b) => {
    const uses = (name: string): number => sets.filter((set) => set.allowed.includes(name)).length;
    return uses(b) - uses(a);
  });
  const machines = new Map<string, GraphMsu[]>(byUse.map((name) => [name, []]));
  if (machines.size === 0) machines.set(localMachineName, []);
  const first = [...machines.keys()][0] ?? localMachineName;
  for (const { types, allowed } of sets) {
    const machine = allowed.length === 0 ? first : (byUse.find((name) => allowed.includes(name)) ?? first);
    machines.get(machine)?.push(...types);
  }
  return machines;
}

/** Groups the types of one machine, and merges groups that are free to until there is at most one for each core. */
function groupTypes(types: readonly GraphMsu[], graph: AppGraph, cores: number): Group[] {
  const own = types.filter(needsOwnThread);
  const groups: Group[] = own.map((msu) => ({
    types: [msu],
    nice: isRunLimited(msu) || isCpuHeavy(msu) ? burningNice : 0,
    isClosed: true,
  }));
  const shared = new Map(types.filter((msu) => !needsOwnThread(msu)).map((msu) => [msu.name, msu]));
  const talking = graph.edges.flatMap((edge): [string, string][] => {
    const from = shared.get(edge.fromMsu);
    const to = shared.get(edge.toMsu);
    return from !== undefined && to !== undefined && threadConflict(from, to) === null
      ? [[from.name, to.name]]
      : [];
  });
  for (const names of joinSets([...shared.keys()], talking)) {
    const members = names.flatMap((name) => shared.get(name) ?? []);
    const open = groups.filter(
      (group) =>
        !group.isClosed && group.types.every((a) => members.every((b) => threadConflict(a, b) === null)),
    );
    if (open.length < cores) groups.push({ types: members, nice: 0, isClosed: false });
    else
      open
        .reduce((least, group) => (groupCost(group) < groupCost(least) ? group : least))
        .types.push(...members);
  }
  return groups;
}

function threadsOf(group: Group, uniqueName: (name: string) => string): DeploymentThread[] {
  const size = groupSize(group);
  const base = group.types[0]?.name ?? '';
  return Array.from({ length: size }, (_, index) => ({
    name: uniqueName(size === 1 ? base : `${base}-${index + 1}`),
    core: defaultCore,
    nice: group.nice,
    scheduling: 'fifo' as const,
    instances: group.types.flatMap((msu) => (index < msu.instancesInitial ? [msu.name] : [])),
  }));
}

/** Names that are distinct and not too long. */
function nameGiver(): (name: string) => string {
  const used = new Set<string>();
  return (wanted) => {
    let name = wanted.slice(0, 56);
    for (let n = 2; used.has(name); n++) name = `${wanted.slice(0, 56)}-${n}`;
    used.add(name);
    return name;
  };
}

/**
 * Derives a deployment for a valid app: one machine with one process, unless types ask for machines that are not
 * the same. `cores` is how many cores the machine has; it bounds how many threads are made for light types.
 */
export function deriveDeployment(graph: AppGraph, options: { readonly cores: number }): Deployment {
  const cores = Math.max(1, Math.floor(options.cores));
  const machines = [...assignMachines(graph)].map(([name, types]): DeploymentMachine => {
    const uniqueName = nameGiver();
    const groups = groupTypes(types, graph, cores).filter((group) => groupSize(group) > 0);
    const threads = groups.flatMap((group) => threadsOf(group, uniqueName));
    return { name, processes: [{ name: mainProcessName, threads }] };
  });
  const { spareThreads } = defaultDeploymentSettings;
  return {
    name: graph.name,
    machines,
    limits: limitsFor(machines, spareThreads),
    policy: defaultPolicy,
    ...defaultDeploymentSettings,
  };
}

/** The default limits, raised where more threads or instances exist from the start, with room for as many clones. */
function limitsFor(machines: readonly DeploymentMachine[], spareThreads: number): Limits {
  const processes = machines.flatMap((machine) => machine.processes);
  const threads = Math.max(...processes.map((process) => process.threads.length));
  const instances = Math.max(
    ...processes.map((process) => process.threads.reduce((sum, thread) => sum + thread.instances.length, 0)),
  );
  const { threadsMax, instancesMax } = defaultLimits;
  return {
    ...defaultLimits,
    threadsMax: threads + spareThreads > threadsMax ? 2 * threads + spareThreads : threadsMax,
    instancesMax: Math.max(instancesMax, instances),
  };
}
