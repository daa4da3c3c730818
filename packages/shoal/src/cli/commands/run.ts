import { type Command, InvalidArgumentError } from 'commander';
import { checkApp } from '../check-app.ts';
import { exitStatus } from '../report-error.ts';
import { type RunningApp, runApp } from '../run-app.ts';
import { defaultRunDirectory } from '../run-directory.ts';
import { createRunLog, type RunLog } from '../run-log.ts';
import { describeDeployment } from './check.ts';

interface RunOptions {
  readonly deployment?: string;
  readonly json?: boolean;
  readonly run?: string;
  readonly controlPort: number;
}

function parsePort(text: string): number {
  const port = Number(text);
  if (Number.isInteger(port) && port >= 0 && port <= 65_535) return port;
  throw new InvalidArgumentError('Give a port from 0 to 65535.');
}

/** Resolves when the app has ended after a first SIGTERM or SIGINT. A second one ends the process at once. */
function waitForEnd(app: RunningApp, log: RunLog): Promise<number> {
  return new Promise((resolve) => {
    let isDraining = false;
    const onSignal = (signal: NodeJS.Signals): void => {
      if (isDraining) {
        log('warn', `${signal} again: ending at once`, {});
        process.exit(exitStatus.failed);
      }
      isDraining = true;
      log('info', `${signal}: draining; another one ends at once`, {});
      app.drain().then(
        (isEmpty) => {
          log(isEmpty ? 'info' : 'warn', isEmpty ? 'ended' : 'ended; some work did not end in time', {});
          resolve(exitStatus.done);
        },
        (error: unknown) => {
          log('error', `draining failed: ${String(error)}`, {});
          resolve(exitStatus.failed);
        },
      );
    };
    process.on('SIGTERM', onSignal).on('SIGINT', onSignal);
  });
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
    .action(async (app: string, options: RunOptions) => {
      const log = createRunLog(options.json === true);
      const checked = await checkApp(app, options.deployment);
      const running = await runApp({
        checked,
        log,
        controlPort: options.controlPort,
        runDirectory: options.run ?? defaultRunDirectory(),
      });
      const { name } = checked.graph;
      const { controlPort } = running;
      for (const line of options.json ? [] : describeDeployment(checked.deployment)) log('info', line, {});
      log('info', `app "${name}" runs (process ${process.pid}); watch it with: shoal top`, {
        app: name,
        controlPort,
      });
      process.exit(await waitForEnd(running, log));
    });
}
