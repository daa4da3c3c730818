import { enosys, errnoNames } from './libc.ts';

/** How a native call ended: a value, because the world (rights, limits, the platform) decides, not the program. */
export type NativeResult =
  | { readonly isOk: true }
  | {
      readonly isOk: false;
      /** The error's symbolic name: `EPERM`, `EINVAL`, `ENOSYS`… */
      readonly code: string;
      /** A sentence: what was asked for, and why it was refused. */
      readonly detail: string;
    };

export const nativeOk: NativeResult = { isOk: true };

export function nativeFailure(code: string, detail: string): NativeResult {
  return { isOk: false, code, detail };
}

/** Name of an `errno` (of its negative too): `EMFILE`; `errno 71` where it has no name here. */
export function errnoName(errno: number): string {
  const positive = Math.abs(errno);
  return errnoNames[positive] ?? `errno ${positive}`;
}

/** The negative result that stands for "this platform cannot do it". */
export const notSupported: number = -enosys;
