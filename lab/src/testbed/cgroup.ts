// Control groups: what bounds and counts the CPU and memory of a machine and of each program in it. Linux has two
// kinds of them, and hosts have one or the other; the two drivers differ in file names and units alone.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';

/** Length of the period within which a quota is enforced, in µs. */
export const QUOTA_PERIOD_US = 10_000;

/** Bounds of a group; what is absent is bounded by the group around it alone. */
export interface CgroupLimits {
  readonly cores?: number;
  readonly memoryMiB?: number;
}

/** What a group and those inside it have used since it was made. */
export interface CgroupUsage {
  readonly cpuSeconds: number;
  /** Quota periods in which something wanted to run; 0 in a group without a quota of its own. */
  readonly periods: number;
  /** Periods in which the quota was used up. */
  readonly throttledCount: number;
  /** Time that was spent waiting for the next period, summed over CPUs. */
  readonly throttledSeconds: number;
  /** Memory charged now and at most, file cache included. */
  readonly memoryBytes: number;
  readonly peakMemoryBytes: number;
  /** Processes killed because the group was out of memory. */
  readonly oomKills: number;
}

/** Control groups by their path below the root, for example `shoal-lab/3f9a2c/web1`. */
export interface Cgroups {
  readonly version: 1 | 2;
  create(group: string, limits: CgroupLimits): void;
  setPrecedence(group: string, precedence: Precedence): void;
  /** Changes the CPU quota of a group that exists; null: none. */
  setCores(group: string, cores: number | null): void;
  /** Files into which a process writes its id to join the group. */
  joinFiles(group: string): string[];
  /** Processes in the group and in those inside it. */
  members(group: string): number[];
  usage(group: string): CgroupUsage;
  /** Names of the groups directly inside this one; none if it does not exist. */
  children(group: string): string[];
  /** Removes the group and those inside it; nothing if there is none. Throws EBUSY while it has members. */
  remove(group: string): void;
}

/**
 * Who gets a busy CPU. A group competes as one with every single process beside it: `usual` gives a whole testbed as
 * much as one other program, `first` the most that the kernel allows.
 */
export type Precedence = 'usual' | 'first';

const SHARES: Readonly<Record<Precedence, number>> = { usual: 1_024, first: 262_144 };
const WEIGHTS: Readonly<Record<Precedence, number>> = { usual: 100, first: 10_000 };

const read = (file: string): string => readFileSync(file, 'utf8');
const readNumber = (file: string): number => Number(read(file));
const MIB = 1024 * 1024;

/** The value of a `name value` line. */
function field(text: string, name: string): number {
  return Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(text)?.[1] ?? 0);
}

function subfolders(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name);
}

