/** Whether an instance takes one more message, as well as can be known in the thread that sends to it. */
import type { LiveEndpoint, Route } from './route.ts';
import { InstanceFloat } from './shared-block.ts';

/**
 * Messages that the bounds of the receiving type leave room for; negative: there are too many. What others have sent
 * meanwhile shows when the receiver has looked.
 */
export function queueRoom(route: Route, endpoint: LiveEndpoint): number {
  const { queueMaxMessages, queueMaxWorkMs } = route;
  if (queueMaxWorkMs === 0)
    return queueMaxMessages === 0 ? Number.POSITIVE_INFINITY : queueMaxMessages - endpoint.queueLength();
  let max = queueMaxMessages > 0 ? queueMaxMessages : Number.POSITIVE_INFINITY;
  // So many that none waits longer than the bound, by the measured mean service time there. One may always wait behind
  // another: that may have been replied to and only seem to be there, and an idle instance must not refuse.
  max = Math.min(
    max,
    Math.max(1, queueMaxWorkMs / (endpoint.stats[InstanceFloat.serviceMeanMs] as number)) + 1,
  );
  return Math.floor(max) - endpoint.queueLength();
}

/** Messages that can be sent to an endpoint before it refuses one. */
export function creditOf(route: Route, endpoint: LiveEndpoint): number {
  const { local, writer } = endpoint;
  const held = local?.inbox.localCredit ?? writer?.credit() ?? 0;
  return Math.max(0, Math.min(held, queueRoom(route, endpoint)));
}

/** Messages that can be sent to the endpoint with most room. */
export function creditOfRoute(route: Route): number {
  let most = 0;
  for (const endpoint of route.active) most = Math.max(most, creditOf(route, endpoint));
  return most;
}
