#!/usr/bin/env node
/** The `shoal` command. */
import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { addAnalyzeCommand } from './analyze.ts';
import { addCheckCommand } from './commands/check.ts';
import { addControlCommands } from './commands/control.ts';
import { addRunCommand } from './commands/run.ts';
import { reportError } from './report-error.ts';
import { addTdmaCommand } from './tdma.ts';

function version(): string {
  const file = new URL('../../package.json', import.meta.url);
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}

/** The program with all its commands. */
function createProgram(): Command {
  const program = new Command('shoal')
    .description(
      'Runs a network service as a dataflow of small components, and clones only the one that is overwhelmed.',
    )
    .version(version())
    .showSuggestionAfterError()
    .exitOverride();
  addRunCommand(program);
  addCheckCommand(program);
  addControlCommands(program);
  addAnalyzeCommand(program);
  addTdmaCommand(program);
  // Commands inherit how errors end from the program only if they are told so.
  for (const command of program.commands) command.exitOverride();
  return program;
}

// `shoal decisions | head` is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit();
});

try {
  await createProgram().parseAsync();
} catch (error) {
  process.exitCode = reportError(error, process.argv.includes('--json'));
}
