// A runner to be killed: makes a testbed of two machines, starts in it a program that ignores SIGTERM and has a
// child in a session of its own, prints `{id, keeperPid, pids}` and waits.
import { readState } from '../registry.ts';
import { startTestbed } from '../testbed.ts';
import { twoMachines } from './two-machines.ts';

const testbed = await startTestbed({ spec: twoMachines });
const program = await testbed.machine('web1').run({
  name: 'stubborn',
  command: 'sh',
  args: ['-c', "trap '' TERM; setsid sleep 1000 & echo $!; wait"],
  stdout: 'pipe',
});
program.stdout?.once('data', (child: Buffer) => {
  const keeperPid = readState(testbed.id)?.keeperPid;
  process.stdout.write(
    `${JSON.stringify({ id: testbed.id, keeperPid, pids: [program.pid, Number(child)] })}\n`,
  );
});
await testbed.ended;
