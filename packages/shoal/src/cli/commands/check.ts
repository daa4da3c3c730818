import { type Command, InvalidArgumentError } from 'commander';
import { type AppGraph, type Deployment, durationMaxMs, type GraphMsu } from '../../model/index.ts';
import { checkApp, defaultLoadMaxMs } from '../check-app.ts';

/** A deployment in a few lines: its machines, processes and threads. */
export function describeDeployment(deployment: Deployment): string[] {
  return deployment.machines.flatMap((machine) =>
    machine.processes.flatMap((process) => [
      `  ${machine.name}/${process.name}`,
      ...process.threads.map(({ name, core, nice, instances }) => {
        const pinned = core < 0 ? '' : `, core ${core}`;
        const yields = nice === 0 ? '' : `, nice ${nice}`;
        return `    ${name}${pinned}${yields}: ${instances.join(', ') || 'nothing yet'}`;
      }),
    ]),
  );
}

/** Where messages enter and leave: a sentence, or nothing where they do neither. */
function describeEnds(graph: AppGraph): string {
  const names = (types: readonly GraphMsu[]): string => types.map((msu) => msu.name).join(', ');
  const ends = [
    ['enter at', names(graph.msus.filter((msu) => msu.isEntry))],
    ['leave at', names(graph.msus.filter((msu) => msu.isExit))],
  ].filter(([, types]) => types !== '');
  return ends.length === 0 ? '' : `Messages ${ends.map((end) => end.join(' ')).join(' and ')}. `;
}

const count = (n: number, noun: string): string => `${n} ${noun}${n === 1 ? '' : 's'}`;

interface CheckOptions {
  readonly deployment?: string;
  readonly json?: boolean;
  readonly loadMax: number;
}

/** Reads a duration given on the command line. */
export function parseMs(minMs: number): (text: string) => number {
  return (text) => {
    const ms = Number(text);
    if (Number.isFinite(ms) && ms >= minMs && ms <= durationMaxMs) return ms;
    throw new InvalidArgumentError(`Give milliseconds from ${minMs} to ${durationMaxMs}.`);
  };
}

/** `shoal check APP`: everything that is wrong with an app and its deployment, without starting anything. */
export function addCheckCommand(program: Command): void {
  program
    .command('check')
    .description('find every mistake in an app and its deployment, without starting anything')
    .argument('<app>', 'app module: its default export is what defineApp returned')
    .option('-d, --deployment <file>', 'deployment file (YAML); default: derived from the app')
    .option('--json', 'print the graph and the resolved deployment as JSON')
    .option('--load-max <ms>', 'milliseconds that the module may take to load', parseMs(1), defaultLoadMaxMs)
    .action(async (app: string, options: CheckOptions) => {
      const { graph, deployment } = await checkApp(app, options.deployment, options.loadMax);
      if (options.json) {
        process.stdout.write(`${JSON.stringify({ isValid: true, graph, deployment }, null, 2)}\n`);
        return;
      }
      const size = `${count(graph.msus.length, 'MSU type')}, ${count(graph.edges.length, 'edge')}`;
      const lines = [
        `App "${graph.name}" is right: ${size}. ${describeEnds(graph)}It would run like this:`,
        ...describeDeployment(deployment),
      ];
      process.stdout.write(`${lines.join('\n')}\n`);
    });
}
