/**
 * Who owns the descriptor of a connection that travels as a message: the message, until an instance takes it.
 * What nobody took when its message ended is closed here.
 */
import type { Socket } from 'node:net';
import { type Connection, ShoalError } from '../model/index.ts';
import { attachConnection, discardConnection } from './connection.ts';

const taken = new WeakSet<object>();

/** Takes a connection out of its message, once. Null where the client has gone meanwhile. */
export function takeConnection(connection: Connection): Socket | null {
  if (taken.has(connection)) {
    throw new ShoalError(
      'SHOAL_BAD_CALL',
      'This connection was taken already: takeConnection is called once for each.',
    );
  }
  taken.add(connection);
  return attachConnection(connection);
}

/** Closes the connection of a message that has ended, unless an instance took it. */
export function releaseConnection(connection: Connection): void {
  if (!taken.has(connection)) discardConnection(connection);
}
