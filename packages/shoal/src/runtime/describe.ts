import { Worker } from 'node:worker_threads';
import { type AppGraph, ShoalError } from '../model/index.ts';
import type { Description } from './describe-main.ts';
import { endWorker } from './node-faults.ts';

const entry = new URL(
  import.meta.url.endsWith('.ts') ? './describe-main.ts' : './describe-main.js',
  import.meta.url,
);
/** An app module that takes longer to load than this is taken to hang. */
const loadMaxMs = 10_000;

/** Loads an app module in a thread of its own, and answers its graph. Throws `SHOAL_APP_LOAD`. */
export async function loadGraph(appUrl: string): Promise<AppGraph> {
  const worker = new Worker(entry, { workerData: { appUrl }, name: 'shoal-describe' });
  let timer: NodeJS.Timeout | undefined;
  try {
    const description = await new Promise<Description>((resolve, reject) => {
      timer = setTimeout(
        () =>
          resolve({ isOk: false, message: `The app module ${appUrl} did not load within ${loadMaxMs} ms.` }),
        loadMaxMs,
      );
      worker.once('message', resolve);
      worker.once('error', reject);
      worker.once('exit', (code) =>
        resolve({
          isOk: false,
          message: `The app module ${appUrl} ended its process (exit code ${code}) while loading.`,
        }),
      );
    });
    if (!description.isOk) throw new ShoalError('SHOAL_APP_LOAD', description.message, { url: appUrl });
    return description.graph;
  } finally {
    clearTimeout(timer);
    void endWorker(worker);
  }
}
