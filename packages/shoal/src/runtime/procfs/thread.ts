import type { ThreadSample } from '../../wire/index.ts';
import { openKernelFile } from './file.ts';
import { numberAfter, parseSchedstat, parseStat } from './parse.ts';

/** What the kernel knows of a thread, cumulative since it started. */
export interface ThreadFigures
  extends Pick<
    ThreadSample,
    'cpuMs' | 'runQueueWaitMs' | 'minorFaults' | 'majorFaults' | 'voluntarySwitches' | 'involuntarySwitches'
  > {
  /** It runs, or waits for a core. */
  readonly isRunnable: boolean;
}

export interface ThreadReader {
  /** `null` once the thread has ended, or where there is no `/proc`. */
  read(): ThreadFigures | null;
  /** The times alone, at a fifth of the cost. */
  readTimes(): Pick<ThreadFigures, 'cpuMs' | 'runQueueWaitMs'> | null;
  close(): void;
}

/** Reads a thread of this process, from any of its threads. Holds three descriptors until it is closed. */
export function openThreadReader(tid: number, procRoot = '/proc'): ThreadReader {
  const folder = `${procRoot}/self/task/${tid}`;
  const schedstat = openKernelFile(`${folder}/schedstat`);
  const stat = openKernelFile(`${folder}/stat`);
  const status = openKernelFile(`${folder}/status`);
  const read = (): ThreadFigures | null => {
    const coarse = parseStat(stat.read() ?? '');
    if (coarse === null) return null;
    // Kernels without CONFIG_SCHED_INFO have no schedstat: then CPU time comes in steps of 10 ms.
    const fine = parseSchedstat(schedstat.read() ?? '');
    const text = status.read() ?? '';
    return {
      cpuMs: fine !== null && fine.cpuMs > 0 ? fine.cpuMs : coarse.cpuMs,
      runQueueWaitMs: fine?.runQueueWaitMs ?? 0,
      isRunnable: coarse.isRunnable,
      minorFaults: coarse.minorFaults,
      majorFaults: coarse.majorFaults,
      voluntarySwitches: Math.max(0, numberAfter(text, 'voluntary_ctxt_switches:')),
      involuntarySwitches: Math.max(0, numberAfter(text, 'nonvoluntary_ctxt_switches:')),
    };
  };
  return {
    read,
    // Without schedstat they come from the others.
    readTimes: () => {
      const fine = parseSchedstat(schedstat.read() ?? '');
      return fine !== null && fine.cpuMs > 0 ? fine : read();
    },
    close: () => {
      for (const file of [schedstat, stat, status]) file.close();
    },
  };
}
