/** CPU of a deployment's cores and of its server, as the kernel counts it: seen from outside, like everything here. */
import { readFileSync } from 'node:fs';
import { parseProcessStat } from '../attacks/target-probe.ts';

/** One look. Milliseconds, cumulative. */
export interface CpuReading {
  readonly atMs: number;
  /** Of all the deployment's cores together: nobody wanted them. */
  readonly idleMs: number;
  /** Of the server: all its processes and threads, those that have ended included. */
  readonly serverMs: number;
}

/** A tick of the figures in /proc: 100 a second in every Linux that Node runs on. */
const tickMs = 10;
/** Fields of a core's line in /proc/stat: idle, and idle with a disk to wait for. */
const idleField = 4;
const diskWaitField = 5;

/** Numbers of the cores in a list as the kernel writes it: `0-2,5`. */
export function coresOf(list: string): number[] {
  return list
    .trim()
    .split(',')
    .flatMap((range) => {
      const [first = 0, last = first] = range.split('-').map(Number);
      return Array.from({ length: last - first + 1 }, (_, i) => first + i);
    });
}

/** The cores that a process may run on. */
export function coresAllowed(pid: number): number[] {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return coresOf(/^Cpus_allowed_list:\s*(.+)$/m.exec(status)?.[1] ?? '0');
}

function serverMs(pid: number): number {
  const { cpuTicks } = parseProcessStat(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean);
  return children.reduce((sum, child) => sum + serverMs(Number(child)), cpuTicks * tickMs);
}

function idleMs(cores: readonly number[]): number {
  const lines = readFileSync('/proc/stat', 'utf8').split('\n');
  return cores.reduce((sum, core) => {
    const fields = lines.find((line) => line.startsWith(`cpu${core} `))?.split(' ') ?? [];
    return sum + (Number(fields[idleField] ?? 0) + Number(fields[diskWaitField] ?? 0)) * tickMs;
  }, 0);
}

/** Reads now. @throws Error if the server is gone */
export function readCpu(pid: number): CpuReading {
  return { atMs: performance.now(), idleMs: idleMs(coresAllowed(pid)), serverMs: serverMs(pid) };
}

/** Two looks: the beginning and the end of a stretch of time. */
export type CpuStretch = readonly [from: CpuReading, to: CpuReading];

/**
 * Cores that there were for searches during an attack: those that stayed idle, and those that the server used beyond
 * what it uses for the same honest load without an attack. What other programs took, the load generators among them,
 * was not there.
 */
export function coresForSearches(calm: CpuStretch, attacked: CpuStretch): number {
  return rate(attacked, 'idleMs') + coresUsedBySearches(calm, attacked);
}

/** Cores that the server used during an attack, beyond what it uses for the same honest load without one. */
export function coresUsedBySearches(calm: CpuStretch, attacked: CpuStretch): number {
  return rate(attacked, 'serverMs') - rate(calm, 'serverMs');
}

function rate([from, to]: CpuStretch, of: 'idleMs' | 'serverMs'): number {
  return (to[of] - from[of]) / (to.atMs - from.atMs);
}
