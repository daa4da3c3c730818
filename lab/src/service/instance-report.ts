import { readdirSync, readFileSync, readlinkSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { performance } from 'node:perf_hooks';
import { threadId } from 'node:worker_threads';

/** How often an instance reports. */
export const reportPeriodMs = 250;

/** What one server instance (an event loop that serves requests) says of itself. */
export interface InstanceReport {
  readonly host: string;
  readonly pid: number;
  readonly thread: number;
  readonly atEpochMs: number;
  /** Share of the last period in which the event loop had something to do; 1: its queue was never empty. */
  readonly busyShare: number;
  /** Open descriptors of the process over its limit. */
  readonly descriptorShare: number;
}

function descriptorShare(): number {
  const limits = readFileSync('/proc/self/limits', 'utf8');
  const limit = Number(/^Max open files +(\d+)/m.exec(limits)?.[1] ?? Number.POSITIVE_INFINITY);
  return readdirSync('/proc/self/fd').length / limit;
}

/**
 * Writes this instance's report to a file of its own in `folder`, again and again. A blocked event loop writes
 * nothing, which says as much. @returns a function that ends it and removes the file.
 */
export function startInstanceReports(folder: string, host: string): () => void {
  const file = path.join(folder, `${host}-${process.pid}-${threadId}.json`);
  let last = performance.eventLoopUtilization();
  const write = (): void => {
    const now = performance.eventLoopUtilization();
    const { utilization } = performance.eventLoopUtilization(now, last);
    last = now;
    try {
      const report: InstanceReport = {
        host,
        pid: process.pid,
        thread: threadId,
        atEpochMs: Date.now(),
        busyShare: utilization,
        descriptorShare: descriptorShare(),
      };
      writeFileSync(`${file}.new`, JSON.stringify(report));
      renameSync(`${file}.new`, file);
    } catch {
      // Out of descriptors: the server goes on, and its stale file tells the reader.
    }
  };
  write();
  const timer = setInterval(write, reportPeriodMs);
  timer.unref();
  return () => {
    clearInterval(timer);
    rmSync(file, { force: true });
  };
}

/** Reads the latest report of every instance whose process is still alive. */
export function readInstanceReports(folder: string): InstanceReport[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith('.json'))
    .map((name) => JSON.parse(readFileSync(path.join(folder, name), 'utf8')) as InstanceReport)
    .filter(({ pid }) => isAlive(pid));
}

function isAlive(pid: number): boolean {
  try {
    readlinkSync(`/proc/${pid}/exe`);
    return true;
  } catch {
    return false;
  }
}
