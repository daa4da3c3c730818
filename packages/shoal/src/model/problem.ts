/** A mistake in an app or its deployment: where, what, and how to mend it. */
import { ShoalError } from './errors.ts';
import type { Place } from './place.ts';

/** A mistake in an app or its deployment. */
export interface Problem {
  readonly where: Place;
  /** A sentence without its full stop. */
  readonly what: string;
  /** What to do: a sentence without its full stop. */
  readonly mend: string;
}

/** How validation steps report: called once for each mistake. */
export type AddProblem = (where: Place, what: string, mend: string) => void;

/** `file:line:column: what. Mend.` */
export function formatProblem(problem: Problem): string {
  const { file, line, column } = problem.where;
  const place = file === '' ? '' : line === 0 ? `${file}: ` : `${file}:${line}:${column}: `;
  return `${place}${problem.what}. ${problem.mend}${problem.mend.endsWith('?') ? '' : '.'}`;
}

/** In order of file, line and column; those without a place first. */
export function sortProblems(problems: readonly Problem[]): readonly Problem[] {
  return [...problems].sort(
    (a, b) =>
      (a.where.file < b.where.file ? -1 : a.where.file > b.where.file ? 1 : 0) ||
      a.where.line - b.where.line ||
      a.where.column - b.where.column,
  );
}

/** The error `SHOAL_INVALID_APP` that lists all problems; they are in `facts.problems`. */
export function invalidApp(problems: readonly Problem[]): ShoalError {
  const count = problems.length === 1 ? 'one mistake' : `${problems.length} mistakes`;
  const message = `The app or its deployment has ${count}:\n${problems.map((p) => `  ${formatProblem(p)}`).join('\n')}`;
  return new ShoalError('SHOAL_INVALID_APP', message, { problems });
}

/** A value as it is shown in a sentence. */
export function show(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.length > 60 ? `${value.slice(0, 57)}…` : value);
  if (typeof value === 'function') return 'a function';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object' && value !== null) return 'an object';
  return String(value);
}

/** "a", "a or b", "a, b or c". */
export function orList(names: readonly string[]): string {
  if (names.length < 2) return names.join('');
  return `${names.slice(0, -1).join(', ')} or ${names.at(-1)}`;
}

/** "a", "a and b", "a, b and c". */
export function andList(names: readonly string[]): string {
  if (names.length < 2) return names.join('');
  return `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`;
}
