/** How a runtime process ended, from what can be seen from outside; pure. */
import * as os from 'node:os';
import type { LastReport } from './messages.ts';

export interface RuntimeEnd {
  readonly kind: /** Exit code 0. */
    | 'finished'
    /** It ended itself with another exit code. */
    | 'failed'
    /** The JavaScript heap is full, or a single table in it (a growing `Map`): V8 aborts the process. */
    | 'heap-overflow'
    /** SIGABRT and the like without a word about the heap. */
    | 'aborted'
    /** A signal from outside, or the system's own (out of memory: SIGKILL). */
    | 'killed'
    /** The supervisor killed it, because its agent gave no heartbeat. */
    | 'hung'
    /** The supervisor killed it, because it asked for that. */
    | 'gave-up'
    /** It could not be started. */
    | 'not-started';
  /** Exit code as a shell shows it: 128 + the signal's number. */
  readonly code: number;
  /** Empty: none. */
  readonly signal: string;
  readonly report: LastReport | null;
  /** For people. */
  readonly sentence: string;
}

/** What the supervisor has seen. */
export interface Observed {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** The end of what the process wrote to its error output. */
  readonly stderrTail: string;
  readonly report: LastReport | null;
  /** Why the supervisor itself killed it; `null`: it did not. */
  readonly killedFor: 'hung' | 'gave-up' | null;
  /** How long no heartbeat had come, where that is why. */
  readonly silentMs: number;
  /** Why it could not be started; empty: it was. */
  readonly startError: string;
}

const heapWords =
  /JavaScript heap out of memory|Reached heap limit|invalid (?:table|array) (?:size|length) Allocation/;
const abortSignals: ReadonlySet<string> = new Set([
  'SIGABRT',
  'SIGILL',
  'SIGTRAP',
  'SIGSEGV',
  'SIGBUS',
  'SIGFPE',
]);
/** Exit codes of a shell or container runtime in between that stand for SIGABRT and SIGTRAP. */
const abortCodes: ReadonlySet<number> = new Set([133, 134]);

export function classifyEnd(seen: Observed): RuntimeEnd {
  const signal = seen.signal ?? '';
  const code = seen.code ?? 128 + (os.constants.signals[signal as NodeJS.Signals] ?? 0);
  const kind = kindOf(seen, signal, code);
  return { kind, code, signal, report: seen.report, sentence: describe(kind, seen, signal, code) };
}

function kindOf(seen: Observed, signal: string, code: number): RuntimeEnd['kind'] {
  if (seen.startError !== '') return 'not-started';
  if (seen.killedFor !== null) return seen.killedFor;
  const isAbort = abortSignals.has(signal) || abortCodes.has(code);
  if (isAbort) return heapWords.test(seen.stderrTail) ? 'heap-overflow' : 'aborted';
  if (signal !== '') return 'killed';
  return code === 0 ? 'finished' : 'failed';
}

function describe(kind: RuntimeEnd['kind'], seen: Observed, signal: string, code: number): string {
  const how = signal === '' ? `exit code ${code}` : signal;
  return `${whatHappened(kind, seen, how)}${describeReport(seen.report)}`;
}

function whatHappened(kind: RuntimeEnd['kind'], seen: Observed, how: string): string {
  switch (kind) {
    case 'finished':
      return 'the runtime process ended by itself with exit code 0';
    case 'failed':
      return `the runtime process ended by itself with ${how}`;
    case 'heap-overflow':
      return `the runtime process ran out of JavaScript heap and was aborted (${how})`;
    case 'aborted':
      return `the runtime process was aborted (${how})`;
    case 'killed':
      return `the runtime process was killed (${how})`;
    case 'hung':
      return `the runtime process was killed because its agent had given no sign of life for ${Math.round(seen.silentMs)} ms`;
    case 'gave-up':
      return 'the runtime process was killed because it asked for it';
    case 'not-started':
      return `the runtime process could not be started: ${seen.startError}`;
  }
}

function describeReport(report: LastReport | null): string {
  if (report === null) return '';
  const who = report.msu === '' ? '' : `, MSU ${report.msu}, instance ${report.instanceId}`;
  const message = report.messageId === 0 ? '' : `, message ${report.messageId}`;
  return `; its last report: ${report.what}${who}${message}`;
}
