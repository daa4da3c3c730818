import { readdirSync, readFileSync } from 'node:fs';
import { LabError } from '../lab-error.ts';

/** `USER_HZ`: the unit of CPU times in /proc/PID/stat, fixed in Linux's interface. */
const TICKS_PER_SECOND = 100;

/** What a calibration reads of its target. */
export interface TargetProbe {
  /** CPU seconds spent so far; only differences count. */
  cpuSeconds(): number;
  /** Open file descriptors now. */
  descriptors(): number;
  /** Resident memory now, in bytes. */
  memoryBytes(): number;
}

interface ProcessStat {
  readonly parent: number;
  readonly cpuTicks: number;
}

/** Reads the text of /proc/PID/stat; the CPU time includes children that were waited for. */
export function parseProcessStat(text: string): ProcessStat {
  // The name, in parentheses, may hold blanks and parentheses itself: fields count from the last one.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const ticks = fields.slice(11, 15).map(Number);
  return { parent: Number(fields[1]), cpuTicks: ticks.reduce((sum, tick) => sum + tick, 0) };
}

/** A process and all its descendants, as /proc shows them now. */
function processTree(root: number): Map<number, ProcessStat> {
  const all = new Map<number, ProcessStat>();
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    try {
      all.set(Number(entry), parseProcessStat(readFileSync(`/proc/${entry}/stat`, 'utf8')));
    } catch {
      // It ended since the folder was listed.
    }
  }
  const tree = new Map<number, ProcessStat>();
  const add = (pid: number): void => {
    const stat = all.get(pid);
    if (stat === undefined || tree.has(pid)) return;
    tree.set(pid, stat);
    for (const [child, { parent }] of all) if (parent === pid) add(child);
  };
  add(root);
  return tree;
}

/** Probes a process and its descendants through /proc. CPU time comes in steps of 10 ms. */
export function probeProcess(pid: number): TargetProbe {
  const tree = (): Map<number, ProcessStat> => {
    const found = processTree(pid);
    if (found.size === 0)
      throw new LabError(`There is no process ${pid}: give --pid the target's process id.`);
    return found;
  };
  const sum = (read: (pid: number) => number): number => {
    let total = 0;
    for (const member of tree().keys()) {
      try {
        total += read(member);
      } catch {
        // It ended since the tree was read.
      }
    }
    return total;
  };
  return {
    cpuSeconds: () =>
      [...tree().values()].reduce((total, { cpuTicks }) => total + cpuTicks, 0) / TICKS_PER_SECOND,
    descriptors: () => sum((member) => readdirSync(`/proc/${member}/fd`).length),
    memoryBytes: () =>
      sum((member) => {
        const line = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${member}/status`, 'utf8'));
        return Number(line?.[1] ?? 0) * 1024;
      }),
  };
}
