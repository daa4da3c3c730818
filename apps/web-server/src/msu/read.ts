/**
 * **read**: takes accepted connections, does the TLS handshakes, and relays plaintext to the http MSU. Pinned: the
 * sockets and their TLS sessions live here.
 *
 * A handshake costs a hundred times what a request costs, and OpenSSL does it outside of any handler. So their
 * number in progress is bounded, what waits counts as queue, and every one that ends counts as an item of work:
 * that is how a flood of them shows in the figures, and why this part can be cloned by itself. A handshake begins
 * with the client's first byte: connections that say nothing are no work, and have a bound of their own.
 */
import { createSecureContext, type SecureContext, TLSSocket } from 'node:tls';
import {
  type Connection,
  connection,
  defineMsu,
  type Key,
  type MsuContext,
  type MsuType,
  type Receives,
  receives,
  type Sends,
  sends,
} from 'shoal';
import { busyResponse, encodeResponse } from '../http/response.ts';
import { holder, SecureConnection } from '../http/secure-connection.ts';
import { SweepClock, type WebLimits } from '../limits.ts';
import type { WebSettings } from '../settings.ts';
import {
  type Credentials,
  certificateCheckMs,
  readCredentials,
  watchCredentials,
} from '../tls/credentials.ts';
import {
  type ClientMessage,
  type ControlMessage,
  clientEvent,
  clientMessage,
  connectionKey,
  controlAction,
  controlMessage,
} from './messages.ts';
import { type KeyedOptions, Outbox } from './outbox.ts';
import { threadConnections, threadWriters } from './thread-connections.ts';

/** A connection from the moment it is taken to the end of its handshake: silent, then perhaps waiting, then in progress. */
interface Handshake {
  readonly socket: import('node:net').Socket;
  readonly clientKey: Key;
  readonly sinceMs: number;
  /** When it began; 0: it has not. */
  begunMs: number;
  /** It is one of the bounded number. */
  hasPlace: boolean;
}

/** A connection after its handshake. */
interface Client {
  readonly connection: SecureConnection;
  readonly options: KeyedOptions;
  sequence: number;
}

const noBytes = Buffer.alloc(0);

type ReadOut = { readonly http: Sends<ClientMessage> };
type ReadTimers = { readonly sweep: { periodMs: number }; readonly certificate: { periodMs: number } };
export type ReadMsu = MsuType<
  { readonly connections: Receives<Connection>; readonly control: Receives<ControlMessage> },
  ReadOut,
  ReadTimers
>;

/** What one read instance holds. */
class Reader {
  readonly #context: MsuContext<ReadOut, ReadTimers>;
  readonly #limits: WebLimits;
  readonly #busy: Buffer;
  readonly #clock: SweepClock;
  readonly #outbox: Outbox<ClientMessage>;
  readonly #clients = new Map<Key, Client>();
  /** Not a byte has come. Oldest first. */
  readonly #silent = new Set<Handshake>();
  /** Those that have spoken and wait for their turn, in that order. */
  readonly #waiting = new Set<Handshake>();
  /** In progress, with a place or, when the client has let its turn pass, without. */
  readonly #handshakes = new Map<TLSSocket, Handshake>();
  #placesTaken = 0;
  #secureContext: SecureContext;
  #serial = 0;
  #isDraining = false;
  #onEmpty: (() => void) | null = null;

