import path from 'node:path';
import { type Command, InvalidArgumentError } from 'commander';
import { defaultRunDirectory } from '../default-run-directory.ts';
import type { RunRequest } from '../run-request.ts';

interface RunFlags {
  readonly deployment?: string;
  readonly json?: boolean;
  readonly run?: string;
  readonly controlPort: number;
  readonly supervisor: boolean;
}

function parsePort(text: string): number {
  const port = Number(text);
  if (Number.isInteger(port) && port >= 0 && port <= 65_535) return port;
  throw new InvalidArgumentError('Give a port from 0 to 65535.');
}

/** `shoal run APP`: checks an app, starts it, and serves until a signal. */
export function addRunCommand(program: Command): void {
  program
    .command('run')
    .description('check an app and run it on this machine, until SIGTERM or Ctrl-C')
    .argument('<app>', 'app module: its default export is what defineApp returned')
    .option('-d, --deployment <file>', 'deployment file (YAML); default: derived from the app')
    .option('--control-port <port>', 'port of the control endpoint on 127.0.0.1; 0: any', parsePort, 0)
    .option('--run <directory>', 'directory for the file that tells `shoal top` where the app is')
    .option('--json', 'log JSON lines')
    .option('--no-supervisor', 'run in this process, and end when it does; for debuggers')
    .action(async (app: string, flags: RunFlags) => {
      const request: RunRequest = {
        app: path.resolve(app),
        deploymentFile: flags.deployment === undefined ? null : path.resolve(flags.deployment),
        runDirectory: path.resolve(flags.run ?? defaultRunDirectory()),
        controlPort: flags.controlPort,
        isJson: flags.json === true,
      };
      // Loaded only here: the other commands start sooner without, and the supervisor stays small.
      if (flags.supervisor) {
        const { supervise } = await import('../supervise.ts');
        process.exit(await supervise(request));
      }
      const { serve } = await import('../serve.ts');
      process.exit((await serve(request)).status);
    });
}
