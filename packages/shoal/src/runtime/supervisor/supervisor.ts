/**
 * The tiny process that outlives the runtime. It runs no user code and keeps no state but the restart budget, so
 * that what kills a runtime (a full heap, a tight native loop, a crash of Node itself) does not reach it.
 *
 * I1. At most one runtime process at a time; the next is started only when the last has ended.
 * I2. A runtime does not outlive its supervisor: the kernel kills it (Linux), and it checks by itself.
 * I3. After the first request to stop nothing is started any more.
 */
import { defaultRestart, type RestartPolicy } from '../../model/index.ts';
import { withDefaults } from '../../model/with-defaults.ts';
import { describeEvent, type SupervisorEvent } from './events.ts';
import type { RestartCause } from './messages.ts';
import { createRestartBudget } from './restart-budget.ts';
import { type Run, type RunSettings, startRun } from './run.ts';
import type { RuntimeEnd } from './runtime-end.ts';

/** Exit code of a supervisor that has given up (EX_SOFTWARE of sysexits.h). */
export const givenUpExitCode = 70;

export interface SupervisorOptions {
  /** The module that the runtime process runs: path or `file:` URL. It calls `joinSupervisor` early. */
  readonly module: string | URL;
  readonly args?: readonly string[];
  /** Its environment. Default: that of this process. */
  readonly env?: NodeJS.ProcessEnv;
  /** Flags of its Node. Default: those of this process. */
  readonly execArgv?: readonly string[];
  /** Default: `transient`, 10 restarts within 10 s. */
  readonly restart?: Partial<RestartPolicy>;
  /** Milliseconds between two heartbeats; 0: none are asked for, and a hung agent is not noticed. Default 500. */
  readonly heartbeatMs?: number;
  /** A process is hung that misses so many in a row. Default 6, which is 3 s. */
  readonly heartbeatsMissedMax?: number;
  /** Milliseconds until the first heartbeat. Default 30,000. */
  readonly startMaxMs?: number;
  /** Whether SIGTERM and SIGINT of this process drain at first and stop at once when they come again. Default true. */
  readonly handlesSignals?: boolean;
  /** Told of everything that happens. Default: a line of the error output each. */
  readonly onEvent?: (event: SupervisorEvent) => void;
}

export interface Supervisor extends AsyncDisposable {
  /** The exit code for this process, once nothing runs and nothing is to be started: never rejects. */
  readonly finished: Promise<number>;
  /** Of the runtime process; 0: none runs. */
  readonly runtimePid: number;
  /** Asks the runtime to end its work and exit. */
  drain(): void;
  /** Ends it at once. */
  stopNow(): void;
  /** Ends it at once and waits for that. */
  close(): Promise<void>;
}

/** Options with every default filled in. */
interface Resolved extends RunSettings {
  readonly restart: RestartPolicy;
  readonly onEvent: (event: SupervisorEvent) => void;
}

function resolve(options: SupervisorOptions): Resolved {
  return {
    module: options.module,
    args: options.args ?? [],
    env: options.env ?? process.env,
    execArgv: options.execArgv ?? process.execArgv,
    restart: withDefaults<RestartPolicy>({ ...defaultRestart, kind: 'transient' }, options.restart),
    heartbeatMs: options.heartbeatMs ?? 500,
    heartbeatsMissedMax: options.heartbeatsMissedMax ?? 6,
    startMaxMs: options.startMaxMs ?? 30_000,
    onEvent: options.onEvent ?? ((event) => process.stderr.write(`${describeEvent(event)}\n`)),
  };
}

/**
 * Starts a runtime process and keeps it running. Call it on the main thread: the runtime is killed when the thread
 * that started it ends. Never throws: a process that cannot be started ends `not-started`.
 */
export function startSupervisor(options: SupervisorOptions): Supervisor {
  const resolved = resolve(options);
  const { onEvent } = resolved;
  const budget = createRestartBudget(resolved.restart);
  let restarts = 0;
  let stopping: 'no' | 'drain' | 'now' = 'no';
  let current: Run | null = null;
  let finish: (code: number) => void = () => {};
  const finished = new Promise<number>((settle) => {
    finish = settle;
  });

  function start(cause: RestartCause | null): void {
    current = startRun(resolved, cause, onEnd);
    onEvent({ kind: 'started', pid: current.pid, restarts });
  }

  function onEnd(pid: number, end: RuntimeEnd): void {
    current = null;
    onEvent({ kind: 'ended', pid, end });
    const verdict = stopping === 'no' ? budget.judge(end, performance.now()) : 'leave';
    switch (verdict) {
      case 'leave':
        conclude(end.code);
        break;
      case 'too-many':
        onEvent({
          kind: 'given-up',
          intensity: resolved.restart.intensity,
          periodMs: resolved.restart.periodMs,
          end,
        });
        conclude(givenUpExitCode);
        break;
      case 'restart':
        restarts++;
        onEvent({ kind: 'restarting', restarts });
        start({ restarts, sentence: end.sentence, report: end.report });
        break;
    }
  }

  function conclude(code: number): void {
    process.off('SIGTERM', onSignal);
    process.off('SIGINT', onSignal);
    finish(code);
  }

  function drain(): void {
    if (stopping !== 'no') return;
    stopping = 'drain';
    onEvent({ kind: 'stopping', how: 'drain' });
    current?.send({ kind: 'drain' });
  }

  function stopNow(): void {
    if (stopping === 'now') return;
    stopping = 'now';
    onEvent({ kind: 'stopping', how: 'now' });
    current?.stopNow();
  }

  function onSignal(): void {
    if (stopping === 'no') drain();
    else stopNow();
  }

  if (options.handlesSignals ?? true) {
    process.on('SIGTERM', onSignal);
    process.on('SIGINT', onSignal);
  }
  start(null);
  const close = async (): Promise<void> => {
    if (current !== null) stopNow();
    await finished;
  };
  return {
    finished,
    get runtimePid() {
      return current?.pid ?? 0;
    },
    drain,
    stopNow,
    close,
    [Symbol.asyncDispose]: close,
  };
}
