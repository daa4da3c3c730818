/** Where the cgroup of this process keeps its figures, in either version; and what they say. */
import { type KernelFile, openKernelFile, readKernelFile } from './file.ts';
import { parseKeyedNumbers } from './parse.ts';

/** Folder of a controller's cgroup, as seen in this mount namespace, and the folders above it that also limit. */
export interface CgroupFolders {
  readonly version: 1 | 2;
  /** Own folder first, then up to the mount. */
  readonly folders: readonly string[];
}

interface Mount {
  readonly root: string;
  readonly point: string;
  readonly type: string;
  readonly options: readonly string[];
}

function parseMounts(mountinfo: string): Mount[] {
  const mounts: Mount[] = [];
  for (const line of mountinfo.split('\n')) {
    const [left, right] = line.split(' - ');
    const fields = left?.split(' ') ?? [];
    const [type, , options] = right?.split(' ') ?? [];
    if (fields[3] === undefined || fields[4] === undefined || type === undefined) continue;
    if (type !== 'cgroup' && type !== 'cgroup2') continue;
    mounts.push({ root: fields[3], point: fields[4], type, options: options?.split(',') ?? [] });
  }
  return mounts;
}

/**
 * Finds the folders of a controller (`cpu`, `cpuacct`, `memory`) from `/proc/self/cgroup` and
 * `/proc/self/mountinfo`; `null` if it is not mounted. Version 1 is preferred where the controller has a mount of its
 * own, because then version 2 does not have it.
 */
export function findCgroup(controller: string, cgroup: string, mountinfo: string): CgroupFolders | null {
  const mounts = parseMounts(mountinfo);
  const entries = cgroup.split('\n').map((line) => line.split(':'));
  const old = mounts.find((mount) => mount.type === 'cgroup' && mount.options.includes(controller));
  const mount = old ?? mounts.find((candidate) => candidate.type === 'cgroup2');
  if (mount === undefined) return null;
  const entry = entries.find(([id, names]) =>
    old === undefined ? id === '0' && names === '' : (names ?? '').split(',').includes(controller),
  );
  const path = entry?.slice(2).join(':') ?? '/';
  const below = path.startsWith(mount.root) ? path.slice(mount.root.length) : path;
  const parts = below.split('/').filter((part) => part !== '' && part !== '..');
  const folders = parts.map((_, index) => `${mount.point}/${parts.slice(0, parts.length - index).join('/')}`);
  return { version: old === undefined ? 2 : 1, folders: [...folders, mount.point] };
}

/** The tightest limit of a cgroup and all above it, and how many levels up it is set. */
export interface CgroupLimit {
  /** `Infinity`: no limit. */
  readonly limit: number;
  readonly level: number;
}

function tightest(cgroup: CgroupFolders | null, readLimit: (folder: string) => number): CgroupLimit {
  let found: CgroupLimit = { limit: Number.POSITIVE_INFINITY, level: 0 };
  for (const [level, folder] of (cgroup?.folders ?? []).entries()) {
    const limit = readLimit(folder);
    if (limit < found.limit) found = { limit, level };
  }
  return found;
}

/** Cores' worth of CPU that the quotas allow. */
export function readQuotaCores(cgroup: CgroupFolders | null): CgroupLimit {
  return tightest(cgroup, (folder) => {
    const text =
      cgroup?.version === 2
        ? readKernelFile(`${folder}/cpu.max`)
        : `${readKernelFile(`${folder}/cpu.cfs_quota_us`)} ${readKernelFile(`${folder}/cpu.cfs_period_us`)}`;
    const [quota, period] = (text ?? '').trim().split(/\s+/).map(Number);
    // `max` and -1 stand for "no quota".
    const isSet = quota !== undefined && period !== undefined && quota > 0 && period > 0;
    return isSet ? quota / period : Number.POSITIVE_INFINITY;
  });
}

/** Bytes of memory that the limits allow. */
export function readMemoryLimit(cgroup: CgroupFolders | null): CgroupLimit {
  return tightest(cgroup, (folder) => {
    const name = cgroup?.version === 2 ? 'memory.max' : 'memory.limit_in_bytes';
    const bytes = Number.parseInt(readKernelFile(`${folder}/${name}`) ?? '', 10);
    // Version 1 writes "no limit" as a number near 2^63.
    return bytes > 0 && bytes < 2 ** 60 ? bytes : Number.POSITIVE_INFINITY;
  });
}

/** Figures that change. Use is that of the level where the limit is set: what else runs there counts against it. */
export interface CgroupReader {
  /** CPU time used; -1: not known. */
  cpuMs(): number;
  throttled(): { readonly periods: number; readonly ms: number };
  /** Memory in use without the page cache that can be dropped at once; -1: not known. */
  memoryUsedBytes(): number;
  close(): void;
}

/** Opens the figures of the levels where CPU quota and memory limit are set. */
export function openCgroupReader(
  cpu: {
    readonly quota: CgroupFolders | null;
    readonly account: CgroupFolders | null;
    readonly level: number;
  },
  memory: { readonly folders: CgroupFolders | null; readonly level: number },
): CgroupReader {
  const files: KernelFile[] = [];
  const open = (cgroup: CgroupFolders | null, level: number, names: { 1: string; 2: string }): KernelFile => {
    const folder = cgroup?.folders[Math.min(level, cgroup.folders.length - 1)];
    const file = openKernelFile(cgroup === null ? '' : `${folder}/${names[cgroup.version]}`);
    files.push(file);
    return file;
  };
  const { quota, account } = cpu;
  const cpuStat = open(quota, cpu.level, { 1: 'cpu.stat', 2: 'cpu.stat' });
  const usage = open(account, cpu.level, { 1: 'cpuacct.usage', 2: 'cpu.stat' });
  const memoryUse = open(memory.folders, memory.level, { 1: 'memory.usage_in_bytes', 2: 'memory.current' });
  const memoryStat = open(memory.folders, memory.level, { 1: 'memory.stat', 2: 'memory.stat' });
  return {
    cpuMs: () => {
      const text = usage.read();
      if (text === null || account === null) return -1;
      if (account.version === 1) return Number(text) / 1e6;
      const used = parseKeyedNumbers(text).get('usage_usec');
      return used === undefined ? -1 : used / 1_000;
    },
    throttled: () => {
      const numbers = parseKeyedNumbers(cpuStat.read() ?? '');
      const ms =
        quota?.version === 1
          ? (numbers.get('throttled_time') ?? 0) / 1e6
          : (numbers.get('throttled_usec') ?? 0) / 1_000;
      return { periods: numbers.get('nr_throttled') ?? 0, ms };
    },
    memoryUsedBytes: () => {
      const used = Number.parseInt(memoryUse.read() ?? '', 10);
      if (Number.isNaN(used)) return -1;
      const numbers = parseKeyedNumbers(memoryStat.read() ?? '');
      const droppable = numbers.get('total_inactive_file') ?? numbers.get('inactive_file') ?? 0;
      return Math.max(0, used - droppable);
    },
    close: () => {
      for (const file of files) file.close();
    },
  };
}
