// `npm run lab -- …`: testbeds and attacks by hand.
import { Command } from 'commander';
import { addAttackCommands } from './attacks/commands.ts';
import { LabError } from './lab-error.ts';
import { addTestbedCommands } from './testbed/commands.ts';

const program = new Command('lab')
  .description('Emulated machines and attacks, to test a service with. See lab/README.md.')
  .showHelpAfterError('(--help says more)');
addTestbedCommands(program);
addAttackCommands(program);

try {
  await program.parseAsync();
} catch (error) {
  if (!(error instanceof LabError)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
}
