// Whatever dies, and however, nothing of a testbed stays behind.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as wait } from 'node:timers/promises';
import { nodeProgram, siblingModule } from '../node-program.ts';
import { hostCgroups } from './host.ts';
import { namespacePrefix, ROOT_GROUP } from './layout.ts';
import { listNamespaces } from './network.ts';
import { processStartTicks, readState } from './registry.ts';
import { reapAbandoned } from './teardown.ts';
import { startTestbed } from './testbed.ts';
import { testOnHost } from './testing/on-host.ts';
import { twoMachines } from './testing/two-machines.ts';

interface Victim {
  readonly runner: ChildProcess;
  readonly id: string;
  readonly keeperPid: number;
  readonly pids: readonly number[];
}

async function startVictim(): Promise<Victim> {
  const program = nodeProgram(siblingModule('./testing/runner-process', import.meta.url));
  const runner = spawn(program.command, program.args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const [line] = (await once(createInterface({ input: runner.stdout }), 'line')) as [string];
  return { runner, ...(JSON.parse(line) as Omit<Victim, 'runner'>) };
}

/** What is left of a testbed, by name; nothing is what we want. */
function remains({ id, pids, keeperPid }: Omit<Victim, 'runner'>): string[] {
  return [
    ...listNamespaces(namespacePrefix(id)),
    ...hostCgroups()
      .children(ROOT_GROUP)
      .filter((group) => group === id),
    ...(readState(id) === null ? [] : ['state file']),
    ...[...pids, keeperPid].filter((pid) => processStartTicks(pid) !== null).map((pid) => `process ${pid}`),
  ];
}

async function assertGone(victim: Omit<Victim, 'runner'>): Promise<void> {
  const deadline = Date.now() + 15_000;
  while (remains(victim).length > 0 && Date.now() < deadline) await wait(20);
  assert.deepEqual(remains(victim), []);
}

async function kill(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  const gone = once(child, 'exit');
  child.kill(signal);
  await gone;
}

testOnHost('a runner killed by SIGKILL takes its testbed, stubborn programs and all, with it', async () => {
  const victim = await startVictim();
  assert.ok(remains(victim).length >= 3 + 1 + 1 + 3, 'everything was there before');
  await kill(victim.runner, 'SIGKILL');
  await assertGone(victim);
});

testOnHost('a runner that ends without closing takes its testbed with it', async () => {
  const victim = await startVictim();
  await kill(victim.runner, 'SIGTERM');
  await assertGone(victim);
});

testOnHost(
  'when the keeper is killed, the runner removes the testbed and learns that it is gone',
  async () => {
    const testbed = await startTestbed({ spec: twoMachines });
    const program = await testbed.machine('web1').run({ name: 'sleep', command: 'sleep', args: ['1000'] });
    const keeperPid = readState(testbed.id)?.keeperPid ?? -1;
    process.kill(keeperPid, 'SIGKILL');
    await testbed.ended;
    await assertGone({ id: testbed.id, keeperPid, pids: [program.pid] });
    await testbed.close();
  },
);

testOnHost('when runner and keeper are killed at once, the next testbed removes what they left', async () => {
  const victim = await startVictim();
  process.kill(victim.keeperPid, 'SIGSTOP');
  await kill(victim.runner, 'SIGKILL');
  process.kill(victim.keeperPid, 'SIGKILL');
  while (processStartTicks(victim.keeperPid) !== null) await wait(5);
  const left = remains(victim);
  assert.ok(left.includes('state file') && left.length >= 5, `${left.join(', ')} was left`);
  const next = await startTestbed({ spec: twoMachines });
  assert.deepEqual(remains(victim), []);
  await next.close();
});

testOnHost('a testbed whose keeper lives is not taken for abandoned', async () => {
  const testbed = await startTestbed({ spec: twoMachines });
  const reaped = await reapAbandoned(hostCgroups());
  assert.ok(!reaped.includes(testbed.id));
  assert.equal((await testbed.accounting()).length, 2);
  await testbed.close();
});
