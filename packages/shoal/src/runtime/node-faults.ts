/** Faults of Node and V8 that get in the way of ending a thread, and what is done about them. */
import { setFlagsFromString } from 'node:v8';
import type { Worker } from 'node:worker_threads';

const nodeMajor = Number.parseInt(process.versions.node, 10);

/** Workers that are being ended. */
let ending = 0;

/**
 * Ends a worker; resolves when it is gone.
 *
 * Node before 22 unregisters a worker from its platform before V8 has stopped to optimise code for it in the background.
 * Where that code finds that it is time to mark the heap, it asks the platform for a task of the worker's, and the
 * process is aborted (`NodePlatform::ForIsolate`, "Assertion failed: (data.first) != nullptr"). So while a worker is being
 * ended, V8 marks without tasks. For good it would cost a program that collects much 6 to 9 % of its throughput.
 * A worker that ends by itself is not covered.
 */
export async function endWorker(worker: Worker): Promise<void> {
  if (ending++ === 0) marksInTasks(false);
  try {
    await worker.terminate();
  } finally {
    if (--ending === 0) marksInTasks(true);
  }
}

function marksInTasks(does: boolean): void {
  if (nodeMajor < 22)
    setFlagsFromString(does ? '--incremental-marking-task' : '--no-incremental-marking-task');
}

/**
 * V8 of Node 24 (13.6) takes the check for interruptions out of some loops that it unrolls, such as one around
 * `new Array(1_000).fill(0)`: nothing stops such a loop, neither `terminate()` nor the limit of the heap, until the
 * memory of the machine is gone. So it unrolls none. Holds for the whole process and for code that is optimised later.
 */
export function keepLoopsInterruptible(): void {
  if (nodeMajor >= 24) setFlagsFromString('--no-turboshaft-loop-unrolling');
}
