import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import type { AttackName } from '../attacks/attack.ts';
import { attackNames } from '../attacks/catalogue.ts';
import { LabError } from '../lab-error.ts';
import { type Deployment, deployments } from '../rivals/index.ts';
import type { GeneratorsOptions } from './generators.ts';

/** What the user of `npm run experiment -- rivals` asked for. */
export interface RivalsOptions {
  readonly attacks: readonly AttackName[];
  readonly deployments: readonly Deployment[];
  /** Short phases: all cells within ten minutes. */
  readonly quick: boolean;
  readonly runs: number;
  readonly seed: number;
  /** Raw results; an existing file with the same settings is resumed. */
  readonly json: string;
  readonly report: string;
  /** Measure again the cells of the results file in which the load generator was late. */
  readonly repeatLate: boolean;
  /** A testbed spec file; absent: the default testbed. */
  readonly spec: string | undefined;
}

const runsMax = 100;

function wholeNumber(low: number, high: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (Number.isInteger(value) && value >= low && value <= high) return value;
    throw new InvalidArgumentError(`Give a whole number from ${low} to ${high}.`);
  };
}

function listOf<Item>(known: ReadonlyMap<string, Item>): (text: string) => Item[] {
  return (text) => {
    const names = text.split(',').map((name) => name.trim());
    const unknown = names.filter((name) => !known.has(name));
    if (unknown.length > 0)
      throw new InvalidArgumentError(
        `There is no ${unknown.map((name) => `"${name}"`).join(', ')}; there are ${[...known.keys()].join(', ')}.`,
      );
    return names.map((name) => known.get(name)!);
  };
}

/** What each subcommand runs. */
export interface Commands {
  rivals(options: RivalsOptions): Promise<void>;
  generators(options: GeneratorsOptions): Promise<void>;
  report(options: Pick<RivalsOptions, 'json' | 'report'>): Promise<void>;
}

/** Reads the command line and runs what it asks for. @throws LabError with what is wrong. */
export function runCommand(args: readonly string[], commands: Commands): Promise<unknown> {
  const attacks = new Map(attackNames.map((name) => [name as string, name]));
  const known = new Map(deployments.map((deployment) => [deployment.name, deployment]));
  const program = new Command('npm run experiment --')
    .exitOverride()
    .configureOutput({ writeErr: () => undefined });
  program
    .command('rivals')
    .description('How each deployment serves honest visitors while each attack is under way.')
    .addOption(
      new Option('--attacks <names>', 'separated by commas')
        .argParser(listOf(attacks))
        .default([...attackNames], 'all'),
    )
    .addOption(
      new Option('--deployments <names>', 'separated by commas')
        .argParser(listOf(known))
        .default(undefined, 'all; with --quick all but naive-full'),
    )
    .option('--quick', 'short phases: all cells within ten minutes', false)
    .option(
      '--runs <number>',
      'how often to run each cell (default: 3, with --quick 1)',
      wholeNumber(1, runsMax),
    )
    .option('--seed <number>', 'of arrivals, mix and attacks', wholeNumber(0, 1_000_000), 1)
    .option(
      '--json <file>',
      'raw results; a stopped experiment goes on where it was',
      'experiment-rivals.json',
    )
    .option('--report <folder>', 'where the HTML page and the figures go', 'experiment-rivals')
    .option('--repeat-late', 'measure again the cells in which the load generator was late', false)
    .option('--spec <file>', 'a testbed of other machines')
    .action(
      (
        options: Omit<RivalsOptions, 'runs' | 'deployments'> & { runs?: number; deployments?: Deployment[] },
      ) =>
        commands.rivals({
          ...options,
          spec: options.spec,
          deployments:
            options.deployments ?? deployments.filter(({ longOnly }) => !options.quick || !longOnly),
          runs: options.runs ?? (options.quick ? 1 : 3),
        }),
    );
  program
    .command('report')
    .description('Writes the page and the figures from raw results, whole or not.')
    .option('--json <file>', 'raw results', 'experiment-rivals.json')
    .option('--report <folder>', 'where the HTML page and the figures go', 'experiment-rivals')
    .action((options: Pick<RivalsOptions, 'json' | 'report'>) => commands.report(options));
  program
    .command('generators')
    .description('Whether the load generator and Tsung measure the same on a quiet server.')
    .option('--rate <number>', 'visitors a second', wholeNumber(1, 500), 100)
    .option('--seconds <number>', 'how long each generator runs', wholeNumber(5, 600), 30)
    .action((options: GeneratorsOptions) => commands.generators(options));
  for (const command of program.commands)
    command.exitOverride().configureOutput({ writeErr: () => undefined });
  return program.parseAsync(args, { from: 'user' }).catch((error: unknown) => {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return;
    if (error.code === 'commander.help') throw new LabError(program.helpInformation());
    throw new LabError(error.message.replace(/^error: /, ''));
  });
}
