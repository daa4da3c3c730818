/**
 * Turns the bytes of one connection into requests. Pure: bytes in, calls out; owns one llhttp parser, which lives
 * in WebAssembly memory and must be given back with {@link RequestParser.free}.
 *
 * I1 After a failure, or after `free`, nothing more is parsed.
 * I2 A request is offered only when it is complete and within every limit.
 * I3 While paused, bytes are kept (at most what one `push` brought) and none is parsed.
 */
import type { WebLimits } from '../limits.ts';
import { type Llhttp, llhttp, llhttpCode, type ParserCallbacks } from './llhttp.ts';

/** A complete request, as the service sees it. Valid only during the call that offers it. */
export interface WebRequest {
  readonly method: string;
  /** The request target as sent: path and query. */
  readonly url: string;
  /** Decoded body, or null. */
  readonly body: Buffer | null;
}

/** Why a connection's bytes are not a request (any more): the status that tells the client. */
export interface ParseFailure {
  readonly status: 400 | 413 | 414 | 417 | 431 | 501 | 505;
  readonly detail: string;
}

export interface RequestSink {
  /** A complete request. Answer true to go on, false to pause. */
  onRequest(request: WebRequest, isKeepAlive: boolean): boolean;
  /** The client waits for `100 Continue` before it sends its body. */
  onExpectContinue(): void;
}

/** Where in a request the connection is. */
export type ParserPhase = 'idle' | 'headers' | 'body';

const wanted = { none: 0, host: 1, expect: 2, contentLength: 3 } as const;
type Wanted = (typeof wanted)[keyof typeof wanted];
/** Longest header name that we look at. */
const wantedNameMaxBytes = 'content-length'.length;

export class RequestParser implements ParserCallbacks, WebRequest {
  phase: ParserPhase = 'idle';
  failure: ParseFailure | null = null;
  method = '';
  url = '';
  body: Buffer | null = null;

  readonly #wasm: Llhttp;
  readonly #limits: WebLimits;
  readonly #sink: RequestSink;
  #parser: number;
  #isExecuting = false;
  #isPaused = false;
  #isKeepAlive = true;
  #rest: Uint8Array | null = null;
  /** Bytes of `push` calls that began within the headers (or the body) of the current request. */
  #carriedBytes = 0;
  /** The current part of a request began within this `push`. */
  #hasMoved = false;
  #headerBytes = 0;
  #headerCount = 0;
  #isInValue = true;
  #name = '';
  #nameLength = 0;
  #wanted: Wanted = wanted.none;
  #value = '';
  #hosts = 0;
  #expectsContinue = false;
  #contentLength = 0;
  #bodyParts: Buffer[] = [];
  #bodyBytes = 0;

  constructor(limits: WebLimits, sink: RequestSink) {
    this.#wasm = llhttp();
    this.#limits = limits;
    this.#sink = sink;
    this.#parser = this.#wasm.create();
  }

  get isPaused(): boolean {
    return this.#isPaused;
  }

