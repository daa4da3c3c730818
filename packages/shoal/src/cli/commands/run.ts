import { type Command, InvalidArgumentError } from 'commander';
import { checkApp } from '../check-app.ts';
import { exitStatus } from '../report-error.ts';
import type { RunningApp } from '../run-app.ts';
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

/**
 * Ends the app at the first SIGTERM or SIGINT, and the process at once at a second one, or at the first one while the
 * app still starts. `ended` resolves with the exit status.
 */
function watchSignals(log: RunLog): { readonly ended: Promise<number>; serve(app: RunningApp): void } {
  let app: RunningApp | null = null;
  let isDraining = false;
  const { promise, resolve } = deferred<number>();
  const onSignal = (signal: NodeJS.Signals): void => {
    if (app === null || isDraining) {
      log(
        'warn',
        isDraining ? `${signal} again: ending at once` : `${signal} while starting: ending at once`,
        {},
      );
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
  return {
    ended: promise,
    serve(running) {
      app = running;
    },
  };
}

function deferred<T>(): { readonly promise: Promise<T>; resolve(value: T): void } {
  let resolve: (value: T) => void = () => {};
  const promise = new Promise<T>((done) => {
    resolve = done;
  });
  return { promise, resolve: (value) => resolve(value) };
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
      // Only here: the other commands need neither runtime nor controller, and start sooner without.
      const { runApp } = await import('../run-app.ts');
      const signals = watchSignals(log);
      const running = await runApp({
        checked,
        log,
        controlPort: options.controlPort,
        runDirectory: options.run ?? defaultRunDirectory(),
      });
      signals.serve(running);
      const { name } = checked.graph;
      const { controlPort } = running;
      for (const line of options.json ? [] : describeDeployment(checked.deployment)) log('info', line, {});
      log('info', `app "${name}" runs (process ${process.pid}); watch it with: shoal top`, {
        app: name,
        controlPort,
      });
      process.exit(await signals.ended);
    });
}
