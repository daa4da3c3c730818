import { fileURLToPath } from 'node:url';
import { FixedThreadPool } from 'poolifier';
import { askBy, sessionOf } from './drive.ts';
import { makePayloads, type Payload } from './payload.ts';
import type { HopSystem } from './system.ts';
import { workerFile } from './worker-file.ts';

/** `concurrency` 0: without a task queue of the pool's own. */
function withSettings(concurrency: number): HopSystem {
  return {
    name: `poolifier, ${concurrency === 0 ? 'no task queue' : `task queue, concurrency ${concurrency}`}`,
    system: 'poolifier',
    kind: 'request',
    where: 'cross-thread',
    open: async (kind) => {
      const pool = new FixedThreadPool<Payload, Payload>(1, fileURLToPath(workerFile('poolifier')), {
        enableEvents: false,
        ...(concurrency === 0 ? {} : { enableTasksQueue: true, tasksQueueOptions: { concurrency } }),
      });
      return sessionOf(
        askBy((payload) => pool.execute(payload)),
        makePayloads(kind),
        () => pool.destroy(),
      );
    },
  };
}

export const poolifierVariants: readonly HopSystem[] = [0, 1, 256].map(withSettings);
