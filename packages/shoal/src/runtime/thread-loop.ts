/**
 * Drives the turns of a thread. A thread whose instances are all `sync` and hold no handles parks on its bell;
 * any other waits through the event loop. Both are woken by the bell, and never miss one: its value is read
 * before the thread looks for work, and a wait on a value that has changed returns at once.
 */
import { nextTick } from 'node:process';
import type { Clock } from '../model/index.ts';
import { openLoopBell, ParkingBell } from './bell.ts';
import { ThreadWord } from './shared-block.ts';
import { quietMs, type ThreadRuntime } from './thread-runtime.ts';

/** A parked thread goes through its event loop this often, for what user code or Node left there. */
const parkMaxMs = 250;
/**
 * A thread about to park looks at its bell for so long first: a core that sleeps takes about 20 µs to wake, a bell that
 * is seen in time none. With one caller the round trip falls from 48 µs to 2 µs. One that waits in its event loop has I/O
 * to look after, and looks for less (17 µs to 3 µs).
 */
const spinMaxMs = 0.05;
const spinInLoopMaxMs = 0.01;
/**
 * Looking in vain costs the core, which whoever would ring may need: after a vain look a thread waits at once, twice as
 * many times as after the one before, up to this often.
 */
const waitsWithoutSpinMax = 64;

/** Turns in a row that follow their callbacks: code that has always more to do must not keep the event loop from I/O. */
const turnsAtOnceMax = 16;

export interface ThreadLoop {
  close(): void;
}

/**
 * Starts driving. `canPark` is asked again whenever the thread has nothing to do; `onControl` is called on a parked
 * thread when the agent has posted something.
 */
export function startThreadLoop(
  thread: ThreadRuntime,
  clock: Clock,
  options: { canPark: () => boolean; onControl: () => void },
): ThreadLoop {
  const bell = thread.block.words;
  let isClosed = false;
  let isScheduled = false;
  let dueTimer: NodeJS.Timeout | null = null;
  let dueTimerAtMs = Number.POSITIVE_INFINITY;

  /** The clock when the last turn ended. */
  let turnEndedAtMs = 0;
  let turnsAtOnce = 0;
  /** The bell before the last turn, and when it was last waited for. */
  let seen = 0;
  let seenAtWait = 0;

  const drive = (): void => {
    if (isClosed) return;
    isScheduled = false;
    loopBell.disarm();
    seen = Atomics.load(bell, ThreadWord.bell);
    const hasMore = thread.turn();
    turnEndedAtMs = thread.nowMs;
    if (hasMore) return schedule();
    if (options.canPark()) return park();
    armDueTimer();
    // Where nobody has rung since the last wait, nobody is about to.
    if (seen === seenAtWait) return waitInLoop();
    if (spinInLoop.isDue()) return void settled.then(spinSoon);
    seenAtWait = seen;
    waitInLoop();
  };

  /** When all that awaited what the turn has delivered has run: only then is there something that may be answered. */
  const spinSoon = (): void => nextTick(spinThenWait);
  /** `queueMicrotask` makes an async resource each time. */
  const settled = Promise.resolve();

  const spinThenWait = (): void => {
    if (isScheduled || isClosed) return;
    seenAtWait = seen;
    spinInLoop.look(seen);
    waitInLoop();
  };

  const waitInLoop = (): void => {
    if (!loopBell.arm(seen)) schedule();
  };

  /** Once an event loop's round, after all of its I/O: what many sockets brought is served in one turn. */
  const schedule = (): void => {
    if (isScheduled || isClosed) return;
    isScheduled = true;
    turnsAtOnce = 0;
    setImmediate(drive);
  };

  /**
   * What comes in a lull is served at once: after a round the loop needs another for what the turn has written to TLS
   * connections (Node ends such a write in the next round's immediates), 5 µs of the thread for each request. Under load
   * it is the other way about: a turn after every callback takes 2 to 3 % more of the thread.
   */
  const scheduleSoon = (): void => {
    if (isScheduled || isClosed) return;
    if (turnsAtOnce >= turnsAtOnceMax || thread.nowMs - turnEndedAtMs < quietMs) return schedule();
    isScheduled = true;
    turnsAtOnce++;
    nextTick(drive);
  };

  const armDueTimer = (): void => {
    const dueAtMs = thread.nextDueAtMs();
    if (dueAtMs >= dueTimerAtMs) return;
    if (dueTimer !== null) clearTimeout(dueTimer);
    dueTimerAtMs = dueAtMs;
    dueTimer = setTimeout(
      () => {
        dueTimer = null;
        dueTimerAtMs = Number.POSITIVE_INFINITY;
        drive();
      },
      Math.max(0, dueAtMs - clock.now()),
    );
    // Of an answered request nothing is due: it must not keep the program that has isolated a function.
    dueTimer.unref();
  };

  const spin = new Spin(bell, spinMaxMs);
  const parkingBell = new ParkingBell(bell);
  let controlSeen = 0;
  const park = (): void => {
    const until = clock.now() + parkMaxMs;
    while (!isClosed && options.canPark()) {
      const seen = Atomics.load(bell, ThreadWord.bell);
      const control = Atomics.load(bell, ThreadWord.control);
      if (control !== controlSeen) {
        controlSeen = control;
        options.onControl();
        continue;
      }
      const hasMore = thread.turn();
      if (thread.nowMs >= until) break;
      if (hasMore) continue;
      if (spin.isDue()) spin.look(seen);
      parkingBell.wait(seen, Math.min(until, thread.nextDueAtMs()) - thread.tick());
    }
    schedule();
  };

  const loopBell = openLoopBell(bell, drive);
  const spinInLoop = new Spin(bell, spinInLoopMaxMs);

  // Called from anywhere outside of a turn: in a socket's callback, in a continuation.
  thread.onTurnWanted = scheduleSoon;

  schedule();
  return {
    close: () => {
      isClosed = true;
      if (dueTimer !== null) clearTimeout(dueTimer);
      loopBell.close();
    },
  };
}

/** Looks at a bell before a wait, and not before each where that is in vain. */
class Spin {
  readonly #bell: Int32Array;
  readonly #maxMs: number;
  #waitsWithoutSpin = 0;
  #waitsUntilSpin = 0;

  constructor(bell: Int32Array, maxMs: number) {
    this.#bell = bell;
    this.#maxMs = maxMs;
  }

  /** Asked once before each wait. */
  isDue(): boolean {
    if (this.#waitsUntilSpin === 0) return true;
    this.#waitsUntilSpin--;
    return false;
  }

  /** Looks until the bell is not what it was when seen, but not for long. */
  look(seen: number): void {
    const until = performance.now() + this.#maxMs;
    while (Atomics.load(this.#bell, ThreadWord.bell) === seen) {
      if (performance.now() < until) continue;
      this.#waitsWithoutSpin = Math.min(Math.max(1, this.#waitsWithoutSpin * 2), waitsWithoutSpinMax);
      this.#waitsUntilSpin = this.#waitsWithoutSpin;
      return;
    }
    this.#waitsWithoutSpin = 0;
  }
}
