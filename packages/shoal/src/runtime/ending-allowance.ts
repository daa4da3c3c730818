/**
 * How long a thread that was told to end may take. Pure: time and figures come from the caller.
 *
 * A thread in native code never ends, and its process must go; but a thread of low priority on a machine whose cores
 * are all taken cannot end before it gets one, and a process must not go for that. So time in which the thread waits
 * for a core does not count: what counts is its time on a core, and the time in which it is blocked.
 */
import type { ThreadFigures } from './procfs/index.ts';

/** A thread that is told to end and has not after so long is in native code. */
export const terminateMaxMs = 250;
/** However starved it is. */
export const starvedMaxMs = 5_000;

/** Looks are closer than that; where one comes later, all of the process may have stood still. */
const lookMaxMs = 100;

export class EndingAllowance {
  readonly #toldAtMs: number;
  #lookedAtMs: number;
  #cpuMs: number;
  #hadMs = 0;

  /** `figures`: as of now; `null` where the kernel does not tell: then all time counts. */
  constructor(nowMs: number, figures: Pick<ThreadFigures, 'cpuMs'> | null) {
    this.#toldAtMs = nowMs;
    this.#lookedAtMs = nowMs;
    this.#cpuMs = figures?.cpuMs ?? 0;
  }

  /** Answers whether the thread has had all the time it may take. To be asked every now and then while it lives. */
  isOver(nowMs: number, figures: Pick<ThreadFigures, 'cpuMs' | 'isRunnable'> | null): boolean {
    const sinceMs = nowMs - this.#lookedAtMs;
    const onCoreMs = Math.max(0, (figures?.cpuMs ?? this.#cpuMs) - this.#cpuMs);
    this.#hadMs += Math.min(figures?.isRunnable === true ? onCoreMs : lookMaxMs, sinceMs);
    this.#lookedAtMs = nowMs;
    this.#cpuMs = figures?.cpuMs ?? this.#cpuMs;
    return this.#hadMs >= terminateMaxMs || nowMs - this.#toldAtMs >= starvedMaxMs;
  }
}