  /** Parses bytes of the connection, in order. */
  push(bytes: Uint8Array): void {
    if (this.failure !== null || this.#parser === 0) return;
    if (this.#isPaused) {
      this.#rest = this.#rest === null ? bytes : Buffer.concat([this.#rest, bytes]);
      return;
    }
    this.#hasMoved = false;
    this.#isExecuting = true;
    let consumed: number;
    try {
      consumed = this.#wasm.execute(this.#parser, bytes, this);
    } finally {
      // A service that throws leaves a parser that can still be given back.
      this.#isExecuting = false;
    }
    const code = this.#wasm.code();
    if (code === llhttpCode.ok) this.#afterPush(bytes.length);
    else this.#afterStop(code, bytes, consumed);
  }

  /** Goes on after a pause. */
  resume(): void {
    if (!this.#isPaused || this.#parser === 0) return;
    this.#isPaused = false;
    this.#wasm.resume(this.#parser);
    const rest = this.#rest;
    this.#rest = null;
    if (rest !== null) this.push(rest);
  }

  /** The client sends no more. True if it ended between two requests. */
  finish(): boolean {
    return this.#parser !== 0 && this.failure === null && this.phase === 'idle' && this.#rest === null;
  }

  /** Gives the parser back. Safe to call twice. */
  free(): void {
    if (this.#parser === 0 || this.#isExecuting) return;
    this.#wasm.free(this.#parser);
    this.#parser = 0;
    this.#rest = null;
    this.#bodyParts = [];
  }

  #afterPush(bytes: number): void {
    // A name or value cut by the end of the chunk is only a place in memory that the next chunk overwrites:
    // onHeaderField and onHeaderValue have made it a string already.
    if (this.phase === 'idle') {
      this.#carriedBytes = 0;
      return;
    }
    // Blank space and chunk extensions are not offered by llhttp: what is not counted by span is counted here.
    if (this.#hasMoved) this.#carriedBytes = 0;
    else this.#carriedBytes += bytes;
    if (this.phase === 'headers' && this.#carriedBytes > this.#limits.headersMaxBytes) {
      this.#fail(431, 'the headers are too large');
    }
    if (
      this.phase === 'body' &&
      this.#carriedBytes > this.#limits.bodyMaxBytes * this.#limits.bodyWireFactor
    ) {
      this.#fail(413, 'the body is too large');
    }
  }

  #afterStop(code: number, bytes: Uint8Array, consumed: number): void {
    this.#carriedBytes = 0;
    switch (code) {
      case llhttpCode.paused:
        this.#isPaused = true;
        if (consumed < bytes.length) this.#rest = bytes.subarray(consumed);
        return;
      case llhttpCode.pausedUpgrade:
        // A server may ignore an offer to upgrade; the next request is HTTP/1.1 as before. CONNECT has been
        // answered, and what follows it is not HTTP.
        if (this.method === 'CONNECT') return void this.#fail(400, 'no tunnels here');
        this.#wasm.resumeAfterUpgrade(this.#parser);
        if (consumed < bytes.length) this.push(bytes.subarray(consumed));
        return;
      case llhttpCode.pausedHttp2:
      case llhttpCode.invalidVersion:
        return void this.#fail(505, 'HTTP/1.1 and HTTP/1.0 only');
      case llhttpCode.invalidMethod:
        return void this.#fail(501, 'unknown method');
      default:
        return void this.#fail(400, this.#wasm.reason(this.#parser));
    }
  }

  #fail(status: ParseFailure['status'], detail: string): number {
    this.failure ??= { status, detail };
    return llhttpCode.user;
  }

  onMessageBegin(): number {
    this.phase = 'headers';
    this.#hasMoved = true;
    this.method = '';
    this.url = '';
    this.body = null;
    this.#headerBytes = 0;
    this.#headerCount = 0;
    this.#isInValue = true;
    this.#wanted = wanted.none;
    this.#hosts = 0;
    this.#expectsContinue = false;
    this.#contentLength = 0;
    this.#bodyBytes = 0;
    return 0;
  }

  onUrl(at: number, length: number): number {
    const text = this.#wasm.memory().toString('latin1', at, at + length);
    this.url = this.url === '' ? text : this.url + text;
    if (this.url.length > this.#limits.urlMaxBytes) return this.#fail(414, 'the address is too long');
    return 0;
  }

  onHeaderField(at: number, length: number): number {
    if (this.#isInValue) {
      this.#endValue();
      this.#isInValue = false;
      this.#name = '';
      this.#nameLength = 0;
      this.#headerCount += 1;
      if (this.#headerCount > this.#limits.headersMaxCount) return this.#fail(431, 'too many headers');
    }
    // Only a name that begins like one of ours and is short enough is made a string. It may come in pieces.
    const isFirst = this.#nameLength === 0;
    const isWhole = this.#name.length === this.#nameLength;
    this.#nameLength += length;
    if (isWhole && this.#nameLength <= wantedNameMaxBytes) {
      const memory = this.#wasm.memory();
      const letter = (memory[at] ?? 0) | 0x20;
      if (!isFirst || letter === 0x68 || letter === 0x65 || letter === 0x63) {
        this.#name += memory.toString('latin1', at, at + length);
      }
    }
    return this.#addHeaderBytes(length);
  }

  onHeaderValue(at: number, length: number): number {
    if (!this.#isInValue) {
      this.#isInValue = true;
      this.#wanted = this.#recognize();
      this.#value = '';
    }
    if (this.#wanted !== wanted.none) this.#value += this.#wasm.memory().toString('latin1', at, at + length);
    return this.#addHeaderBytes(length);
  }

  onHeadersComplete(isUpgrade: boolean, isKeepAlive: boolean): number {
    this.#endValue();
    if (this.failure !== null) return llhttpCode.user;
    this.method = this.#wasm.method(this.#parser);
    this.#isKeepAlive = isKeepAlive && !(isUpgrade && this.method === 'CONNECT');
    if (this.#hosts > 1 || (this.#hosts === 0 && this.#wasm.isHttp11(this.#parser))) {
      return this.#fail(400, 'exactly one host header is needed');
    }
    if (this.#contentLength > this.#limits.bodyMaxBytes) return this.#fail(413, 'the body is too large');
    this.phase = 'body';
    this.#hasMoved = true;
    if (this.#expectsContinue) this.#sink.onExpectContinue();
    return 0;
  }

  onBody(at: number, length: number): number {
    this.#bodyBytes += length;
    if (this.#bodyBytes > this.#limits.bodyMaxBytes) return this.#fail(413, 'the body is too large');
    this.#bodyParts.push(Buffer.from(this.#wasm.memory().subarray(at, at + length)));
    return 0;
  }

  onMessageComplete(): number {
    this.phase = 'idle';
    if (this.#bodyParts.length > 0) {
      this.body = this.#bodyParts.length === 1 ? this.#bodyParts[0]! : Buffer.concat(this.#bodyParts);
      this.#bodyParts = [];
    }
    return this.#sink.onRequest(this, this.#isKeepAlive) ? 0 : llhttpCode.paused;
  }

  #addHeaderBytes(length: number): number {
    this.#headerBytes += length;
    return this.#headerBytes > this.#limits.headersMaxBytes
      ? this.#fail(431, 'the headers are too large')
      : 0;
  }

  #recognize(): Wanted {
    if (this.#name.length !== this.#nameLength) return wanted.none;
    switch (this.#nameLength) {
      case 4:
        return this.#name.toLowerCase() === 'host' ? wanted.host : wanted.none;
      case 6:
        return this.#name.toLowerCase() === 'expect' ? wanted.expect : wanted.none;
      case wantedNameMaxBytes:
        return this.#name.toLowerCase() === 'content-length' ? wanted.contentLength : wanted.none;
      default:
        return wanted.none;
    }
  }

  #endValue(): void {
    switch (this.#wanted) {
      case wanted.host:
        this.#hosts += 1;
        break;
      case wanted.expect:
        if (this.#value.toLowerCase() === '100-continue') this.#expectsContinue = true;
        else this.#fail(417, 'unknown expectation');
        break;
      case wanted.contentLength:
        // llhttp has refused anything but digits, and a second one.
        this.#contentLength = Number(this.#value);
        break;
      case wanted.none:
        break;
    }
    this.#wanted = wanted.none;
  }
}
