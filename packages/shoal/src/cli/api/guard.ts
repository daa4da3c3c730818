/** Who may talk to the control endpoint. Pure. */
import { createHash, timingSafeEqual } from 'node:crypto';

/** What of a request decides. */
export interface Credentials {
  readonly host: string | undefined;
  readonly origin: string | undefined;
  readonly authorization: string | undefined;
}

export type Refusal = { readonly status: 401 | 403; readonly message: string };

/**
 * True for the names of the loopback interface with the right port. A page that has rebound its own name to 127.0.0.1
 * reaches the port, but its requests bear that name.
 */
export function isOwnHost(host: string | undefined, port: number): boolean {
  return ['127.0.0.1', 'localhost', '[::1]'].some((name) => host?.toLowerCase() === `${name}:${port}`);
}

/** Compares in a time that does not depend on where the two differ, nor on their lengths. */
export function isSameSecret(given: string, secret: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(given), digest(secret));
}

/** Why a request is refused; null if it is not. `token` null: the path needs none. */
export function refusalOf(given: Credentials, port: number, token: string | null): Refusal | null {
  if (!isOwnHost(given.host, port)) {
    return { status: 403, message: 'The Host header does not name the loopback interface with this port.' };
  }
  if (given.origin !== undefined && !isOwnHost(given.origin.replace(/^http:\/\//, ''), port)) {
    return { status: 403, message: 'Pages of other origins may not use the control endpoint.' };
  }
  if (token === null) return null;
  const bearer = /^Bearer ([\w-]{1,256})$/.exec(given.authorization ?? '')?.[1];
  if (bearer !== undefined && isSameSecret(bearer, token)) return null;
  return { status: 401, message: 'A bearer token is needed: it is in the run file of the app.' };
}
