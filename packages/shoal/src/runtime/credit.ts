/** Whether an instance takes one more message, as well as can be known in the thread that sends to it. */
import { expectedMs, sjfRank } from './expected-work.ts';
import type { LiveEndpoint, Route } from './route.ts';
import { InstanceFloat } from './shared-block.ts';

/**
 * Milliseconds of work that waits or runs at an instance: for each message that this thread has sent it, what is expected
 * of it; for others what messages took in the mean. `rank`: in the order `sjf`, what is of a larger rank and only waits
 * does not count.
 */
export function queuedWorkMs(
  { stats, writer, queueLength }: LiveEndpoint,
  nowMs: number,
  rank: number = Number.POSITIVE_INFINITY,
): number {
  const length = queueLength();
  const meanMs = stats[InstanceFloat.serviceMeanMs] as number;
  if (writer === null || length === 0) return length * meanMs;
  let own = 0;
  let workMs = 0;
  let runningMs = 0;
  writer.eachPending((_flowKey, _index, bytes, acceptedAtMs, mayRun) => {
    const ms = expectedMs(stats, bytes);
    own++;
    if (mayRun) runningMs ||= ms;
    if (mayRun || sjfRank(acceptedAtMs, ms) <= rank) workMs += ms;
  });
  const runningSince = stats[InstanceFloat.runningSince] as number;
  const doneMs = runningSince > 0 ? Math.min(runningMs, Math.max(0, nowMs - runningSince)) : 0;
  return workMs - doneMs + Math.max(0, length - own) * meanMs;
}

/**
 * Whether a message of so many bytes (-1: by reference) may be added to the work of an instance. One may always wait behind
 * another: that may have been replied to and only seem to be there, and an idle instance must not refuse.
 */
export function admitsWork(route: Route, endpoint: LiveEndpoint, nowMs: number, bytes: number): boolean {
  if (endpoint.queueLength() <= 1) return true;
  const ownMs = expectedMs(endpoint.stats, bytes);
  const rank = route.isShortestFirst ? sjfRank(nowMs, ownMs) : Number.POSITIVE_INFINITY;
  return queuedWorkMs(endpoint, nowMs, rank) + ownMs <= route.queueMaxWorkMs;
}

/** Messages that their bounded number leaves room for; not positive: there are too many. */
export function messageRoom({ queueMaxMessages }: Route, endpoint: LiveEndpoint): number {
  return queueMaxMessages === 0 ? Number.POSITIVE_INFINITY : queueMaxMessages - endpoint.queueLength();
}

/**
 * Messages that the bounds of the receiving type leave room for, of those that take what most take there. What others have
 * sent meanwhile shows when the receiver has looked.
 */
function queueRoom(route: Route, endpoint: LiveEndpoint, nowMs: number): number {
  const room = messageRoom(route, endpoint);
  if (route.queueMaxWorkMs === 0) return room;
  const leftMs = route.queueMaxWorkMs - queuedWorkMs(endpoint, nowMs);
  const meanMs = endpoint.stats[InstanceFloat.serviceMeanMs] as number;
  const byWork = meanMs === 0 ? Number.POSITIVE_INFINITY : Math.floor(leftMs / meanMs);
  return Math.min(room, Math.max(byWork, 2 - endpoint.queueLength()));
}

/** Messages that can be sent to an endpoint before it refuses one. */
export function creditOf(route: Route, endpoint: LiveEndpoint, nowMs: number): number {
  const { local, writer } = endpoint;
  const held = local?.inbox.localCredit ?? writer?.credit() ?? 0;
  return Math.max(0, Math.min(held, queueRoom(route, endpoint, nowMs)));
}

/** Messages that can be sent to the endpoint with most room. */
export function creditOfRoute(route: Route, nowMs: number): number {
  let most = 0;
  for (const endpoint of route.active) most = Math.max(most, creditOf(route, endpoint, nowMs));
  return most;
}
