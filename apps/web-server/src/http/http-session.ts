/**
 * One connection's HTTP: requests in, responses out in the order of the requests. Owns the connection's parser and
 * the answers that are still missing; knows nothing of sockets, TLS or MSUs, so the monolith and the http MSU run
 * the same one.
 *
 * I1 Responses leave in the order of their requests, whatever the order in which they were made.
 * I2 At most `pipelineMax` answers are missing; then reading stops.
 * I3 After the last response nothing is answered, and after `close` nothing is called.
 * I4 `close` gives everything back.
 */
import type { CoarseClock, WebLimits } from '../limits.ts';
import type { Answer, Service } from '../service/service.ts';
import { type ParserPhase, RequestParser, type RequestSink, type WebRequest } from './request-parser.ts';
import { continueBytes, encodeResponse, textResponse, type WebResponse } from './response.ts';

/** Where a session's responses go. */
export interface SessionOutput {
  /** Bytes to send, in order. After the last ones, the connection is to be closed. */
  transmit(bytes: Buffer, isLast: boolean): void;
  /** Close without a word: there is nothing to say. */
  closeQuietly(): void;
  /** True: read no more from the client for now; false: go on. */
  holdReading(isHeld: boolean): void;
}

/** An answer that is not there yet, or waits for one before it. */
interface Slot {
  readonly isKeepAlive: boolean;
  readonly isHead: boolean;
  response: WebResponse | null;
}

const noBytes = Buffer.alloc(0);

export class HttpSession implements RequestSink {
  readonly #service: Service;
  readonly #limits: WebLimits;
  readonly #clock: CoarseClock;
  readonly #output: SessionOutput;
  readonly #parser: RequestParser;
  readonly #defer: () => Answer;
  #slots: Slot[] = [];
  #request: { isKeepAlive: boolean; isHead: boolean } = { isKeepAlive: true, isHead: false };
  /** Bytes made during a call; sent together at its end. */
  #batch: Buffer[] = [];
  #isParsing = false;
  #isEnding = false;
  #isDraining = false;
  #isClosed = false;
  #isClientDone = false;
  /** A request said that it is the last of its connection. */
  #isLastSeen = false;
  #isHeld = false;
  #phase: ParserPhase = 'idle';
  /** When the phase of the request in progress began; between two requests, when the last one was complete. */
  #phaseSinceMs: number;

