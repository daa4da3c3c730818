/** The two loads, the same code for every system: what differs is the call. */
import { setTimeout as delay } from 'node:timers/promises';
import { quantile } from '../report.ts';
import { numberIn, type Payload, payloadCount } from './payload.ts';
import type { HopSession, RoundTrips, Throughput } from './system.ts';

export type Call = (payload: Payload) => Promise<Payload>;

export const inFlight = 256;
/** Latencies kept of one run; later ones are not timed. */
export const samplesMax = 1_000_000;
/** How often the clock is asked whether time is up, in calls, where the calls themselves are not timed. */
export const clockEvery = 64;

/** The number in a reply, which must be its request's plus one. */
export function check(request: Payload, reply: Payload): number {
  const number = numberIn(reply);
  if (number !== ((numberIn(request) + 1) & 0xff)) throw new Error(`wrong reply: ${JSON.stringify(reply)}`);
  return number;
}

export function summarize(microseconds: Float64Array, checksum: number): RoundTrips {
  const sorted = microseconds.sort();
  return { p50Us: quantile(sorted, 0.5), p99Us: quantile(sorted, 0.99), checksum };
}

/** One caller. */
export async function driveRoundTrips(
  call: Call,
  payloads: readonly Payload[],
  durationMs: number,
): Promise<RoundTrips> {
  const microseconds = new Float64Array(samplesMax);
  const endMs = performance.now() + durationMs;
  let checksum = 0;
  let count = 0;
  for (let beforeMs = performance.now(); beforeMs < endMs && count < samplesMax; ) {
    const request = payloads[count % payloadCount] as Payload;
    const reply = await call(request);
    const afterMs = performance.now();
    checksum += check(request, reply);
    microseconds[count++] = (afterMs - beforeMs) * 1_000;
    beforeMs = afterMs;
  }
  return summarize(microseconds.subarray(0, count), checksum);
}

/** As many callers as are to be in flight, each waiting for its own replies. */
export async function driveThroughput(
  call: Call,
  payloads: readonly Payload[],
  durationMs: number,
): Promise<Throughput> {
  const startMs = performance.now();
  let isOver = false;
  let count = 0;
  let checksum = 0;
  const caller = async (): Promise<void> => {
    while (!isOver) {
      const request = payloads[count % payloadCount] as Payload;
      count++;
      // Not `checksum += … await …`, which would read the sum before it waits.
      const reply = await call(request);
      checksum += check(request, reply);
      if (count % clockEvery === 0 && performance.now() - startMs > durationMs) isOver = true;
    }
  };
  await Promise.all(Array.from({ length: inFlight }, caller));
  return { perSecond: (count * 1_000) / (performance.now() - startMs), checksum };
}

/** How long a system may take to end: poolifier's `destroy` now and then waits for a worker that has gone. */
const closeMaxMs = 1_000;

/** A session around a call that can be made from this thread. */
export function sessionOf(
  call: Call,
  payloads: readonly Payload[],
  close: () => Promise<unknown>,
): HopSession {
  return {
    roundTrips: (durationMs) => driveRoundTrips(call, payloads, durationMs),
    throughput: (durationMs) => driveThroughput(call, payloads, durationMs),
    close: async () => {
      await Promise.race([close(), delay(closeMaxMs)]);
    },
  };
}
