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

/** Whether errors are to be JSON: known before the command line is understood, because it may be what is wrong. */
function asksForJson(args: readonly string[]): boolean {
  const end = args.indexOf('--');
  return (end < 0 ? args : args.slice(0, end)).includes('--json');
}

/** The program with all its commands. `isJson`: it does not write what is wrong with the command line. */
function createProgram(isJson: boolean): Command {
  const program = new Command('shoal')
    .description(
      'Runs a network service as a dataflow of small components, and clones only the one that is overwhelmed.',
    )
    .version(version())
    .showSuggestionAfterError()
    .exitOverride();
  // Before the commands are made: they take over what stands here.
  if (isJson) program.configureOutput({ outputError: () => {} });
  addRunCommand(program);
  addCheckCommand(program);
  addControlCommands(program);
  addAnalyzeCommand(program);
  addTdmaCommand(program);
  return program;
}

// `shoal decisions | head` is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit();
});

const isJson = asksForJson(process.argv.slice(2));
try {
  await createProgram(isJson).parseAsync();
} catch (error) {
  process.exitCode = reportError(error, isJson);
}
