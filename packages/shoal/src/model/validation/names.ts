import { nearestName } from '../nearest-name.ts';
import { orList } from '../problem.ts';

/** Characters of the longest name of a type, port, timer, thread, process or machine. */
export const nameMaxCharacters = 64;

/** True for a name of a type, thread, process, machine or group: letters, digits and `-`, a letter first. */
export function isName(name: unknown): name is string {
  return typeof name === 'string' && name.length <= nameMaxCharacters && /^[A-Za-z][A-Za-z0-9-]*$/.test(name);
}

/** True for a name of a port or timer: an identifier, because handlers are methods of that name. */
export function isPortName(name: string): boolean {
  return name.length <= nameMaxCharacters && /^[A-Za-z_$][A-Za-z0-9_$]*$/.test(name);
}

export const nameMend: string = `Use letters, digits and "-", a letter first, at most ${nameMaxCharacters} characters`;

/** "did you mean "x"?", or what there is to choose from, or `otherwise`. */
export function suggest(given: string, known: readonly string[], otherwise: string): string {
  const nearest = nearestName(given, known);
  if (nearest !== null) return `Did you mean "${nearest}"?`;
  if (known.length === 0 || known.length > 12) return otherwise;
  return `Use ${orList(known.map((name) => `"${name}"`))}`;
}
