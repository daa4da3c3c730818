/** How commands end that could not do what they were asked for. */
import { CommanderError } from 'commander';
import { type ErrorCode, ShoalError } from '../model/index.ts';

/**
 * Exit statuses of the commands. 2 is a verdict: what was examined is wrong or does not fit. Whatever kept a command
 * from coming to one, a bad command line too, is 1.
 */
export const exitStatus = { done: 0, failed: 1, refused: 2 } as const;

/** An error as programs read it. */
interface ErrorReport {
  readonly code: ErrorCode;
  readonly message: string;
  readonly facts: Readonly<Record<string, unknown>>;
}

function describe(error: unknown): ErrorReport {
  if (error instanceof ShoalError) return { code: error.code, message: error.message, facts: error.facts };
  if (error instanceof CommanderError) {
    const message = error.message.replace(/^error: /, '');
    return { code: 'SHOAL_COMMAND_LINE', message, facts: { kind: error.code } };
  }
  const [message, stack] = error instanceof Error ? [error.message, error.stack] : [String(error), undefined];
  return { code: 'SHOAL_INTERNAL', message, facts: { stack } };
}

function textFor({ code, message, facts }: ErrorReport): string {
  // Every line of a profile error begins with its file.
  if (code === 'SHOAL_PROFILE_INVALID') return `${message}\n`;
  if (code !== 'SHOAL_INTERNAL') return `shoal: ${message}\n`;
  return `shoal: this is a mistake of Shoal itself, please report it.\n${facts.stack ?? message}\n`;
}

/**
 * Writes an error to standard error, for people or as one line of JSON, and answers the exit status. A stack trace is for
 * bugs of ours only.
 */
export function reportError(error: unknown, isJson: boolean): number {
  const isOfCommander = error instanceof CommanderError;
  if (isOfCommander && error.exitCode === 0) return exitStatus.done;
  const report = describe(error);
  if (isJson) process.stderr.write(`${JSON.stringify(report)}\n`);
  // Of a command line commander has told people by now, with the usage where that helps.
  else if (!isOfCommander) process.stderr.write(textFor(report));
  const isRefused = report.code === 'SHOAL_INVALID_APP' || report.code === 'SHOAL_APP_LOAD';
  return isRefused ? exitStatus.refused : exitStatus.failed;
}
