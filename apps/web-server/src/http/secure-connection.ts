/**
 * The socket side of one TLS connection: sends bytes, stops reading where the client does not take what it asked
 * for, and closes in the way that loses no response. Used by the monolith, and by the read and write MSUs.
 */
import type { TLSSocket } from 'node:tls';
import type { CoarseClock, WebLimits } from '../limits.ts';

/** Who stopped the reading of a connection; it goes on when nobody does. */
export const holder = { session: 1, writing: 2, forwarding: 4 } as const;
export type Holder = (typeof holder)[keyof typeof holder];

export interface ConnectionEvents {
  onBytes(bytes: Buffer): void;
  /** The client sends no more. */
  onEnd(): void;
  /** The socket is gone; nothing is called any more. */
  onClosed(): void;
}

/** What a connection is doing. */
type State = 'open' | 'ending' | 'closed';

export class SecureConnection {
  readonly #socket: TLSSocket;
  readonly #limits: WebLimits;
  readonly #clock: CoarseClock;
  #state: State = 'open';
  #holders = 0;
  /** Since when the client takes no bytes, or owes us its FIN; 0: it does not. */
  #waitingSinceMs = 0;

  constructor(socket: TLSSocket, limits: WebLimits, clock: CoarseClock, events: ConnectionEvents) {
    this.#socket = socket;
    this.#limits = limits;
    this.#clock = clock;
    socket.on('data', (bytes: Buffer) => {
      // What arrives after the last response is read and thrown away, so that no reset overtakes the response.
      if (this.#state === 'open') events.onBytes(bytes);
    });
    socket.on('end', () => {
      if (this.#state === 'open') events.onEnd();
    });
    socket.on('drain', () => {
      this.#waitingSinceMs = 0;
      this.hold(holder.writing, false);
    });
    socket.on('finish', () => {
      // The client has taken its last response, however long that took: its lingering time begins.
      if (this.#state === 'ending') this.#waitingSinceMs = this.#clock.nowMs;
    });
    // An error is followed by 'close', which says all that matters.
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.#state = 'closed';
      events.onClosed();
    });
  }

  /** Sends bytes; after the last ones, the connection ends. */
  transmit(bytes: Uint8Array, isLast: boolean): void {
    if (this.#state !== 'open') return;
    if (isLast) {
      this.#state = 'ending';
      this.#waitingSinceMs = this.#clock.nowMs;
      if (bytes.length > 0) this.#socket.end(bytes);
      else this.#socket.end();
      // Whoever held the reading: the rest is thrown away.
      this.#holders = 0;
      this.#socket.resume();
      return;
    }
    if (!this.#socket.write(bytes) && this.#waitingSinceMs === 0) {
      this.#waitingSinceMs = this.#clock.nowMs;
      this.hold(holder.writing, true);
    }
  }

  /** Stops reading, or lets it go on, on behalf of one holder. */
  hold(who: Holder, isHeld: boolean): void {
    if (this.#state !== 'open') return;
    const before = this.#holders;
    this.#holders = isHeld ? before | who : before & ~who;
    if (before === 0 && this.#holders !== 0) this.#socket.pause();
    else if (before !== 0 && this.#holders === 0) this.#socket.resume();
  }

  /** Closes at once, without a word. */
  destroy(): void {
    this.#socket.destroy();
  }

  /** Looks at the timeouts; to be called every `sweepMs`. */
  sweep(): void {
    if (this.#waitingSinceMs === 0) return;
    const elapsedMs = this.#clock.nowMs - this.#waitingSinceMs;
    // A response on its way gets the full time to be taken; a client that has it all gets the lingering time.
    const isTaken = this.#state === 'ending' && this.#socket.writableFinished;
    if (elapsedMs >= (isTaken ? this.#limits.lingerMs : this.#limits.writeTimeoutMs)) this.destroy();
  }
}
