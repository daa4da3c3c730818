import { setTimeout as sleep } from 'node:timers/promises';
import { LabError } from '../lab-error.ts';
import type { RunningProgram } from '../testbed/program.ts';

/** Between the end of a program and its next start: what systemd waits by default. */
const restartDelayMs = 100;

/** A program that is started again whenever it ends by itself. */
export interface KeptProgram {
  /** Stops it for good, as {@link RunningProgram.stop} does. */
  stop(options?: { readonly graceMs?: number }): Promise<void>;
}

/**
 * Does for a program what a service manager does. Resolves when it is ready for the first time.
 * @param onRestart called when it is ready again.
 */
export async function keepRunning(
  start: () => Promise<RunningProgram>,
  onRestart: () => void,
): Promise<KeptProgram> {
  let current = await start();
  let isStopping = false;
  const keep = async (): Promise<void> => {
    while (!isStopping) {
      await current.exited;
      // Its children: they would hold its port.
      await current.stop({ graceMs: 0 });
      await sleep(restartDelayMs);
      if (isStopping) return;
      try {
        current = await start();
        onRestart();
      } catch (error) {
        // It could not start, for lack of memory, say: its log tells, and it is tried again.
        if (!(error instanceof LabError)) throw error;
      }
    }
  };
  const keeping = keep();
  return {
    async stop(options) {
      isStopping = true;
      await current.stop(options);
      await keeping;
      // One that was just being started.
      await current.stop(options);
    },
  };
}
