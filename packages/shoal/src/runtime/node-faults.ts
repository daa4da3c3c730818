/** Faults of Node and V8 that get in the way of ending a thread, and what is done about them. */
import { setFlagsFromString } from 'node:v8';
import type { Worker } from 'node:worker_threads';

const nodeMajor = Number.parseInt(process.versions.node, 10);

/**
 * Node before 22 aborts the process when a worker ends while V8 still optimises code for it in the background
 * (`NodePlatform::ForIsolate`, "Assertion failed: (data.first) != nullptr"): a worker that has just been busy is left at
 * rest for so long first, which lets V8 finish. Without it 7 of 120 short benchmarks aborted, with it none of 240.
 */
const compileMaxMs = nodeMajor < 22 ? 100 : 0;

/** Ends a worker that has nothing left to do. One that must be stopped at once is terminated, at that risk. */
export async function endIdleWorker(worker: Worker): Promise<void> {
  if (compileMaxMs > 0) await new Promise((resolve) => setTimeout(resolve, compileMaxMs));
  await worker.terminate();
}

/**
 * V8 of Node 24 (13.6) takes the check for interruptions out of some loops that it unrolls, such as one around
 * `new Array(1_000).fill(0)`: nothing stops such a loop, neither `terminate()` nor the limit of the heap, until the
 * memory of the machine is gone. So it unrolls none. Holds for the whole process and for code that is optimised later.
 */
export function keepLoopsInterruptible(): void {
  if (nodeMajor >= 24) setFlagsFromString('--no-turboshaft-loop-unrolling');
}
