import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { startTestbed } from '../testbed/testbed.ts';
import { testOnHost } from '../testbed/testing/on-host.ts';
import { keepRunning } from './kept-program.ts';

const machines = [{ name: 'web1', role: 'web', cores: 0.5, memoryMiB: 128, sysctls: {} }] as const;

/** Gone, or dead and not yet waited for by whoever inherited it. */
function hasEnded(pid: number): boolean {
  try {
    return / Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return true;
  }
}

testOnHost(
  'a kept program is started again with nothing left of the one before, until it is stopped',
  async () => {
    const logFolder = mkdtempSync(path.join(os.tmpdir(), 'kept-test-'));
    const testbed = await startTestbed({ spec: { machines }, logFolder });
    try {
      const machine = testbed.machine('web1');
      let starts = 0;
      let onSecondRestart = (): void => {};
      const restartedTwice = new Promise<void>((resolve) => {
        onSecondRestart = resolve;
      });
      let restarts = 0;
      // The child outlives its parent; the second start fails.
      const pidFile = path.join(logFolder, 'children');
      const script = `sleep 60 & echo $! >> ${pidFile}; echo ready; sleep 0.2; exit 3`;
      const kept = await keepRunning(
        () => {
          starts += 1;
          const args = ['-c', starts === 2 ? 'exit 1' : script];
          return machine.run({ name: 'unsteady', command: 'sh', args, ready: { line: /^ready$/m } });
        },
        () => {
          restarts += 1;
          if (restarts === 2) onSecondRestart();
        },
      );
      await restartedTwice;
      await kept.stop({ graceMs: 0 });
      assert.equal(restarts, 2);
      assert.equal(starts, 4);
      const children = readFileSync(pidFile, 'utf8').trim().split('\n').map(Number);
      assert.equal(children.length, 3);
      for (const pid of children) assert.ok(hasEnded(pid), `child ${pid} is left`);
    } finally {
      await testbed.close();
      rmSync(logFolder, { recursive: true });
    }
  },
);
