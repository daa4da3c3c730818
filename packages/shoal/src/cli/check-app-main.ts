/**
 * Entry of the process that loads and checks an app module: in a thread, as the module is loaded where it runs, so that
 * this process can say what became of it. The one that started it ends it, whatever the module does by then.
 */
import { Worker } from 'node:worker_threads';
// Not by index.ts: this process holds nothing but what it needs, and starts sooner.
import { keepLoopsInterruptible } from '../runtime/node-faults.ts';
import type { CheckRequest, CheckResult } from './check-app-thread.ts';

/** Mebibytes of heap that a module may take. */
const heapMaxMiB = 512;

const entry: URL = new URL(
  import.meta.url.endsWith('.ts') ? './check-app-thread.ts' : './check-app-thread.js',
  import.meta.url,
);

function load(request: CheckRequest, answer: (result: CheckResult) => void): void {
  const { loadMaxMs } = request;
  const failed = (what: string): void => answer({ kind: 'not-loaded', what });
  setTimeout(() => {
    failed(`did not load within ${loadMaxMs / 1_000} s (does it start something, or loop?)`);
  }, loadMaxMs);
  keepLoopsInterruptible();
  const worker = new Worker(entry, {
    name: 'shoal-check',
    workerData: request,
    resourceLimits: { maxOldGenerationSizeMb: heapMaxMiB },
  });
  worker.once('message', answer);
  worker.on('error', (error: NodeJS.ErrnoException) => {
    const isMemory = error.code === 'ERR_WORKER_OUT_OF_MEMORY';
    failed(isMemory ? `took more than ${heapMaxMiB} MiB of memory to load` : `failed: ${error.message}`);
  });
  worker.once('exit', (code) => failed(`called process.exit(${code}) while it was loaded`));
}

let isAnswered = false;
process.once('message', (request: CheckRequest) => {
  load(request, (result) => {
    if (isAnswered) return;
    isAnswered = true;
    // What the module printed before is let through first.
    setImmediate(() => process.send?.(result));
  });
});
// Whoever asked is gone. A thread that is in native code would keep this process from ending by itself.
process.once('disconnect', () => process.kill(process.pid, 'SIGKILL'));
