import { divide, type Exact, gcd, multiply } from './exact.ts';
import type { Latency } from './link.ts';
import { latencyOf, ratesOf, type TrafficProfile } from './profile.ts';
import type { Steps } from './steps.ts';

/**
 * Units in which everything that was written down is a whole number: the greatest common divisors of all times and of
 * all rates. Calculation on the grid is exact integer arithmetic in doubles as long as it stays below 2⁵³, and exact
 * fractions beyond.
 */
export interface Grid {
  /** Seconds per tick. */
  readonly tickSeconds: Exact;
  /** Bits per second per unit of rate. */
  readonly rateBitsPerSecond: Exact;
  /** Bits per unit of data. */
  readonly dataBits: Exact;
}

/** The coarsest grid that holds every time, period, latency and rate of the profiles. */
export function findGrid(profiles: readonly TrafficProfile[]): Grid {
  let tick: Exact = 0;
  let rate: Exact = 0;
  for (const profile of profiles) {
    tick = gcd(tick, profile.periodSeconds);
    for (const row of profile.rows) {
      tick = gcd(gcd(tick, row.timeSeconds), row.latencySeconds);
      rate = gcd(gcd(rate, row.meanBitsPerSecond), row.maxBitsPerSecond);
    }
  }
  const tickSeconds = tick === 0 ? 1 : tick;
  const rateBitsPerSecond = rate === 0 ? 1 : rate;
  return { tickSeconds, rateBitsPerSecond, dataBits: multiply(tickSeconds, rateBitsPerSecond) };
}

/** Rates over one period, on the grid. */
export function gridRates(profile: TrafficProfile, column: 'mean' | 'max', grid: Grid): Steps {
  const steps = ratesOf(profile, column);
  return {
    times: steps.times.map((time) => divide(time, grid.tickSeconds)),
    rates: steps.rates.map((rate) => divide(rate, grid.rateBitsPerSecond)),
    end: divide(steps.end, grid.tickSeconds),
  };
}

/** Latency over one period, on the grid. */
export function gridLatency(profile: TrafficProfile, grid: Grid): Latency {
  const latency = latencyOf(profile);
  return {
    times: latency.times.map((time) => divide(time, grid.tickSeconds)),
    values: latency.values.map((value) => divide(value, grid.tickSeconds)),
    period: divide(latency.period, grid.tickSeconds),
  };
}

/** A function on the grid, in seconds and bits per second. */
export function offGrid(steps: Steps, grid: Grid): Steps {
  return {
    times: steps.times.map((time) => multiply(time, grid.tickSeconds)),
    rates: steps.rates.map((rate) => multiply(rate, grid.rateBitsPerSecond)),
    end: multiply(steps.end, grid.tickSeconds),
  };
}
