#!/usr/bin/env node
/** The `shoal` command. */
import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { reportError } from './report-error.ts';

type AddCommands = (program: Command) => void;

/**
 * What adds commands, in the order of the help, and their names. Only what is asked for is loaded: the supervisor stays
 * small, and a command begins sooner.
 */
const groups: readonly { readonly names: readonly string[]; readonly load: () => Promise<AddCommands> }[] = [
  { names: ['run'], load: async () => (await import('./commands/run.ts')).addRunCommand },
  { names: ['check'], load: async () => (await import('./commands/check.ts')).addCheckCommand },
  {
    names: ['top', 'decisions', 'explain', 'clone', 'remove', 'reassign'],
    load: async () => (await import('./commands/control.ts')).addControlCommands,
  },
  { names: ['analyze'], load: async () => (await import('./analyze.ts')).addAnalyzeCommand },
  { names: ['tdma'], load: async () => (await import('./tdma.ts')).addTdmaCommand },
];

function version(): string {
  const file = new URL('../../package.json', import.meta.url);
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}

/** Whether errors are to be JSON: known before the command line is understood, because it may be what is wrong. */
function asksForJson(args: readonly string[]): boolean {
  const end = args.indexOf('--');
  return (end < 0 ? args : args.slice(0, end)).includes('--json');
}

/**
 * The program, with the commands of the group to which `name` belongs, or with all if it belongs to none. `isJson`: it does
 * not write what is wrong with the command line.
 */
async function createProgram(name: string | undefined, isJson: boolean): Promise<Command> {
  const program = new Command('shoal')
    .description(
      'Runs a network service as a dataflow of small components, and clones only the one that is overwhelmed.',
    )
    .version(version())
    .showSuggestionAfterError()
    .exitOverride();
  // Before the commands are made: they take over what stands here.
  if (isJson) program.configureOutput({ outputError: () => {} });
  const asked = groups.filter(({ names }) => names.some((own) => own === name));
  for (const { load } of asked.length > 0 ? asked : groups) (await load())(program);
  return program;
}

// `shoal decisions | head` is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit();
});

const args = process.argv.slice(2);
const isJson = asksForJson(args);
try {
  const program = await createProgram(args[0], isJson);
  await program.parseAsync();
} catch (error) {
  process.exitCode = reportError(error, isJson);
}