  constructor(context: MsuContext<ReadOut, ReadTimers>, settings: WebSettings, credentials: Credentials) {
    this.#context = context;
    this.#limits = settings.limits;
    this.#busy = encodeResponse(busyResponse('too busy at the moment', settings.retryAfterSeconds), {
      isKeepAlive: false,
      isHead: false,
    });
    this.#clock = new SweepClock(context.now(), settings.limits);
    this.#secureContext = createSecureContext(credentials);
    this.#outbox = new Outbox(context.out.http, {
      onWaiting: (key, isWaiting) => this.#clients.get(key)?.connection.hold(holder.forwarding, isWaiting),
      // Nobody serves this connection (any more): tell the client, if it can still be told.
      onLost: (_message, key) => this.#clients.get(key)?.connection.transmit(this.#busy, true),
    });
  }

  use(credentials: Credentials): void {
    this.#secureContext = createSecureContext(credentials);
  }

  take(accepted: Connection, clientKey: Key): void {
    const socket = this.#context.takeConnection(accepted);
    if (socket === null) return;
    const handshake: Handshake = {
      socket,
      clientKey,
      sinceMs: this.#clock.nowMs,
      begunMs: 0,
      hasPlace: false,
    };
    this.#context.use('descriptors', 1);
    socket.once('close', () => {
      this.#context.use('descriptors', -1);
      this.#forget(handshake);
      this.#checkEmpty();
    });
    socket.on('error', () => undefined);
    socket.setNoDelay(true);
    // The oldest has had the longest time to speak: a flood of silent ones does not lock out those that do.
    const [oldest] = this.#silent;
    if (oldest !== undefined && this.#silent.size >= this.#limits.silentMax) this.#refuse(oldest);
    this.#silent.add(handshake);
    socket.once('readable', () => this.#hear(handshake));
  }

  /** What the http MSU asks of a connection. */
  control(key: Key, { action, bytes }: ControlMessage): void {
    const held = this.#clients.get(key)?.connection;
    switch (action) {
      case controlAction.hold:
        return held?.hold(holder.session, true);
      case controlAction.release:
        return held?.hold(holder.session, false);
      case controlAction.transmit:
        return held?.transmit(bytes ?? noBytes, false);
      case controlAction.transmitLast:
        return held?.transmit(bytes ?? noBytes, true);
      default:
        return held?.destroy();
    }
  }

  sweep(): void {
    this.#clock.advance(this.#context.now());
    const before = this.#clock.nowMs - this.#limits.handshakeTimeoutMs;
    const turnBefore = this.#clock.nowMs - this.#limits.handshakeTurnMs;
    for (const [socket, handshake] of this.#handshakes) {
      if (handshake.sinceMs <= before) socket.destroy();
      // What it costs us is done, or has not been asked for: a client that stops half-way holds nobody up.
      else if (handshake.begunMs <= turnBefore) this.#leavePlace(handshake);
    }
    for (const handshake of this.#waiting) if (handshake.sinceMs <= before) this.#drop(handshake);
    for (const handshake of this.#silent) {
      if (handshake.sinceMs > before) break;
      this.#drop(handshake);
    }
    this.#beginNext();
    for (const { connection: held } of this.#clients.values()) held.sweep();
  }

  /** Resolves when the last connection has ended. Silent ones have asked for nothing: they are closed at the end. */
  drain(): Promise<void> {
    this.#isDraining = true;
    for (const client of this.#clients.values()) this.#tell(client, clientEvent.drain);
    return new Promise((resolve) => {
      this.#onEmpty = resolve;
      this.#checkEmpty();
    });
  }

  close(): void {
    for (const handshake of [...this.#silent, ...this.#waiting]) this.#drop(handshake);
    for (const socket of this.#handshakes.keys()) socket.destroy();
    for (const { connection: held } of this.#clients.values()) held.destroy();
  }

  /** The first bytes of a connection have come, and stay in its socket, where TLSSocket takes them from. Or its end has. */
  #hear(handshake: Handshake): void {
    this.#silent.delete(handshake);
    if (handshake.socket.readableLength === 0) handshake.socket.destroy();
    else if (this.#placesTaken < this.#limits.handshakesMax) this.#begin(handshake);
    else if (this.#waiting.size < this.#limits.handshakesWaitingMax) {
      this.#waiting.add(handshake);
      this.#context.waiting(1);
    } else this.#refuse(handshake);
  }

  #begin(handshake: Handshake): void {
    handshake.begunMs = this.#clock.nowMs;
    handshake.hasPlace = true;
    this.#placesTaken += 1;
    // A client that has sent its last request still gets its answers. TLSSocket takes this from the socket below.
    handshake.socket.allowHalfOpen = true;
    const socket = new TLSSocket(handshake.socket, { isServer: true, secureContext: this.#secureContext });
    this.#handshakes.set(socket, handshake);
    let isOver = false;
    const end = (): void => {
      if (isOver) return;
      isOver = true;
      this.#handshakes.delete(socket);
      this.#leavePlace(handshake);
      // Good or bad, it has cost what a handshake costs.
      this.#context.work(1);
    };
    socket.once('secure', () => {
      end();
      this.#serve(socket, handshake.clientKey);
      this.#beginNext();
    });
    socket.on('error', () => undefined);
    // A client that goes in the middle of its handshake leaves its place to the next. Without flow the end is not seen.
    socket.once('end', () => {
      if (!isOver) socket.destroy();
    });
    socket.resume();
    socket.once('close', () => {
      if (isOver) return;
      end();
      this.#beginNext();
    });
  }

  #beginNext(): void {
    for (const handshake of this.#waiting) {
      if (this.#placesTaken >= this.#limits.handshakesMax) return;
      this.#forget(handshake);
      if (!handshake.socket.destroyed) this.#begin(handshake);
    }
    this.#checkEmpty();
  }

  #leavePlace(handshake: Handshake): void {
    if (!handshake.hasPlace) return;
    handshake.hasPlace = false;
    this.#placesTaken -= 1;
  }

  #refuse(handshake: Handshake): void {
    this.#context.count('refused');
    this.#drop(handshake);
  }

  /** Closes a connection whose handshake has not begun. */
  #drop(handshake: Handshake): void {
    this.#forget(handshake);
    handshake.socket.destroy();
  }

  #forget(handshake: Handshake): void {
    this.#silent.delete(handshake);
    if (this.#waiting.delete(handshake)) this.#context.waiting(-1);
  }

  #serve(socket: TLSSocket, clientKey: Key): void {
    const key = this.#freeKey();
    const held = new SecureConnection(socket, this.#limits, this.#clock, {
      onBytes: (bytes) => this.#tell(client, clientEvent.bytes, bytes),
      onEnd: () => this.#tell(client, clientEvent.end),
      onClosed: () => {
        this.#clients.delete(key);
        threadConnections.delete(key);
        this.#tell(client, clientEvent.closed);
        this.#checkEmpty();
      },
    });
    const client: Client = { connection: held, options: { flowKey: key, clientKey }, sequence: 0 };
    this.#clients.set(key, client);
    threadConnections.set(key, held);
    if (this.#isDraining) this.#tell(client, clientEvent.drain);
  }

  /** Descriptors bound the connections, so there is one. */
  #freeKey(): Key {
    for (;;) {
      const key = connectionKey(this.#context.instanceId, this.#serial++);
      if (!this.#clients.has(key)) return key;
    }
  }

  #tell(client: Client, event: number, bytes?: Buffer): void {
    const writer = threadWriters[0] ?? 0;
    this.#outbox.send({ event, sequence: client.sequence++, writer, bytes }, client.options);
  }

  #checkEmpty(): void {
    if (this.#onEmpty === null || this.#clients.size + this.#handshakes.size + this.#waiting.size > 0) return;
    this.#onEmpty();
    this.#onEmpty = null;
  }
}

export function defineRead(settings: WebSettings): ReadMsu {
  return defineMsu({
    name: 'read',
    state: 'pinned',
    execution: 'async',
    colocation: 'connection',
    dependencies: [{ msu: 'write', locality: 'local' }],
    resources: ['descriptors'],
    cost: { serviceTimeMs: 1, memoryMiB: 32 },
    in: { connections: receives(connection()), control: receives(controlMessage) },
    out: { http: sends(clientMessage) },
    timers: {
      sweep: { periodMs: settings.limits.sweepMs },
      certificate: { periodMs: certificateCheckMs },
    },
    create(context) {
      const reader = new Reader(context, settings, readCredentials(settings.credentialFiles));
      const watch = watchCredentials(
        settings.credentialFiles,
        (credentials) => {
          reader.use(credentials);
          context.log('info', 'new certificate in use');
        },
        (text) => context.log('error', text),
      );
      return {
        connections: (accepted, message) => reader.take(accepted, message.clientKey),
        control: (asked, message) => reader.control(message.flowKey, asked),
        sweep: () => reader.sweep(),
        certificate: () => watch.check(),
        onDrain: () => reader.drain(),
        onClose: () => reader.close(),
      };
    },
  });
}
