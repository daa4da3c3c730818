import type { Readable } from 'node:stream';
import type { Launcher } from '../attacks/start.ts';
import type { TestbedMachine } from './testbed.ts';

/** Has an attack sent from inside a machine: `startAttack(options, machineLauncher(testbed.machine('attacker')))`. */
export function machineLauncher(machine: TestbedMachine): Launcher {
  return async ({ name, command, args }) => {
    const program = await machine.run({ name, command, args, stdout: 'pipe' });
    return {
      pid: program.pid,
      stdout: program.stdout as Readable,
      exited: program.exited,
      terminate: () => {
        // Its input closing tells it to end and report; a signal would do so too.
        program.stdin.end();
      },
    };
  };
}