/** Removes a folder of the cgroup file system and those inside it; their files cannot and need not be unlinked. */
function removeTree(folder: string): void {
  for (const child of subfolders(folder)) removeTree(path.join(folder, child));
  try {
    rmdirSync(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}

function membersBelow(folder: string): number[] {
  let own: number[];
  try {
    own = read(path.join(folder, 'cgroup.procs')).split('\n').filter(Boolean).map(Number);
  } catch {
    // It was removed since it was listed.
    return [];
  }
  return [...own, ...subfolders(folder).flatMap((child) => membersBelow(path.join(folder, child)))];
}

/** Processes killed for want of memory in a group of version 1, which counts them where they ran. */
function oomKillsBelow(folder: string): number {
  return subfolders(folder).reduce(
    (sum, child) => sum + oomKillsBelow(path.join(folder, child)),
    field(read(path.join(folder, 'memory.oom_control')), 'oom_kill'),
  );
}

/** Where the controllers of version 1 are mounted; several may share one mount. */
export interface CgroupV1Mounts {
  readonly cpu: string;
  readonly cpuacct: string;
  readonly memory: string;
}

export function createCgroupsV1(mounts: CgroupV1Mounts): Cgroups {
  const roots = [...new Set([mounts.cpu, mounts.cpuacct, mounts.memory])];
  return {
    version: 1,
    create(group, { cores, memoryMiB }) {
      for (const root of roots) mkdirSync(path.join(root, group), { recursive: true });
      if (cores !== undefined) {
        writeFileSync(path.join(mounts.cpu, group, 'cpu.cfs_period_us'), String(QUOTA_PERIOD_US));
        writeFileSync(
          path.join(mounts.cpu, group, 'cpu.cfs_quota_us'),
          String(Math.round(cores * QUOTA_PERIOD_US)),
        );
      }
      if (memoryMiB !== undefined)
        writeFileSync(path.join(mounts.memory, group, 'memory.limit_in_bytes'), String(memoryMiB * MIB));
    },
    setPrecedence(group, precedence) {
      writeFileSync(path.join(mounts.cpu, group, 'cpu.shares'), String(SHARES[precedence]));
    },
    setCores(group, cores) {
      const quota = cores === null ? -1 : Math.round(cores * QUOTA_PERIOD_US);
      writeFileSync(path.join(mounts.cpu, group, 'cpu.cfs_quota_us'), String(quota));
    },
    joinFiles: (group) => roots.map((root) => path.join(root, group, 'cgroup.procs')),
    members: (group) => membersBelow(path.join(mounts.cpu, group)),
    usage(group) {
      const cpu = read(path.join(mounts.cpu, group, 'cpu.stat'));
      const memory = path.join(mounts.memory, group);
      return {
        cpuSeconds: readNumber(path.join(mounts.cpuacct, group, 'cpuacct.usage')) / 1e9,
        periods: field(cpu, 'nr_periods'),
        throttledCount: field(cpu, 'nr_throttled'),
        throttledSeconds: field(cpu, 'throttled_time') / 1e9,
        memoryBytes: readNumber(path.join(memory, 'memory.usage_in_bytes')),
        peakMemoryBytes: readNumber(path.join(memory, 'memory.max_usage_in_bytes')),
        oomKills: oomKillsBelow(memory),
      };
    },
    children: (group) => subfolders(path.join(mounts.cpu, group)),
    remove(group) {
      for (const root of roots) removeTree(path.join(root, group));
    },
  };
}

/** Control groups of version 2, mounted at `root`. */
export function createCgroupsV2(root: string): Cgroups {
  return {
    version: 2,
    create(group, { cores, memoryMiB }) {
      // Each group on the way must hand the controllers on to those inside it.
      let parent = root;
      for (const name of group.split('/')) {
        writeFileSync(path.join(parent, 'cgroup.subtree_control'), '+cpu +memory');
        parent = path.join(parent, name);
        mkdirSync(parent, { recursive: true });
      }
      if (cores !== undefined)
        writeFileSync(
          path.join(parent, 'cpu.max'),
          `${Math.round(cores * QUOTA_PERIOD_US)} ${QUOTA_PERIOD_US}`,
        );
      if (memoryMiB !== undefined) writeFileSync(path.join(parent, 'memory.max'), String(memoryMiB * MIB));
    },
    setPrecedence(group, precedence) {
      writeFileSync(path.join(root, group, 'cpu.weight'), String(WEIGHTS[precedence]));
    },
    setCores(group, cores) {
      const quota = cores === null ? 'max' : Math.round(cores * QUOTA_PERIOD_US);
      writeFileSync(path.join(root, group, 'cpu.max'), `${quota} ${QUOTA_PERIOD_US}`);
    },
    joinFiles: (group) => [path.join(root, group, 'cgroup.procs')],
    members: (group) => membersBelow(path.join(root, group)),
    usage(group) {
      const folder = path.join(root, group);
      const cpu = read(path.join(folder, 'cpu.stat'));
      const memoryBytes = readNumber(path.join(folder, 'memory.current'));
      const peak = path.join(folder, 'memory.peak');
      return {
        cpuSeconds: field(cpu, 'usage_usec') / 1e6,
        periods: field(cpu, 'nr_periods'),
        throttledCount: field(cpu, 'nr_throttled'),
        throttledSeconds: field(cpu, 'throttled_usec') / 1e6,
        memoryBytes,
        // Kernels before 5.19 do not keep the peak.
        peakMemoryBytes: existsSync(peak) ? readNumber(peak) : memoryBytes,
        oomKills: field(read(path.join(folder, 'memory.events')), 'oom_kill'),
      };
    },
    children: (group) => subfolders(path.join(root, group)),
    remove: (group) => removeTree(path.join(root, group)),
  };
}

/**
 * The driver for a host, from the text of its /proc/mounts; null if neither kind has both controllers. On hosts
 * with both kinds, version 1 is taken where it holds the controllers, for they belong to one kind only.
 */
export function detectCgroups(
  mounts: string,
  readControllers: (root: string) => string = (root) => read(path.join(root, 'cgroup.controllers')),
): Cgroups | null {
  const v1 = new Map<string, string>();
  let v2: string | undefined;
  for (const line of mounts.split('\n')) {
    const [, mountPoint, type, options] = line.split(' ');
    if (mountPoint === undefined) continue;
    if (type === 'cgroup2') v2 = mountPoint;
    if (type === 'cgroup') for (const option of options?.split(',') ?? []) v1.set(option, mountPoint);
  }
  const [cpu, cpuacct, memory] = [v1.get('cpu'), v1.get('cpuacct'), v1.get('memory')];
  if (cpu !== undefined && cpuacct !== undefined && memory !== undefined)
    return createCgroupsV1({ cpu, cpuacct, memory });
  if (v2 === undefined) return null;
  const controllers = readControllers(v2).trim().split(' ');
  return controllers.includes('cpu') && controllers.includes('memory') ? createCgroupsV2(v2) : null;
}
