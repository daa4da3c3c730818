/** What supervisor and runtime process say to each other over Node's IPC channel: all of it. */

/** What a runtime knows of its own end, told before it comes. */
export interface LastReport {
  /** A sentence: why the process must go. */
  readonly what: string;
  /** The MSU type and the instance that were being served; '' and 0: not known. */
  readonly msu: string;
  readonly instanceId: number;
  /** The message that was being handled; 0: not known. */
  readonly messageId: number;
}

export type RuntimeMessage =
  /** The agent's event loop turns. */
  | { readonly kind: 'heartbeat' }
  /** Kept by the supervisor until the process ends: the newest one tells why. */
  | { readonly kind: 'last-report'; readonly report: LastReport }
  /** A thread cannot be ended from inside: SIGKILL this process, and start another. */
  | { readonly kind: 'kill-me'; readonly report: LastReport };

export type SupervisorMessage =
  /** End what runs, then exit. May come more than once. */
  | { readonly kind: 'drain' }
  /** Exit now; SIGKILL follows. */
  | { readonly kind: 'stop-now' };

/** Why and how often a process has been started again. Passed in the environment, so that it is known at once. */
export interface RestartCause {
  /** Restarts since the supervisor started. */
  readonly restarts: number;
  /** Why the one before ended. */
  readonly sentence: string;
  readonly report: LastReport | null;
}

/** Environment variable that makes a process a supervised one; JSON of {@link Supervised}. */
export const supervisedVariable = 'SHOAL_SUPERVISED';

export interface Supervised {
  readonly supervisorPid: number;
  readonly heartbeatMs: number;
  readonly cause: RestartCause | null;
}

/** The message if it is one; the channel is open to whatever else the program sends. */
export function asRuntimeMessage(value: unknown): RuntimeMessage | null {
  if (typeof value !== 'object' || value === null) return null;
  const { kind, report } = value as { kind?: unknown; report?: unknown };
  if (kind === 'heartbeat') return { kind };
  if ((kind === 'last-report' || kind === 'kill-me') && isReport(report)) return { kind, report };
  return null;
}

export function asSupervisorMessage(value: unknown): SupervisorMessage | null {
  if (typeof value !== 'object' || value === null) return null;
  const { kind } = value as { kind?: unknown };
  return kind === 'drain' || kind === 'stop-now' ? { kind } : null;
}

function isReport(value: unknown): value is LastReport {
  if (typeof value !== 'object' || value === null) return false;
  const { what, msu, instanceId, messageId } = value as Partial<Record<keyof LastReport, unknown>>;
  return (
    typeof what === 'string' &&
    typeof msu === 'string' &&
    typeof instanceId === 'number' &&
    typeof messageId === 'number'
  );
}
