import type { Random } from './random.ts';

/** From `atMs` on (until the next step), requests arrive at this mean rate. */
export interface RateStep {
  /** Start of the step in milliseconds after the start of the load. */
  readonly atMs: number;
  /** Mean arrivals per second; 0 pauses the load. */
  readonly ratePerSecond: number;
}

/** Intended send times, one after another. */
export interface Arrivals {
  /** The next intended send time in milliseconds after the start, or `undefined` when the load is over. */
  next(): number | undefined;
}

/**
 * A Poisson process whose rate is piecewise constant, up to `durationMs`. Each gap is the time in which the
 * integral of the rate grows by an Exp(1) variate, so that a step takes effect at its instant and not one
 * arrival later.
 */
export function createArrivals(steps: readonly RateStep[], durationMs: number, random: Random): Arrivals {
  let nowMs = 0;
  let index = 0;
  return {
    next() {
      let remaining = -Math.log(1 - random.next());
      for (;;) {
        const rate = (steps[index]?.ratePerSecond ?? 0) / 1000;
        const endMs = Math.min(steps[index + 1]?.atMs ?? durationMs, durationMs);
        const possible = rate * (endMs - nowMs);
        if (remaining < possible) {
          nowMs += remaining / rate;
          return nowMs;
        }
        remaining -= possible;
        nowMs = endMs;
        if (endMs >= durationMs) return undefined;
        index += 1;
      }
    },
  };
}
