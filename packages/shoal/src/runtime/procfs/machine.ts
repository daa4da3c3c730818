import * as os from 'node:os';
import type { MachineSample } from '../../wire/index.ts';
import { findCgroup, openCgroupReader, readMemoryLimit, readQuotaCores } from './cgroup.ts';
import { openKernelFile, readKernelFile } from './file.ts';
import {
  type CoreTicks,
  idleShare,
  numberAfter,
  parseAllowedCores,
  parseCoreTicks,
  parseNetworkBytes,
} from './parse.ts';

/** Memory, network and throttling are read once in so many milliseconds: nothing is decided on them sooner. */
const slowFiguresMs = 1_000;

export interface MachineReader {
  /**
   * Everything about the machine, as far as this process may use it; all but `freeCores` up to a second old.
   *
   * `cores` is the smaller of the cores of its affinity mask and its cgroup's quota, both as they were when the
   * reader was opened. `freeCores` is about the time since the last reading: idle time of those cores (ticks of
   * 10 ms), but never more than the quota leaves. It is 0 until one window has passed.
   *
   * @param nowMs milliseconds on a monotonic clock
   */
  read(nowMs: number): MachineSample;
  close(): void;
}

/**
 * Opens the machine's figures. Call it on a thread that is not pinned: the affinity of the process's main thread
 * counts as what is allowed. Holds seven descriptors until it is closed.
 */
export function openMachineReader(nowMs: number, procRoot = '/proc'): MachineReader {
  const cgroupText = readKernelFile(`${procRoot}/self/cgroup`) ?? '';
  const mountinfo = readKernelFile(`${procRoot}/self/mountinfo`) ?? '';
  const cpuCgroup = findCgroup('cpu', cgroupText, mountinfo);
  const memoryCgroup = findCgroup('memory', cgroupText, mountinfo);
  const { limit: quotaCores, level: quotaLevel } = readQuotaCores(cpuCgroup);
  const { limit: memoryLimit, level: memoryLevel } = readMemoryLimit(memoryCgroup);
  const cgroup = openCgroupReader(
    { quota: cpuCgroup, account: findCgroup('cpuacct', cgroupText, mountinfo), level: quotaLevel },
    { folders: memoryCgroup, level: memoryLevel },
  );

  const stat = openKernelFile(`${procRoot}/stat`);
  const meminfo = openKernelFile(`${procRoot}/meminfo`);
  const network = openKernelFile(`${procRoot}/self/net/dev`);

  const listed = parseAllowedCores(readKernelFile(`${procRoot}/self/status`) ?? '');
  const allowed = new Set(listed.length > 0 ? listed : os.cpus().map((_, core) => core));
  const cores = Math.min(allowed.size, quotaCores);

  let ticks: readonly CoreTicks[] = parseCoreTicks(stat.read() ?? '');
  let cgroupCpuMs = cgroup.cpuMs();
  let atMs = nowMs;
  let freeCores = 0;

  function updateFreeCores(now: number): void {
    const laterTicks = parseCoreTicks(stat.read() ?? '');
    const share = idleShare(ticks, laterTicks, allowed);
    if (share === null || now <= atMs) return;
    const laterCpuMs = Number.isFinite(quotaCores) ? cgroup.cpuMs() : -1;
    const usedCores =
      cgroupCpuMs < 0 || laterCpuMs < 0 ? 0 : Math.max(0, laterCpuMs - cgroupCpuMs) / (now - atMs);
    freeCores = Math.max(0, Math.min(share * allowed.size, quotaCores - usedCores));
    ticks = laterTicks;
    cgroupCpuMs = laterCpuMs;
    atMs = now;
  }

  function memory(): { total: number; free: number } {
    const text = meminfo.read() ?? '';
    const total = Math.max(0, numberAfter(text, 'MemTotal:')) * 1_024;
    const available = Math.max(0, numberAfter(text, 'MemAvailable:')) * 1_024;
    if (memoryLimit >= total) return { total, free: available };
    const used = cgroup.memoryUsedBytes();
    const left = used < 0 ? available : Math.max(0, memoryLimit - used);
    return { total: memoryLimit, free: Math.min(available, left) };
  }

  function readSlow(): Omit<MachineSample, 'cores' | 'freeCores'> {
    const { total, free } = memory();
    const { periods, ms } = cgroup.throttled();
    const { inBytes, outBytes } = parseNetworkBytes(network.read() ?? '');
    return {
      memoryBytes: total,
      memoryFreeBytes: free,
      throttledPeriods: periods,
      throttledMs: ms,
      networkInBytes: inBytes,
      networkOutBytes: outBytes,
    };
  }

  let slow = readSlow();
  let slowAtMs = nowMs;

  return {
    read: (now) => {
      updateFreeCores(now);
      if (now - slowAtMs >= slowFiguresMs) {
        slow = readSlow();
        slowAtMs = now;
      }
      return { cores, freeCores, ...slow };
    },
    close: () => {
      for (const file of [stat, meminfo, network, cgroup]) file.close();
    },
  };
}
