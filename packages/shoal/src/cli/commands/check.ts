import type { Command } from 'commander';
import type { Deployment } from '../../model/index.ts';
import { checkApp } from '../check-app.ts';

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

const count = (n: number, noun: string): string => `${n} ${noun}${n === 1 ? '' : 's'}`;

/** `shoal check APP`: everything that is wrong with an app and its deployment, without starting anything. */
export function addCheckCommand(program: Command): void {
  program
    .command('check')
    .description('find every mistake in an app and its deployment, without starting anything')
    .argument('<app>', 'app module: its default export is what defineApp returned')
    .option('-d, --deployment <file>', 'deployment file (YAML); default: derived from the app')
    .option('--json', 'print the graph and the resolved deployment as JSON')
    .action(async (app: string, options: { deployment?: string; json?: boolean }) => {
      const { graph, deployment } = await checkApp(app, options.deployment);
      if (options.json) {
        process.stdout.write(`${JSON.stringify({ isValid: true, graph, deployment }, null, 2)}\n`);
        return;
      }
      const size = `${count(graph.msus.length, 'MSU type')}, ${count(graph.edges.length, 'edge')}`;
      const lines = [
        `App "${graph.name}" is right: ${size}. It would run like this:`,
        ...describeDeployment(deployment),
      ];
      process.stdout.write(`${lines.join('\n')}\n`);
    });
}
