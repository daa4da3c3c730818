/** Where something was declared: in an app module, or in a deployment file. For error messages alone. */

/** A position in a file; lines and columns count from 1. An unknown place has the file `''` and zeros. */
export interface Place {
  /** Absolute path, or the name under which the file was given. */
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** The place of what was not declared through `defineMsu`, `connect` or `defineApp`. */
export const unknownPlace: Place = { file: '', line: 0, column: 0 };

// Registered: an app may have loaded another copy of this module than the command that checks it.
const definedAt: unique symbol = Symbol.for('shoal.definedAt');

interface Mark {
  readonly stack?: string;
}

/**
 * Notes on `made`, invisibly (not enumerable), where the function `below` was called. Costs a few microseconds: V8
 * keeps the frames, and makes text of them only when {@link placeOf} asks. A later mark replaces an earlier one: a
 * function that declares for its caller marks what it made once more.
 */
export function markPlace<T extends object>(made: T, below: (...args: never[]) => unknown): T {
  const mark: Mark = {};
  Error.captureStackTrace(mark, below);
  Object.defineProperty(made, definedAt, { value: mark, configurable: true });
  return made;
}

/** Gives `copy` the place of `made`. */
export function copyPlace<T extends object>(made: object, copy: T): T {
  const mark = (made as { [definedAt]?: Mark })[definedAt];
  if (mark !== undefined) Object.defineProperty(copy, definedAt, { value: mark });
  return copy;
}

/** Where `made` was declared, or {@link unknownPlace}. */
export function placeOf(made: unknown): Place {
  if (typeof made !== 'object' || made === null) return unknownPlace;
  const mark = (made as { [definedAt]?: Mark })[definedAt];
  return mark === undefined ? unknownPlace : (parseStackPlace(mark.stack ?? '') ?? unknownPlace);
}

/** The place of the first frame of a stack that is in a file; null where there is none (`node:` frames are not). */
export function parseStackPlace(stack: string): Place | null {
  for (const line of stack.split('\n')) {
    const frame = /^\s+at (?:.*?\()?((?:file:\/\/|\/|[A-Za-z]:[\\/]).*?):(\d+):(\d+)\)?$/.exec(line);
    if (frame === null) continue;
    return { file: pathOf(frame[1] ?? ''), line: Number(frame[2]), column: Number(frame[3]) };
  }
  return null;
}

function pathOf(file: string): string {
  if (!file.startsWith('file://')) return file;
  const path = file.slice('file://'.length).replace(/[?#].*$/, '');
  try {
    return decodeURIComponent(path).replace(/^\/([A-Za-z]:)/, '$1');
  } catch {
    return path;
  }
}