  constructor(service: Service, limits: WebLimits, clock: CoarseClock, output: SessionOutput) {
    this.#service = service;
    this.#limits = limits;
    this.#clock = clock;
    this.#output = output;
    this.#parser = new RequestParser(limits, this);
    this.#phaseSinceMs = clock.nowMs;
    this.#defer = () => {
      const slot = this.#addSlot(null);
      return (response) => this.#fill(slot, response);
    };
  }

  /** Bytes from the client. */
  push(bytes: Uint8Array): void {
    if (this.#isClosed || this.#isEnding) return;
    this.#isParsing = true;
    this.#parser.push(bytes);
    this.#isParsing = false;
    this.#afterParsing();
  }

  /** The client sends no more, but may still read: what it asked for is answered. */
  finish(): void {
    if (this.#isClosed || this.#isEnding) return;
    this.#isClientDone = true;
    this.#endIfDone();
  }

  /** No further requests after those in progress. */
  drain(): void {
    this.#isDraining = true;
    this.#endIfDone();
  }

  /** The connection is gone. */
  close(): void {
    this.#isClosed = true;
    this.#slots = [];
    this.#parser.free();
  }

  /** Looks at the timeouts; to be called every `sweepMs`. */
  sweep(): void {
    if (this.#isClosed || this.#isEnding) return;
    if (this.#slots.length > 0) {
      // We owe the client something, so its time does not run.
      this.#phaseSinceMs = this.#clock.nowMs;
      return;
    }
    const elapsedMs = this.#clock.nowMs - this.#phaseSinceMs;
    switch (this.#phase) {
      case 'idle':
        if (elapsedMs >= this.#limits.idleTimeoutMs) this.#endQuietly();
        return;
      case 'headers':
        if (elapsedMs >= this.#limits.headersTimeoutMs) this.#refuse(408, 'the headers took too long');
        return;
      case 'body':
        if (elapsedMs >= this.#limits.bodyTimeoutMs) this.#refuse(408, 'the body took too long');
        return;
    }
  }

  onRequest(request: WebRequest, isKeepAlive: boolean): boolean {
    if (this.#isEnding || this.#isLastSeen) return false;
    const isLasting = isKeepAlive && !this.#isDraining;
    this.#isLastSeen = !isLasting;
    // The next request has its own time, also if this one's bytes end within it.
    this.#phaseSinceMs = this.#clock.nowMs;
    this.#request = { isKeepAlive: isLasting, isHead: request.method === 'HEAD' };
    const response = this.#service(request, this.#defer);
    if (response !== null) {
      if (this.#slots.length === 0) this.#emit(response, this.#request);
      else this.#addSlot(response);
    }
    return isLasting && !this.#isEnding && this.#slots.length < this.#limits.pipelineMax;
  }

  /** For the answer to the request that is looked at. */
  #addSlot(response: WebResponse | null): Slot {
    // Spelled out: an object that is spread into another and then written to has V8 change its shape each time.
    const { isKeepAlive, isHead } = this.#request;
    const slot: Slot = { isKeepAlive, isHead, response };
    this.#slots.push(slot);
    return slot;
  }

  onExpectContinue(): void {
    // Between two responses only: a 100 in the middle of another's bytes would be taken for its own.
    if (this.#slots.length === 0) this.#batch.push(continueBytes);
  }

  #afterParsing(): void {
    const { failure, phase } = this.#parser;
    if (failure !== null) {
      // What was asked before the bad bytes is answered first; the refusal is then the last response.
      this.#slots.push({
        isKeepAlive: false,
        isHead: false,
        response: textResponse(failure.status, failure.detail),
      });
      this.#emitReady();
    }
    // Blank bytes between two requests change no phase: they do not keep a connection open.
    if (phase !== this.#phase) {
      this.#phase = phase;
      this.#phaseSinceMs = this.#clock.nowMs;
    }
    this.#flush(false);
    this.#adjustHold();
  }

  #fill(slot: Slot, response: WebResponse): void {
    if (this.#isClosed) return;
    slot.response = response;
    this.#emitReady();
    if (this.#isParsing) return;
    this.#flush(false);
    this.#phaseSinceMs = this.#clock.nowMs;
    if (!this.#isEnding && !this.#isLastSeen && this.#slots.length < this.#limits.pipelineMax) {
      this.#isParsing = true;
      this.#parser.resume();
      this.#isParsing = false;
      this.#afterParsing();
    }
    this.#adjustHold();
    this.#endIfDone();
  }

  #emitReady(): void {
    let ready = 0;
    for (; ready < this.#slots.length; ready++) {
      const slot = this.#slots[ready]!;
      if (slot.response === null || this.#isEnding) break;
      // Draining: the last answer that is owed says that the connection ends with it.
      const isKeepAlive = slot.isKeepAlive && !(this.#isDraining && ready === this.#slots.length - 1);
      this.#emit(slot.response, { isKeepAlive, isHead: slot.isHead });
    }
    if (this.#isEnding) this.#slots = [];
    else if (ready > 0) this.#slots.splice(0, ready);
  }

  #emit(response: WebResponse, form: { isKeepAlive: boolean; isHead: boolean }): void {
    this.#batch.push(encodeResponse(response, form));
    if (!form.isKeepAlive) this.#isEnding = true;
  }

  /** Sends what was made. */
  #flush(isLast: boolean): void {
    const batch = this.#batch;
    if (batch.length === 0 && !isLast) return;
    const bytes = batch.length === 1 ? batch[0]! : batch.length === 0 ? noBytes : Buffer.concat(batch);
    if (batch.length > 0) this.#batch = [];
    this.#output.transmit(bytes, isLast || this.#isEnding);
  }

  #refuse(status: number, sentence: string): void {
    this.#emit(textResponse(status, sentence), { isKeepAlive: false, isHead: false });
    this.#flush(true);
  }

  #endQuietly(): void {
    this.#isEnding = true;
    this.#output.closeQuietly();
  }

  /** Closes when nothing is owed and no further request is to come. */
  #endIfDone(): void {
    if (this.#isClosed || this.#isEnding || this.#slots.length > 0) return;
    if (this.#isClientDone) {
      if (this.#parser.finish()) this.#endQuietly();
      else this.#refuse(400, 'the request ends too early');
    } else if (this.#isDraining && this.#phase === 'idle') {
      this.#endQuietly();
    }
  }

  #adjustHold(): void {
    // Once the last response is out, the connection itself reads and throws away what comes.
    if (this.#isEnding) return;
    const isHeld = this.#parser.isPaused;
    if (isHeld === this.#isHeld) return;
    this.#isHeld = isHeld;
    this.#output.holdReading(isHeld);
  }
}
