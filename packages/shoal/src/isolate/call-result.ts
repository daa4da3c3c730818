/**
 * What a call comes to on the function's thread, as it is carried back. That the function threw is an answer of its
 * like any other: it is carried whole, with its stack, for which a failed message has no room.
 */
import { inspect } from 'node:util';

/** What was thrown: plain data. */
export interface Thrown {
  readonly name: string;
  readonly message: string;
  /** The frames of the user's code; empty for what is not an error. */
  readonly stack: string;
  /** Codes are strings (Node's) or numbers; null: it has none. */
  readonly code: string | number | null;
}

/** One element: the value. Two: what was thrown. */
export type CallResult = readonly [value: unknown] | readonly [value: null, thrown: Thrown];

/** Characters of a message, and of a stack, that travel. */
const textMax = 8_192;

/** `ownModule`: URL of the module that called the function; a stack is cut where it comes to it. */
export function describeThrown(error: unknown, ownModule: string): Thrown {
  if (!(error instanceof Error)) {
    const message = typeof error === 'string' ? error : inspect(error);
    return { name: 'Error', message: message.slice(0, textMax), stack: '', code: null };
  }
  const { code } = error as { code?: unknown };
  const frames = String(error.stack).split('\n');
  const own = frames.findIndex((line) => line.includes(ownModule));
  return {
    name: String(error.name),
    message: String(error.message).slice(0, textMax),
    stack: (own === -1 ? frames : frames.slice(0, own)).join('\n').slice(0, textMax),
    code: typeof code === 'string' || typeof code === 'number' ? code : null,
  };
}

/** An error as it was thrown, but for its class and its other properties. */
export function errorOf({ name, message, stack, code }: Thrown): Error {
  const error = new Error(message);
  error.name = name;
  if (stack !== '') error.stack = stack;
  return code === null ? error : Object.assign(error, { code });
}
