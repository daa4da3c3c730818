import { ShoalError } from '../model/index.ts';

/** One thing that is wrong with an input. */
export interface ProfileProblem {
  /** File, or whatever else the reader was told the text is. */
  readonly source: string;
  /** Line, from 1; absent when the problem is not in one place. */
  readonly line?: number;
  /** What is wrong and, after a colon or in a second sentence, how to mend it. */
  readonly message: string;
}

/**
 * Thrown when profiles, a network, a system or allotments cannot be read or do not fit together. It lists everything
 * that is wrong, each with its place and how to mend it.
 */
export class ProfileError extends ShoalError {
  override readonly name: string = 'ProfileError';
  /** Everything that is wrong, in the order of the input. */
  readonly problems: readonly ProfileProblem[];

  constructor(problems: readonly ProfileProblem[]) {
    super('SHOAL_PROFILE_INVALID', problems.map(describeProblem).join('\n'), { problems });
    this.problems = problems;
  }
}

/** `file:line: message`. */
export function describeProblem({ source, line, message }: ProfileProblem): string {
  return `${source}${line === undefined ? '' : `:${line}`}: ${message}`;
}
