/**
 * Hands an accepted TCP connection from the thread that accepted it to the thread that serves it, as a descriptor.
 *
 *   acceptor thread                        serving thread
 *   net.createServer({pauseOnConnect})
 *     socket ── detachConnection ──► Connection ── (a message) ──► attachConnection ──► net.Socket
 *       │ duplicate the descriptor         descriptor, inode, addresses
 *       └ destroy the socket
 *
 * I1. Between the two calls nobody reads the connection: what the client sends waits in the kernel.
 * I2. A detached connection has exactly one descriptor, and one owner: whoever holds the `Connection` must attach
 *     it or call `discardConnection`, once.
 */
import * as net from 'node:net';
import type { Connection } from '../model/index.ts';
import { closeDescriptor, descriptorInode, duplicateDescriptor, errnoName } from './native/index.ts';

export type Detachment =
  | { readonly kind: 'detached'; readonly connection: Connection }
  /** The socket was closed already. */
  | { readonly kind: 'gone' }
  /** No descriptor could be had (`EMFILE`: the limit is reached); the client sees its connection closed. */
  | { readonly kind: 'refused'; readonly code: string };

/**
 * Takes an accepted connection out of this thread. The socket is destroyed in every case, so that the server that
 * accepted it does not count it any more and can close. The socket must not have been read: the server has
 * `pauseOnConnect: true`.
 */
export function detachConnection(socket: net.Socket): Detachment {
  // Node's only way to a socket's descriptor, kept through every version (cluster and test code rely on it).
  const fd = (socket as { _handle?: { fd?: number } | null })._handle?.fd ?? -1;
  if (fd < 0) {
    socket.destroy();
    return { kind: 'gone' };
  }
  const copy = duplicateDescriptor(fd);
  const addresses = {
    remoteAddress: socket.remoteAddress ?? '',
    remotePort: socket.remotePort ?? 0,
    localAddress: socket.localAddress ?? '',
    localPort: socket.localPort ?? 0,
  };
  // Not `socket._handle.close()`: the server would count the connection for ever.
  socket.destroy();
  if (copy < 0) return { kind: 'refused', code: errnoName(copy) };
  return { kind: 'detached', connection: { descriptor: copy, inode: descriptorInode(copy), ...addresses } };
}

/** Options of {@link attachConnection}. */
export interface AttachOptions {
  /** Keep the write side open when the client has ended its side. Default false, as in `net.Socket`. */
  readonly allowHalfOpen?: boolean;
}

/**
 * A socket of this thread for a detached connection. It behaves as one that was accepted here, and can be given to
 * an unlistened `tls.Server` or `http.Server` by `server.emit('connection', socket)`. `null` if the descriptor is
 * no longer this connection (its owner was cleaned up after): nothing is closed then. It can also be `null` because
 * the system refuses to watch the descriptor (out of kernel memory): the connection is closed then.
 */
export function attachConnection(connection: Connection, options: AttachOptions = {}): net.Socket | null {
  if (descriptorInode(connection.descriptor) !== connection.inode) return null;
  let socket: net.Socket;
  try {
    socket = new net.Socket({
      fd: connection.descriptor,
      readable: true,
      writable: true,
      allowHalfOpen: options.allowHalfOpen ?? false,
    });
  } catch {
    discardConnection(connection);
    return null;
  }
  // The kernel forgets the address of a client that has gone; what was known when it was accepted stays true.
  const family = net.isIPv6(connection.remoteAddress) ? 'IPv6' : 'IPv4';
  if (connection.remoteAddress !== '') {
    Object.defineProperties(socket, {
      remoteAddress: { value: connection.remoteAddress },
      remotePort: { value: connection.remotePort },
      remoteFamily: { value: family },
    });
  }
  return socket;
}

/** Closes a detached connection that nobody is going to attach. */
export function discardConnection(connection: Connection): void {
  if (descriptorInode(connection.descriptor) === connection.inode) closeDescriptor(connection.descriptor);
}
