import { fileURLToPath } from 'node:url';
import { FixedQueue, Piscina } from 'piscina';
import { askBy, sessionOf } from './drive.ts';
import { makePayloads, type Payload } from './payload.ts';
import type { HopSystem } from './system.ts';
import { workerFile } from './worker-file.ts';

function withSettings(atomics: 'sync' | 'async' | 'disabled', concurrentTasksPerWorker: number): HopSystem {
  return {
    name: `piscina, atomics ${atomics}, ${concurrentTasksPerWorker} tasks a worker`,
    system: 'piscina',
    kind: 'request',
    where: 'cross-thread',
    open: async (kind) => {
      const pool = new Piscina<Payload, Payload>({
        filename: fileURLToPath(workerFile('piscina')),
        minThreads: 1,
        maxThreads: 1,
        atomics,
        concurrentTasksPerWorker,
        // What Piscina's own guide recommends for speed.
        recordTiming: false,
        taskQueue: new FixedQueue(),
      });
      return sessionOf(
        askBy((payload) => pool.run(payload)),
        makePayloads(kind),
        () => pool.destroy(),
      );
    },
  };
}

/** The settings that a speed-minded user would try. */
export const piscinaVariants: readonly HopSystem[] = (['sync', 'async', 'disabled'] as const).flatMap(
  (atomics) => [1, 16, 256].map((tasks) => withSettings(atomics, tasks)),
);
