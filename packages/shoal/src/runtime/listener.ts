/** The listener: an MSU type that accepts connections and steers them, on a thread that runs no user code. */
import { createServer, type Server } from 'node:net';
import {
  type Connection,
  connection,
  defineMsu,
  hashKey,
  type MsuType,
  markPlace,
  type Sends,
  sends,
} from '../model/index.ts';
import { detachConnection } from './connection.ts';
import { releaseConnection } from './connection-owner.ts';

/** Where a listener listens. */
export interface ListenerOptions {
  /** Name of the MSU type. */
  readonly name: string;
  /** Port to listen on; 0: any free one (it is logged). */
  readonly port: number;
  /** Address to listen on. Default 127.0.0.1: only this machine. */
  readonly host?: string;
  /** Connections the kernel keeps until they are accepted. Default 1,024. */
  readonly backlog?: number;
}

/** The type that {@link defineListener} makes. */
export type ListenerMsu = MsuType<Record<never, never>, { readonly connection: Sends<Connection> }>;

/**
 * Declares a listener. Its out-port `connection` sends every accepted connection to one instance of the connected
 * type, on the same process; the flow key is the client's address and port, the client key its address. A
 * connection that no instance takes is closed at once, and counted as refused.
 */
export function defineListener(options: ListenerOptions): ListenerMsu {
  const host = options.host ?? '127.0.0.1';
  const listener = defineMsu({
    name: options.name,
    state: 'pinned',
    execution: 'async',
    instances: { initial: 1, min: 1, max: 1 },
    resources: ['descriptors'],
    out: { connection: sends(connection()) },
    async create(context) {
      const server = createServer({ pauseOnConnect: true }, (socket) => {
        const detachment = detachConnection(socket);
        if (detachment.kind !== 'detached') {
          context.count(detachment.kind);
          return;
        }
        const detached = detachment.connection;
        context.work(1);
        const accepted = context.out.connection.send(detached, {
          flowKey: hashKey(`${detached.remoteAddress}:${detached.remotePort}`),
          clientKey: hashKey(detached.remoteAddress),
        });
        if (accepted !== 'accepted') releaseConnection(detached);
      });
      await listen(server, options.port, host, options.backlog ?? 1_024);
      const address = server.address();
      const port = typeof address === 'object' && address !== null ? address.port : options.port;
      context.log('info', `listening on ${host}:${port}`, { host, port });
      const close = (): Promise<void> => new Promise((resolve) => server.close(() => resolve()));
      return {
        onDrain: close,
        onClose: async () => {
          if (server.listening) await close();
        },
      };
    },
  });
  return markPlace(listener, defineListener);
}

function listen(server: Server, port: number, host: string, backlog: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, backlog, () => {
      server.off('error', reject);
      // A later error of the server (too many open files, say) must not end the thread.
      server.on('error', () => {});
      resolve();
    });
  });
}
