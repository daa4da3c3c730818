/**
 * Bells: how threads are woken. A bell counts up whenever there may be something to do. A thread that is about to wait
 * first writes down how, and then looks at its bell once more; whoever rings counts up, and then looks whether and how
 * the thread waits. So no ring is missed, and ringing a thread that is awake costs neither a lock nor a system call.
 *
 * A parked thread waits by a futex, one with an event loop for a byte in a pipe. `Atomics.wait` and `Atomics.waitAsync`
 * would do, and do where there is nothing better, but V8 wakes a thread under a lock of the whole process, which the one
 * who rings may be kept from giving back: by the woken one, on the same core, that needs it.
 */
import * as fs from 'node:fs';
import * as net from 'node:net';
import {
  closeDescriptor,
  duplicateDescriptor,
  futexWait,
  futexWake,
  makePipe,
  type Pipe,
} from './native/index.ts';
import { ThreadWord } from './shared-block.ts';

/** How a thread waits: {@link ThreadWord.waits}. */
export const Waits = { not: 0, byAtomics: 1, byPipe: 2, byPromise: 3, byFutex: 4 } as const;

const oneByte = new Uint8Array(1);

/** From now on whoever rings writes to the thread's pipe; false if the bell is not what it was when seen: then nobody does. */
export function waitByPipe(words: Int32Array, seen: number): boolean {
  Atomics.store(words, ThreadWord.waits, Waits.byPipe);
  if (Atomics.load(words, ThreadWord.bell) === seen) return true;
  Atomics.store(words, ThreadWord.waits, Waits.not);
  return false;
}

/** From now on nobody writes to the thread's pipe: it is awake, and looks at its bell before it waits. Answers whether it had waited so. */
export function stopWaitingByPipe(words: Int32Array): boolean {
  if (words[ThreadWord.waits] !== Waits.byPipe) return false;
  Atomics.store(words, ThreadWord.waits, Waits.not);
  return true;
}

/** Rings: the thread wakes, or sees it before it waits. */
export function ring(words: Int32Array): void {
  Atomics.add(words, ThreadWord.bell, 1);
  switch (Atomics.load(words, ThreadWord.waits)) {
    case Waits.not:
      return;
    case Waits.byPipe:
      return writeByte(words[ThreadWord.pipeWriteFd] as number);
    case Waits.byFutex:
      return futexWake(words);
    default:
      Atomics.notify(words, ThreadWord.bell);
  }
}

function writeByte(fd: number): void {
  try {
    fs.writeSync(fd, oneByte);
  } catch (error) {
    // A full pipe: 65,536 rings that the thread has not woken by yet. One more would make no difference.
    if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
  }
}

/** Whether the thread is parked: it runs no code, and wakes by itself before long. */
export function isParked(words: Int32Array): boolean {
  const waits = Atomics.load(words, ThreadWord.waits);
  return waits === Waits.byFutex || waits === Waits.byAtomics;
}

/** The thread gives up a wait that V8 cannot end, and begins no other. */
export function shunFutex(words: Int32Array): void {
  Atomics.store(words, ThreadWord.shunsFutex, 1);
  ring(words);
}

/**
 * What a futex needs takes a thread 15 ms to load: not while somebody may be waiting for it, but when nobody has rung for
 * so long.
 */
const leisureMs = 50;

/** How the calling thread, whose block it is, parks. */
export class ParkingBell {
  readonly #words: Int32Array;
  /** The thread waits by a futex from its first leisure on, unless there is none. */
  #hasLeisure = false;
  #hasFutex = true;

  constructor(words: Int32Array) {
    this.#words = words;
  }

  /** Waits until somebody rings, and for so many milliseconds at most; not at all if the bell is not what it was when seen. */
  wait(seen: number, timeoutMs: number): void {
    const words = this.#words;
    const before = words[ThreadWord.waits] as number;
    if (this.#hasLeisure && this.#hasFutex && Atomics.load(words, ThreadWord.shunsFutex) === 0) {
      Atomics.store(words, ThreadWord.waits, Waits.byFutex);
      this.#hasFutex = futexWait(words, seen, timeoutMs);
    } else {
      Atomics.store(words, ThreadWord.waits, Waits.byAtomics);
      const isInVain = Atomics.wait(words, ThreadWord.bell, seen, timeoutMs) === 'timed-out';
      if (isInVain && timeoutMs >= leisureMs) this.#hasLeisure = true;
    }
    Atomics.store(words, ThreadWord.waits, before);
  }
}

