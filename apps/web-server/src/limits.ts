/** Every bound of the web server, named. Durations are milliseconds, checked every `sweepMs`. */
export interface WebLimits {
  /** Bytes of a request target; longer: 414. Default 8,192. */
  readonly urlMaxBytes: number;
  /** Bytes of all header names and values of a request; more: 431. Default 16,384. */
  readonly headersMaxBytes: number;
  /** Header lines of a request; more: 431. Default 100. */
  readonly headersMaxCount: number;
  /** Bytes of a decoded request body; more: 413. Default 65,536. */
  readonly bodyMaxBytes: number;
  /** Bytes of a body on the wire, chunk framing included, as a multiple of `bodyMaxBytes`; more: 413. Default 8. */
  readonly bodyWireFactor: number;
  /** Requests of one connection being answered; further ones are left unread until one is. Default 64. */
  readonly pipelineMax: number;
  /** Characters of a text to search; more: 400. Default 4,096. */
  readonly searchMaxCharacters: number;
  /** From the first byte of a request to the end of its headers; then 408. Default 10,000. */
  readonly headersTimeoutMs: number;
  /** From the end of the headers to the end of the body; then 408. Default 20,000. */
  readonly bodyTimeoutMs: number;
  /**
   * A connection is closed, without a word, so long after its handshake or the end of its last request or answer, if no
   * other request has begun; blank lines are none. Default 30,000.
   */
  readonly idleTimeoutMs: number;
  /** TCP connected, TLS not: closed after so long. Default 10,000. */
  readonly handshakeTimeoutMs: number;
  /**
   * A handshake has its place for so long; if the client has not finished by then, it goes on without one until
   * `handshakeTimeoutMs`, and the next begins. So at most `handshakesMax` times the quotient of both are in progress.
   * Default 500.
   */
  readonly handshakeTurnMs: number;
  /** Response bytes that the client does not take: closed after so long. Default 20,000. */
  readonly writeTimeoutMs: number;
  /** After the last response of a connection, how long the client may take to close its side. Default 1,000. */
  readonly lingerMs: number;
  /** Connections on one thread that have not sent a byte; with one more, the oldest is closed. Default 2,048. */
  readonly silentMax: number;
  /** TLS handshakes that have a place on one thread, from the client's first byte; further ones wait. Default 64. */
  readonly handshakesMax: number;
  /** Connections that have sent a byte and wait for their handshake on one thread; further ones are closed. Default 1,024. */
  readonly handshakesWaitingMax: number;
  /** Between two looks at the timeouts. Default 250. */
  readonly sweepMs: number;
}

export const defaultWebLimits: WebLimits = {
  urlMaxBytes: 8_192,
  headersMaxBytes: 16_384,
  headersMaxCount: 100,
  bodyMaxBytes: 65_536,
  bodyWireFactor: 8,
  pipelineMax: 64,
  searchMaxCharacters: 4_096,
  headersTimeoutMs: 10_000,
  bodyTimeoutMs: 20_000,
  idleTimeoutMs: 30_000,
  handshakeTimeoutMs: 10_000,
  handshakeTurnMs: 500,
  writeTimeoutMs: 20_000,
  lingerMs: 1_000,
  silentMax: 2_048,
  handshakesMax: 64,
  handshakesWaitingMax: 1_024,
  sweepMs: 250,
};

/**
 * Time as timeouts count it, in milliseconds. Coarse: it moves when the owner of the connections looks at their
 * timeouts, every `sweepMs`, so that reading it costs nothing on the path of a request.
 */
export interface CoarseClock {
  readonly nowMs: number;
}

/** From one sweep to the next, at most this many times `sweepMs` count. */
const sweepsLateMax = 4;

/**
 * The clock of who sweeps. A sweep that comes very late counts as a little late only: while the server stood still, for
 * want of a core or because its process was stopped, no client could have done anything about it.
 */
export class SweepClock implements CoarseClock {
  /** Never 0, which stands for "no time" where one is kept. */
  nowMs = 1;
  #sweptAtMs: number;
  readonly #stepMaxMs: number;

  constructor(machineMs: number, limits: Pick<WebLimits, 'sweepMs'>) {
    this.#sweptAtMs = machineMs;
    this.#stepMaxMs = sweepsLateMax * limits.sweepMs;
  }

  /** To be called at the beginning of a sweep. */
  advance(machineMs: number): void {
    this.nowMs += Math.min(machineMs - this.#sweptAtMs, this.#stepMaxMs);
    this.#sweptAtMs = machineMs;
  }
}
