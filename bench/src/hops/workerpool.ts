import { fileURLToPath } from 'node:url';
import workerpool from 'workerpool';
import { askBy, sessionOf } from './drive.ts';
import { makePayloads, type Payload } from './payload.ts';
import type { HopSystem } from './system.ts';
import { workerFile } from './worker-file.ts';

/**
 * The flags of this process that say how modules are found. A worker refuses others, of which Node 24's test runner sets
 * some.
 */
function loaderFlags(): string[] {
  return process.execArgv.flatMap((flag, at, all) => {
    if (/^--(import|conditions)=/.test(flag)) return [flag];
    return flag === '--import' || flag === '--conditions' ? [flag, all[at + 1] ?? ''] : [];
  });
}

/** It has one setting that matters here, threads; a worker always has one task at a time. */
export const workerpoolSystem: HopSystem = {
  name: 'workerpool, threads',
  system: 'workerpool',
  kind: 'request',
  where: 'cross-thread',
  open: async (kind) => {
    const pool = workerpool.pool(fileURLToPath(workerFile('workerpool')), {
      workerType: 'thread',
      minWorkers: 1,
      maxWorkers: 1,
      // Else the worker is started without them and cannot load our sources.
      workerThreadOpts: { execArgv: loaderFlags() },
    });
    const call = (payload: Payload) => pool.exec('answer', [payload]) as PromiseLike<Payload>;
    return sessionOf(askBy(call), makePayloads(kind), async () => await pool.terminate(true));
  },
};
