/** The runtime's side: called once, early, on the main thread of the process that a supervisor started. */
import { killWithParent } from '../native/index.ts';
import {
  asSupervisorMessage,
  type LastReport,
  type RestartCause,
  type RuntimeMessage,
  type Supervised,
  supervisedVariable,
} from './messages.ts';

export interface SupervisorLink {
  /** Why this process was started again; `null`: it is the first. */
  readonly cause: RestartCause | null;
  /** Tells what is going on, in case it is the last that is heard of this process. */
  report(report: LastReport): void;
  /** Ends this process at once, stuck threads and all, and tells the supervisor why. */
  die(report: LastReport): void;
  /** Stops heartbeats and lets go of the channel; for a process that is about to exit. */
  close(): void;
}

export interface SupervisorOrders {
  /** End what runs, then exit with code 0. Comes once. */
  onDrain(): void;
  /** Exit now. Default: `process.exit(1)`. */
  onStopNow?(): void;
}

/** Milliseconds that the last words may take to be sent before the process kills itself. */
const lastWordsMaxMs = 50;
/** Between two looks at whether the parent still is the supervisor, where the kernel does not see to it. */
const orphanCheckMs = 1_000;

/**
 * Joins the supervisor that started this process: heartbeats, orders, and an end when the supervisor is gone.
 * `null` if this process is not supervised. From now on SIGTERM and SIGINT are the supervisor's business (a
 * terminal sends them to both): here they only drain.
 */
export function joinSupervisor(orders: SupervisorOrders): SupervisorLink | null {
  const supervised = takeSupervised();
  if (supervised === null) return null;
  // The kernel ends this process with its parent even if the event loop is stuck; the rest is for other systems.
  killWithParent();
  const dieIfOrphaned = (): void => {
    if (process.ppid !== supervised.supervisorPid) process.kill(process.pid, 'SIGKILL');
  };
  dieIfOrphaned();

  let isDraining = false;
  const drain = (): void => {
    if (isDraining) return;
    isDraining = true;
    orders.onDrain();
  };
  const send = (message: RuntimeMessage, onSent?: () => void): void => {
    // Failing to send means that the supervisor is gone, which `disconnect` tells.
    if (process.connected) process.send?.(message, undefined, {}, () => onSent?.());
  };
  const onMessage = (value: unknown): void => {
    const message = asSupervisorMessage(value);
    if (message === null) return;
    switch (message.kind) {
      case 'drain':
        drain();
        break;
      case 'stop-now':
        if (orders.onStopNow === undefined) process.exit(1);
        else orders.onStopNow();
        break;
    }
  };
  const onDisconnect = (): void => {
    process.kill(process.pid, 'SIGKILL');
  };
  process.on('message', onMessage);
  process.on('disconnect', onDisconnect);
  process.on('SIGTERM', drain);
  process.on('SIGINT', drain);
  // The link must not keep a process alive that has nothing left to do.
  process.channel?.unref();
  const orphanCheck = setInterval(dieIfOrphaned, orphanCheckMs);
  orphanCheck.unref();
  const heartbeat =
    supervised.heartbeatMs > 0
      ? setInterval(() => send({ kind: 'heartbeat' }), supervised.heartbeatMs)
      : undefined;
  heartbeat?.unref();
  send({ kind: 'heartbeat' });

  return {
    cause: supervised.cause,
    report: (report) => send({ kind: 'last-report', report }),
    die: (report) => {
      const end = (): void => {
        process.kill(process.pid, 'SIGKILL');
      };
      // Not `process.exit`, which waits for threads that cannot be stopped.
      send({ kind: 'kill-me', report }, end);
      setTimeout(end, lastWordsMaxMs);
    },
    close: () => {
      clearInterval(heartbeat);
      clearInterval(orphanCheck);
      process.off('message', onMessage);
      process.off('disconnect', onDisconnect);
      process.off('SIGTERM', drain);
      process.off('SIGINT', drain);
    },
  };
}

/** Reads the variable and removes it: processes that this one starts are not supervised. */
function takeSupervised(): Supervised | null {
  const text = process.env[supervisedVariable];
  delete process.env[supervisedVariable];
  if (text === undefined || process.send === undefined) return null;
  return JSON.parse(text) as Supervised;
}
