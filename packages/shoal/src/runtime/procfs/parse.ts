/**
 * Pure parsers of Linux's `/proc` and cgroup files. Each takes a file's text and answers `null` where the text is
 * not what the kernel documents (proc(5), admin-guide/cgroup-v2), so that an odd kernel costs a figure, not a crash.
 */

/** `/proc/<pid>/task/<tid>/schedstat`: time on a core and time runnable but waiting for one. */
export function parseSchedstat(
  text: string,
): { readonly cpuMs: number; readonly runQueueWaitMs: number } | null {
  const match = /^(\d+) (\d+) /.exec(text);
  return match === null ? null : { cpuMs: Number(match[1]) / 1e6, runQueueWaitMs: Number(match[2]) / 1e6 };
}

/** Kernel clock ticks are reported in hundredths of a second on every architecture (`USER_HZ`). */
const tickMs = 10;

/** What {@link parseStat} finds. */
export interface TaskStat {
  /** It runs, or waits for a core. */
  readonly isRunnable: boolean;
  readonly minorFaults: number;
  readonly majorFaults: number;
  readonly cpuMs: number;
}

/** `/proc/<pid>/[task/<tid>/]stat`: state, faults, and CPU time in steps of 10 ms. */
export function parseStat(text: string): TaskStat | null {
  // The name in parentheses may hold anything, blanks and parentheses included.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const figures = [fields[7], fields[9], fields[11], fields[12]];
  if (!figures.every((field) => field !== undefined && /^\d+$/.test(field))) return null;
  const [minor = 0, major = 0, user = 0, system = 0] = figures.map(Number);
  const isRunnable = fields[0] === 'R';
  return { isRunnable, minorFaults: minor, majorFaults: major, cpuMs: (user + system) * tickMs };
}

/** The number after `label` (which ends with its colon) in a file of `Label: value` lines; -1 if there is none. */
export function numberAfter(text: string, label: string): number {
  let at = text.startsWith(label) ? 0 : text.indexOf(`\n${label}`);
  if (at < 0) return -1;
  at = text.indexOf(label, at) + label.length;
  const number = Number.parseInt(text.slice(at, at + 40), 10);
  return Number.isNaN(number) ? -1 : number;
}

/** A list of cores such as `0-3,8,10-11`, as the kernel writes it. */
export function parseCoreList(text: string): number[] {
  const cores: number[] = [];
  for (const part of text.trim().split(',')) {
    const [first, last] = part.split('-').map(Number);
    if (first === undefined || Number.isNaN(first) || part === '') continue;
    for (let core = first; core <= (last ?? first); core++) cores.push(core);
  }
  return cores;
}

/** `/proc/<pid>/status`: the cores that the process may use. */
export function parseAllowedCores(status: string): number[] {
  return parseCoreList(/^Cpus_allowed_list:\s*(.*)$/m.exec(status)?.[1] ?? '');
}

/** `/proc/<pid>/limits`: the soft limit of open descriptors; 0 where there is none. */
export function parseDescriptorsMax(limits: string): number {
  const soft = /^Max open files\s+(\S+)/m.exec(limits)?.[1];
  return soft === undefined || soft === 'unlimited' ? 0 : Number(soft);
}

/** Ticks of one core since boot. */
export interface CoreTicks {
  readonly core: number;
  readonly idle: number;
  readonly total: number;
}

/**
 * `/proc/stat`: one entry a core. Waiting for a disk is idle; time stolen by the hypervisor is neither idle nor
 * ours, and counts in the total. Guest time is already in user time.
 */
export function parseCoreTicks(text: string): CoreTicks[] {
  const cores: CoreTicks[] = [];
  for (const line of text.split('\n')) {
    const match = /^cpu(\d+) (.*)$/.exec(line);
    if (match === null) {
      if (cores.length > 0) break;
      continue;
    }
    const ticks = (match[2] ?? '').split(' ').slice(0, 8).map(Number);
    const total = ticks.reduce((sum, value) => sum + value, 0);
    cores.push({ core: Number(match[1]), idle: (ticks[3] ?? 0) + (ticks[4] ?? 0), total });
  }
  return cores;
}

/** Share of the cores' time that was idle between two readings; `null` if no time has passed. */
export function idleShare(
  earlier: readonly CoreTicks[],
  later: readonly CoreTicks[],
  allowed: ReadonlySet<number>,
): number | null {
  const before = new Map(earlier.map((ticks) => [ticks.core, ticks]));
  let idle = 0;
  let total = 0;
  for (const now of later) {
    const was = before.get(now.core);
    if (was === undefined || !allowed.has(now.core)) continue;
    // The kernel's idle and iowait figures may step back by a little.
    idle += Math.max(0, now.idle - was.idle);
    total += Math.max(0, now.total - was.total);
  }
  return total === 0 ? null : Math.min(1, idle / total);
}

/** `/proc/net/dev`: bytes over all interfaces but loopback. */
export function parseNetworkBytes(text: string): { readonly inBytes: number; readonly outBytes: number } {
  let inBytes = 0;
  let outBytes = 0;
  for (const line of text.split('\n')) {
    const match = /^\s*([^\s:]+):\s*(.*)$/.exec(line);
    if (match === null || match[1] === 'lo') continue;
    const figures = (match[2] ?? '').split(/\s+/).map(Number);
    inBytes += figures[0] ?? 0;
    outBytes += figures[8] ?? 0;
  }
  return { inBytes, outBytes };
}

/** A number per key, of a file of `key value` lines such as `cpu.stat` and `memory.stat`. */
export function parseKeyedNumbers(text: string): Map<string, number> {
  const numbers = new Map<string, number>();
  for (const line of text.split('\n')) {
    const [key, value] = line.split(' ');
    if (key !== undefined && value !== undefined && !Number.isNaN(Number(value)))
      numbers.set(key, Number(value));
  }
  return numbers;
}