/**
 * The pipes of an agent's threads. That of a thread that is gone is kept for one to come: somebody may still ring by its
 * number, which must not have become that of somebody's connection.
 */
export class Pipes {
  readonly #unused: Pipe[] = [];
  #isClosed = false;

  /** A pipe for a thread that is to be started; null: there are none. */
  take(): Pipe | null {
    return this.#unused.pop() ?? makePipe();
  }

  /** Takes back the pipe of a thread that is gone for good. */
  giveBack(pipe: Pipe): void {
    this.#unused.push(pipe);
    if (this.#isClosed) this.close();
  }

  /** Closes what is unused, and what will be given back. Nobody rings any more. */
  close(): void {
    this.#isClosed = true;
    for (const { readFd, writeFd } of this.#unused.splice(0)) {
      closeDescriptor(readFd);
      closeDescriptor(writeFd);
    }
  }
}

/** Has a thread that is about to start woken by a pipe, whose reading end it takes by {@link openLoopBell}. */
export function offerPipe(words: Int32Array, pipe: Pipe | null): void {
  const fd = pipe === null ? 0 : duplicateDescriptor(pipe.readFd);
  words[ThreadWord.pipeWriteFd] = pipe?.writeFd ?? 0;
  Atomics.store(words, ThreadWord.pipeReadFd, Math.max(0, fd));
}

/** After a thread has ended: nobody rings it by its pipe any more, and what it did not take is closed. */
export function withdrawPipe(words: Int32Array): void {
  Atomics.store(words, ThreadWord.waits, Waits.not);
  const fd = Atomics.exchange(words, ThreadWord.pipeReadFd, 0);
  if (fd > 0) closeDescriptor(fd);
}

/** How a thread waits in its event loop. */
export interface LoopBell {
  /** What the thread's block says while it does not wait. */
  readonly atRest: number;
  /** Has a ring told, until it is disarmed; false if the bell is not what it was when seen: then there may be something to do. */
  arm(seen: number): boolean;
  disarm(): void;
  close(): void;
}

/** The way of the calling thread, whose block it is. `onRing` is called in the event loop, at times for no ring. */
export function openLoopBell(words: Int32Array, onRing: () => void): LoopBell {
  const fd = Atomics.exchange(words, ThreadWord.pipeReadFd, 0);
  const bell = fd > 0 ? new PipeBell(words, fd, onRing) : new PromiseBell(words, onRing);
  Atomics.store(words, ThreadWord.waits, bell.atRest);
  return bell;
}

/** Node's types know `onread` for sockets that connect only; its documentation, for all. */
type SocketOptions = net.SocketConstructorOpts & { readonly onread: net.OnReadOpts };

class PipeBell implements LoopBell {
  readonly atRest: number = Waits.not;
  readonly #words: Int32Array;
  readonly #socket: net.Socket;

  constructor(words: Int32Array, fd: number, onRing: () => void) {
    this.#words = words;
    const callback = (): boolean => {
      onRing();
      return true;
    };
    const options: SocketOptions = {
      fd,
      readable: true,
      writable: false,
      onread: { buffer: new Uint8Array(64), callback },
    };
    this.#socket = new net.Socket(options);
    this.#socket.unref();
  }

  arm(seen: number): boolean {
    return waitByPipe(this.#words, seen);
  }

  disarm(): void {
    stopWaitingByPipe(this.#words);
  }

  close(): void {
    this.disarm();
    this.#socket.destroy();
  }
}

// Node 20's type definitions do not know it; V8 has had it since 8.7.
interface WaitAsync {
  waitAsync(
    words: Int32Array,
    index: number,
    value: number,
  ): { readonly async: false } | { readonly async: true; readonly value: Promise<string> };
}
const { waitAsync } = Atomics as unknown as WaitAsync;

class PromiseBell implements LoopBell {
  readonly atRest: number = Waits.byPromise;
  readonly #words: Int32Array;
  readonly #onRing: () => void;
  #isArmed = false;

  constructor(words: Int32Array, onRing: () => void) {
    this.#words = words;
    this.#onRing = onRing;
  }

  arm(seen: number): boolean {
    // What it waits for came after an earlier look, and will be told.
    if (this.#isArmed) return true;
    const result = waitAsync(this.#words, ThreadWord.bell, seen);
    if (!result.async) return false;
    this.#isArmed = true;
    result.value.then(() => {
      this.#isArmed = false;
      this.#onRing();
    });
    return true;
  }

  disarm(): void {}

  close(): void {}
}
