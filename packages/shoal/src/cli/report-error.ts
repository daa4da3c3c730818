/** How commands end that could not do what they were asked for. */
import { CommanderError } from 'commander';
import { ShoalError } from '../model/index.ts';

/**
 * Exit statuses of the commands. 2 is a verdict: what was examined is wrong or does not fit. Whatever kept a command
 * from coming to one, a bad command line too, is 1.
 */
export const exitStatus = { done: 0, failed: 1, refused: 2 } as const;

/** Writes an error for people (or as JSON) and answers the exit status. A stack trace is for bugs of ours only. */
export function reportError(error: unknown, isJson: boolean): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? exitStatus.done : exitStatus.failed;
  if (!(error instanceof ShoalError)) {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    process.stderr.write(`shoal: this is a mistake of Shoal itself, please report it.\n${text}\n`);
    return exitStatus.failed;
  }
  const { code, message, facts } = error;
  if (isJson) process.stdout.write(`${JSON.stringify({ error: { code, message, ...facts } }, null, 2)}\n`);
  // Every line of a profile error begins with its file.
  else process.stderr.write(code === 'SHOAL_PROFILE_INVALID' ? `${message}\n` : `shoal: ${message}\n`);
  return code === 'SHOAL_INVALID_APP' || code === 'SHOAL_APP_LOAD' ? exitStatus.refused : exitStatus.failed;
}
