/** Checks an app, starts it, and serves until it is told to end: by its supervisor, or, without one, by signals. */
import { joinSupervisor } from '../runtime/supervisor/index.ts';
import { checkApp } from './check-app.ts';
import { describeDeployment } from './commands/check.ts';
import { exitStatus, reportError } from './report-error.ts';
import { type RunningApp, runApp } from './run-app.ts';
import { createRunLog, type RunLog } from './run-log.ts';
import type { RunRequest } from './run-request.ts';

/** How serving ended. `hasServed` false: it has not even started, and the reason has been printed. */
export interface ServeResult {
  readonly hasServed: boolean;
  readonly status: number;
}

/** Collects the order to end, which may come before there is anything to end. */
interface Ending {
  readonly ended: Promise<ServeResult>;
  /** Ends what runs; while the app still starts, ends at once. */
  drain(): void;
  serves(app: RunningApp): void;
}

function createEnding(log: RunLog): Ending {
  let app: RunningApp | null = null;
  let settle: (result: ServeResult) => void = () => {};
  const ended = new Promise<ServeResult>((resolve) => {
    settle = resolve;
  });
  return {
    ended,
    drain() {
      if (app === null) {
        settle({ hasServed: true, status: exitStatus.done });
        return;
      }
      const { drainMaxMs } = app;
      app.drain().then(
        (isEmpty) => {
          if (isEmpty) log('info', 'ended', {});
          else log('warn', `ended; what had not ended after drainMaxMs (${drainMaxMs} ms) was cut off`, {});
          settle({ hasServed: true, status: exitStatus.done });
        },
        (error: unknown) => {
          log('error', `draining failed: ${String(error)}`, {});
          settle({ hasServed: true, status: exitStatus.failed });
        },
      );
    },
    serves(running) {
      app = running;
    },
  };
}

/** Without a supervisor: the first signal drains, the second one ends at once. */
function watchSignals(ending: Ending, log: RunLog): void {
  let isDraining = false;
  const onSignal = (signal: NodeJS.Signals): void => {
    if (isDraining) {
      log('warn', `${signal} again: ending at once`, {});
      process.exit(exitStatus.failed);
    }
    isDraining = true;
    log('info', `${signal}: draining; another one ends at once`, {});
    ending.drain();
  };
  process.on('SIGTERM', onSignal).on('SIGINT', onSignal);
}

async function start(
  request: RunRequest,
  log: RunLog,
  onFatal: Parameters<typeof runApp>[0]['onFatal'],
): Promise<RunningApp> {
  const checked = await checkApp(request.app, request.deploymentFile ?? undefined);
  const { controlPort, runDirectory, isJson } = request;
  // Standard output is JSON lines then, and nothing else.
  const printsTo = isJson ? 'stderr' : 'stdout';
  const running = await runApp({ checked, log, printsTo, controlPort, runDirectory, onFatal });
  for (const line of isJson ? [] : describeDeployment(checked.deployment)) log('info', line, {});
  const { name } = checked.graph;
  const fields = { app: name, controlPort: running.controlPort };
  log('info', `app "${name}" runs (process ${process.pid}); watch it with: shoal top`, fields);
  return running;
}

/** Serves until the end. Never rejects: what is wrong has been printed. */
export async function serve(request: RunRequest): Promise<ServeResult> {
  const log = createRunLog(request.isJson);
  const ending = createEnding(log);
  const link = joinSupervisor({ onDrain: () => ending.drain() });
  if (link === null) watchSignals(ending, log);
  else if (link.cause !== null)
    log('warn', `started again: ${link.cause.sentence}`, { restarts: link.cause.restarts });
  try {
    const app = await Promise.race([
      start(request, log, (reason) => {
        const what = `${reason.msu}#${reason.instanceId}: ${reason.detail}`;
        log('error', `the process must end: ${what}`, {});
        if (link === null) process.kill(process.pid, 'SIGKILL');
        else link.die({ what, msu: reason.msu, instanceId: reason.instanceId, messageId: 0 });
      }),
      ending.ended,
    ]);
    if ('drain' in app) ending.serves(app);
  } catch (error) {
    return { hasServed: false, status: reportError(error, request.isJson) };
  }
  return ending.ended;
}
