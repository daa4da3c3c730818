/** The checks that several validation steps share. Each reports at most what it is named for. */
import { describeRule, meetsRule, type NumberRule } from '../number-rule.ts';
import type { Place } from '../place.ts';
import { type AddProblem, orList, show } from '../problem.ts';
import { suggest } from './names.ts';

/** True for objects that are not lists. */
export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Reports a number that its rule does not allow; absent ones have their default. */
export function checkNumber(
  where: Place,
  subject: string,
  name: string,
  value: unknown,
  rule: NumberRule,
  add: AddProblem,
): void {
  if (value === undefined || meetsRule(value, rule)) return;
  add(where, `${subject}: ${name} is ${show(value)}`, `Give ${describeRule(rule)}`);
}

/** Reports a value that is not among the choices; an absent one has its default. */
export function checkChoice(
  where: Place,
  subject: string,
  name: string,
  value: unknown,
  choices: readonly string[],
  add: AddProblem,
): void {
  if (value === undefined || choices.includes(value as string)) return;
  const mend =
    typeof value === 'string'
      ? suggest(value, choices, '')
      : `Use ${orList(choices.map((choice) => `"${choice}"`))}`;
  add(where, `${subject}: ${name} is ${show(value)}`, mend);
}

/** Reports unknown keys. False (and reported) if `value` is not an object of options. */
export function checkKeys(
  where: Place,
  subject: string,
  value: unknown,
  known: readonly string[],
  add: AddProblem,
): value is Readonly<Record<string, unknown>> {
  if (!isRecord(value)) {
    add(where, `${subject} is ${show(value)}`, 'Give an object of options');
    return false;
  }
  for (const key of Object.keys(value)) {
    if (known.includes(key)) continue;
    add(where, `${subject} has an unknown option "${key}"`, suggest(key, known, 'Remove it'));
  }
  return true;
}

/** Reports what is not a list of distinct names. */
export function checkNames(
  where: Place,
  subject: string,
  name: string,
  value: unknown,
  add: AddProblem,
): void {
  if (value === undefined) return;
  if (!Array.isArray(value) || value.some((item) => typeof item !== 'string' || item === '')) {
    add(where, `${subject}: ${name} is not a list of names`, `Give a list of strings, or leave ${name} out`);
    return;
  }
  const twice = value.find((item, index) => value.indexOf(item) !== index);
  if (twice !== undefined) add(where, `${subject}: ${name} names "${twice}" twice`, 'Name it once');
}
