/** The process that people start: it watches the one that serves, and starts it again when it dies. */
import { describeEvent, type SupervisorEvent, startSupervisor } from '../runtime/supervisor/index.ts';
import { exitStatus } from './report-error.ts';
import { createRunLog, type LogLevel } from './run-log.ts';
import { type RunRequest, startFailedStatus, wrongInputStatus } from './run-request.ts';

const entry: URL = new URL(
  import.meta.url.endsWith('.ts') ? './run-main.ts' : './run-main.js',
  import.meta.url,
);

function levelOf(event: SupervisorEvent, isStopping: boolean): LogLevel {
  switch (event.kind) {
    case 'started':
      return 'debug';
    case 'stopping':
      return 'info';
    case 'restarting':
      return 'warn';
    case 'given-up':
      return 'error';
    case 'ended':
      return isStopping || event.end.code === 0 ? 'debug' : 'error';
  }
}

/** The exit status of this command for that of the process that could not even start. */
function mapStatus(code: number): number | null {
  if (code === startFailedStatus) return exitStatus.failed;
  return code === wrongInputStatus ? exitStatus.refused : null;
}

/** Runs the app in a process of its own until it has ended for good. Answers the exit status. */
export async function supervise(request: RunRequest): Promise<number> {
  const log = createRunLog(request.isJson);
  let restarts = 0;
  let isStopping = false;
  let refused: number | null = null;
  const supervisor = startSupervisor({
    module: entry,
    args: [JSON.stringify(request)],
    onEvent(event) {
      if (event.kind === 'restarting') ({ restarts } = event);
      if (event.kind === 'stopping') isStopping = true;
      // What could not start at first has said why, and would say the same again. After a restart it may be
      // another cause (a port that is not free yet), which the restart policy is for.
      if (event.kind === 'ended' && restarts === 0) refused = mapStatus(event.end.code);
      if (refused === null) log(levelOf(event, isStopping), describeEvent(event), {});
      else if (event.kind === 'ended') supervisor.stopNow();
    },
  });
  const code = await supervisor.finished;
  return refused ?? code;
}
