import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { coresAllowed, coresForSearches, coresOf, coresUsedBySearches, readCpu } from './cores.ts';

test('lists of cores are read as the kernel writes them', () => {
  assert.deepEqual(coresOf('0-1\n'), [0, 1]);
  assert.deepEqual(coresOf('3'), [3]);
  assert.deepEqual(coresOf('0,2-4,7'), [0, 2, 3, 4, 7]);
  assert.ok(coresAllowed(process.pid).length >= 1);
});

test('what a server had for searches is what stayed idle and what it used more than without the attack', () => {
  const calm = [
    { atMs: 0, idleMs: 0, serverMs: 100 },
    { atMs: 10_000, idleMs: 16_000, serverMs: 1_100 },
  ] as const;
  const attacked = [
    { atMs: 20_000, idleMs: 20_000, serverMs: 2_000 },
    { atMs: 30_000, idleMs: 21_000, serverMs: 18_000 },
  ] as const;
  // A tenth of a core stayed idle; the server used 1.6, and without the attack 0.1.
  assert.ok(Math.abs(coresForSearches(calm, attacked) - 1.6) < 1e-9);
  assert.ok(Math.abs(coresUsedBySearches(calm, attacked) - 1.5) < 1e-9);
});

test('the CPU of a process counts with what its children burn', async () => {
  const program = `
    const { spawn } = require('node:child_process');
    const burn = () => { const end = process.cpuUsage().user + 300_000; while (process.cpuUsage().user < end); };
    if (process.argv[1] === 'child') { burn(); process.send('burnt'); setInterval(() => undefined, 1_000); }
    else {
      const child = spawn(process.execPath, ['-e', process.env.PROGRAM, 'child'], { stdio: ['ignore', 'ignore', 'ignore', 'ipc'] });
      child.on('message', () => { burn(); process.send('burnt'); });
      process.on('disconnect', () => { child.kill('SIGKILL'); process.exit(); });
    }`;
  const child = spawn(process.execPath, ['-e', program], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    env: { ...process.env, PROGRAM: program },
  });
  const before = readCpu(child.pid!);
  await once(child, 'message');
  const after = readCpu(child.pid!);
  child.disconnect();
  await once(child, 'exit');
  assert.ok(after.serverMs - before.serverMs >= 550, `${after.serverMs - before.serverMs} ms`);
  assert.ok(after.idleMs >= before.idleMs);
});
