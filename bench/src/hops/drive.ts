/**
 * The two loads, the same code for every system: what differs is how a reply comes. Systems that answer with a promise
 * get the callback by `then`, without an async function that waits in between; Shoal's ports and bare `postMessage` take
 * a callback. For Shoal's ports the load runs inside of the app (`shoal-app.ts`), in the thread of the instance that asks.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { quantile } from '../report.ts';
import { numberIn, type Payload, payloadCount } from './payload.ts';
import type { HopSession, RoundTrips, Throughput } from './system.ts';

/** Asks, and calls back with the reply; whatever else comes of a request is a failure of the benchmark. */
export type Ask = (request: Payload, onReply: (reply: Payload) => void) => void;

/** A promise of a pool's own would keep it to itself. */
function endBenchmark(error: unknown): void {
  setImmediate(() => {
    throw error;
  });
}

/** For systems whose calls return promises. */
export function askBy(call: (payload: Payload) => PromiseLike<Payload>): Ask {
  return (request, onReply) =>
    void call(request).then((reply) => {
      try {
        onReply(reply);
      } catch (error) {
        endBenchmark(error);
      }
    }, endBenchmark);
}

const inFlight = 256;
/** Latencies kept of one run; later ones are not timed. */
const samplesMax = 1_000_000;
/** How often the clock is asked whether time is up, in calls, where the calls themselves are not timed. */
const clockEvery = 64;

/** The number in a reply, which must be its request's plus one. */
function check(request: Payload, reply: Payload): number {
  const number = numberIn(reply);
  if (number !== ((numberIn(request) + 1) & 0xff)) throw new Error(`wrong reply: ${JSON.stringify(reply)}`);
  return number;
}

function summarize(microseconds: Float64Array, checksum: number): RoundTrips {
  const sorted = microseconds.sort();
  return { p50Us: quantile(sorted, 0.5), p99Us: quantile(sorted, 0.99), checksum };
}

/** One caller, who asks again when the reply is there. */
export function driveRoundTrips(
  ask: Ask,
  payloads: readonly Payload[],
  durationMs: number,
  onEnd: (result: RoundTrips) => void,
): void {
  const microseconds = new Float64Array(samplesMax);
  const endMs = performance.now() + durationMs;
  let checksum = 0;
  let count = 0;
  let beforeMs = performance.now();
  const next = (): void => {
    const request = payloads[count % payloadCount] as Payload;
    ask(request, (reply) => {
      const afterMs = performance.now();
      checksum += check(request, reply);
      microseconds[count++] = (afterMs - beforeMs) * 1_000;
      beforeMs = afterMs;
      if (afterMs < endMs && count < samplesMax) next();
      else onEnd(summarize(microseconds.subarray(0, count), checksum));
    });
  };
  next();
}

/** As many callers as are to be in flight, each waiting for its own replies. */
export function driveThroughput(
  ask: Ask,
  payloads: readonly Payload[],
  durationMs: number,
  onEnd: (result: Throughput) => void,
): void {
  const startMs = performance.now();
  let isOver = false;
  let asked = 0;
  let answered = 0;
  let checksum = 0;
  const next = (): void => {
    const request = payloads[asked % payloadCount] as Payload;
    asked++;
    ask(request, (reply) => {
      checksum += check(request, reply);
      answered++;
      if (answered % clockEvery === 0 && performance.now() - startMs > durationMs) isOver = true;
      if (!isOver) next();
      else if (answered === asked) {
        onEnd({ perSecond: (answered * 1_000) / (performance.now() - startMs), checksum });
      }
    });
  };
  for (let i = 0; i < inFlight; i++) next();
}

/** How long a system may take to end: poolifier's `destroy` now and then waits for a worker that has gone. */
const closeMaxMs = 1_000;

/** A session around requests that can be made from this thread. */
export function sessionOf(ask: Ask, payloads: readonly Payload[], close: () => Promise<unknown>): HopSession {
  return {
    roundTrips: (durationMs) => new Promise((resolve) => driveRoundTrips(ask, payloads, durationMs, resolve)),
    throughput: (durationMs) => new Promise((resolve) => driveThroughput(ask, payloads, durationMs, resolve)),
    close: async () => {
      await Promise.race([close(), delay(closeMaxMs)]);
    },
  };
}
