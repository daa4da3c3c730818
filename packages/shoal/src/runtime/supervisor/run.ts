/** One life of a runtime process, from its start until why it ended is known. */
import { type ChildProcess, fork } from 'node:child_process';
import {
  asRuntimeMessage,
  type LastReport,
  type RestartCause,
  type RuntimeMessage,
  type Supervised,
  type SupervisorMessage,
  supervisedVariable,
} from './messages.ts';
import { classifyEnd, type Observed, type RuntimeEnd } from './runtime-end.ts';

/** Of the error output, what is kept to find out why a process ended. */
const stderrTailMaxChars = 8_192;
/** How long the rest of its output and messages is waited for after the end: a grandchild may hold them open. */
const lastWordsMaxMs = 200;
/** Between the order to stop now and SIGKILL. */
const stopNowMaxMs = 500;

export interface RunSettings {
  readonly module: string | URL;
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  readonly execArgv: readonly string[];
  readonly heartbeatMs: number;
  readonly heartbeatsMissedMax: number;
  readonly startMaxMs: number;
}

export interface Run {
  /** 0: it could not be started. */
  readonly pid: number;
  send(message: SupervisorMessage): void;
  /** Orders it to stop now, and kills it if it does not. */
  stopNow(): void;
}

/** What is learned of the process while it runs. */
interface Notes {
  stderrTail: string;
  report: LastReport | null;
  killedFor: Observed['killedFor'];
  silentMs: number;
}

export function startRun(
  settings: RunSettings,
  cause: RestartCause | null,
  onEnd: (pid: number, end: RuntimeEnd) => void,
): Run {
  const notes: Notes = { stderrTail: '', report: null, killedFor: null, silentMs: 0 };
  const child = launch(settings, cause);
  const pid = child.pid ?? 0;
  keepStderr(child, notes);
  const stopWatching = watch(child, settings, notes);

  let isOver = false;
  const end = (code: number | null, signal: NodeJS.Signals | null, startError: string): void => {
    if (isOver) return;
    isOver = true;
    stopWatching();
    afterLastWords(child, () => onEnd(pid, classifyEnd({ ...notes, code, signal, startError })));
  };
  child.on('error', (error) => {
    // Also emitted when a message or a signal does not reach a process that is ending: its end follows.
    if (pid === 0) end(1, null, error.message);
  });
  child.on('exit', (code, signal) => end(code, signal, ''));

  const send = (message: SupervisorMessage): void => {
    if (child.connected) child.send(message, () => {});
  };
  return {
    pid,
    send,
    stopNow: () => {
      send({ kind: 'stop-now' });
      setTimeout(() => {
        if (!isOver) child.kill('SIGKILL');
        // The child itself keeps this process waiting while it runs.
      }, stopNowMaxMs).unref();
    },
  };
}

function launch(settings: RunSettings, cause: RestartCause | null): ChildProcess {
  const { heartbeatMs } = settings;
  const supervised: Supervised = { supervisorPid: process.pid, heartbeatMs, cause };
  return fork(settings.module, settings.args, {
    env: { ...settings.env, [supervisedVariable]: JSON.stringify(supervised) },
    execArgv: [...settings.execArgv],
    // The error output passes through here, because V8 says there, and nowhere else, that the heap was full.
    stdio: ['inherit', 'inherit', 'pipe', 'ipc'],
  });
}

function keepStderr(child: ChildProcess, notes: Notes): void {
  const { stderr } = child;
  if (stderr === null) return;
  stderr.on('data', (chunk: Buffer) => {
    notes.stderrTail = (notes.stderrTail + chunk.toString('latin1')).slice(-stderrTailMaxChars);
  });
  stderr.pipe(process.stderr, { end: false });
}

/** Calls back when the process's last words are in: its error output and its messages, or when time is up. */
function afterLastWords(child: ChildProcess, then: () => void): void {
  let isDone = false;
  const check = (isTimeUp: boolean): void => {
    const isSilent = !child.connected && (child.stderr === null || child.stderr.readableEnded);
    if (isDone || !(isSilent || isTimeUp)) return;
    isDone = true;
    clearTimeout(timer);
    then();
  };
  const timer = setTimeout(() => check(true), lastWordsMaxMs);
  child.stderr?.on('end', () => check(false));
  child.on('disconnect', () => check(false));
  check(false);
}

/**
 * Listens to the process, and kills it when it asks for that or has missed too many heartbeats. What counts is
 * beats of this process's own timer without one of the other's, not the time on a clock: a machine that was
 * suspended does not make a healthy process a hung one.
 */
function watch(child: ChildProcess, settings: RunSettings, notes: Notes): () => void {
  const { heartbeatMs, heartbeatsMissedMax, startMaxMs } = settings;
  let missed = 0;
  let missedMax = Math.max(heartbeatsMissedMax, Math.ceil(startMaxMs / Math.max(1, heartbeatMs)));
  const kill = (why: 'hung' | 'gave-up'): void => {
    notes.killedFor ??= why;
    child.kill('SIGKILL');
  };
  child.on('message', (value) => {
    const message: RuntimeMessage | null = asRuntimeMessage(value);
    if (message === null) return;
    missed = 0;
    missedMax = heartbeatsMissedMax;
    switch (message.kind) {
      case 'heartbeat':
        break;
      case 'last-report':
        notes.report = message.report;
        break;
      case 'kill-me':
        notes.report = message.report;
        kill('gave-up');
        break;
    }
  });
  if (heartbeatMs === 0) return () => {};
  const timer = setInterval(() => {
    missed++;
    notes.silentMs = missed * heartbeatMs;
    if (missed > missedMax) kill('hung');
  }, heartbeatMs);
  return () => clearInterval(timer);
}
