import * as net from 'node:net';
import * as tls from 'node:tls';
import type { ResolvedLoadOptions } from './options.ts';
import type { Random } from './random.ts';
import { createResponseParser, type ParsedResponse, ResponseSyntaxError } from './response-parser.ts';

/** How the one request in progress on a connection ended. */
export type ExchangeEnd =
  | { readonly kind: 'response'; readonly response: ParsedResponse }
  | {
      readonly kind: 'broken';
      /** `ECONNRESET`, `ECONNREFUSED`, … or `CLOSED` when the peer simply ended the connection. */
      readonly code: string;
      /** Some bytes of the response had arrived. */
      readonly responseStarted: boolean;
    };

export interface ConnectionEvents {
  /** TCP and TLS are done. */
  opened(): void;
  /** The request in progress has ended. */
  ended(end: ExchangeEnd): void;
  /** The connection is gone (also after `destroy`). Told once, after `ended`. */
  closed(): void;
}

/** One client connection, which carries one request at a time. */
export interface Connection {
  /** Sends a request; at most one is in progress. Before the connection is open, the bytes wait. */
  send(bytes: Buffer): void;
  destroy(): void;
}

/** Opens connections to one server. */
export type Connect = (events: ConnectionEvents) => Connection;

/** Makes the function that opens connections; the TLS context is shared, sessions are not resumed. */
export function createConnector(
  target: Pick<ResolvedLoadOptions, 'host' | 'port' | 'tls' | 'localAddresses'>,
  random: Random,
): Connect {
  const { host, port, localAddresses, tls: options } = target;
  const plain = (): net.Socket => {
    const localAddress = localAddresses[random.integer(localAddresses.length)];
    return net.connect({
      ...{ host, port, noDelay: true, autoSelectFamily: false },
      ...(localAddress === undefined ? {} : { localAddress }),
    });
  };
  if (options === null) return (events) => new ClientConnection(plain(), 'connect', events);
  const secureContext = tls.createSecureContext({
    ...(options.ca === undefined ? {} : { ca: options.ca }),
    ...(options.maxVersion === undefined ? {} : { maxVersion: options.maxVersion }),
  });
  const serverName = options.serverName ?? host;
  const trusted = options.ca !== undefined;
  return (events) => {
    const socket = tls.connect({
      socket: plain(),
      secureContext,
      rejectUnauthorized: trusted,
      // SNI carries names only; an address is checked against the certificate all the same.
      ...(net.isIP(serverName) === 0 ? { servername: serverName } : {}),
      checkServerIdentity: (_, certificate) => tls.checkServerIdentity(serverName, certificate),
    });
    return new ClientConnection(socket, 'secureConnect', events);
  };
}

class ClientConnection implements Connection {
  readonly #socket: net.Socket;
  readonly #events: ConnectionEvents;
  readonly #parser = createResponseParser();
  #busy = false;

  constructor(socket: net.Socket, openEvent: 'connect' | 'secureConnect', events: ConnectionEvents) {
    this.#socket = socket;
    this.#events = events;
    socket.once(openEvent, () => events.opened());
    socket.on('data', (bytes: Buffer) => this.#onData(bytes));
    socket.on('end', () => {
      const response = this.#parser.end();
      this.#end(
        response === undefined
          ? { kind: 'broken', code: 'CLOSED', responseStarted: this.#parser.started }
          : { kind: 'response', response },
      );
      socket.destroy();
    });
    socket.on('error', (error: NodeJS.ErrnoException) => this.#break(error.code ?? 'TLS'));
    socket.once('close', () => {
      this.#break('CLOSED');
      events.closed();
    });
  }

  send(bytes: Buffer): void {
    this.#busy = true;
    this.#socket.write(bytes);
  }

  destroy(): void {
    this.#busy = false;
    this.#socket.destroy();
  }

  #onData(bytes: Buffer): void {
    // Bytes nobody asked for (a 408 to an idle connection, say) end the connection.
    if (!this.#busy) {
      this.#socket.destroy();
      return;
    }
    try {
      const response = this.#parser.push(bytes);
      if (response !== undefined) this.#end({ kind: 'response', response });
    } catch (error) {
      if (!(error instanceof ResponseSyntaxError)) throw error;
      this.#break(error.code);
      this.#socket.destroy();
    }
  }

  #break(code: string): void {
    this.#end({ kind: 'broken', code, responseStarted: this.#parser.started });
  }

  #end(end: ExchangeEnd): void {
    if (!this.#busy) return;
    this.#busy = false;
    this.#events.ended(end);
  }
}
