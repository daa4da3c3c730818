import type { RoutingPolicy } from '../../model/index.ts';
import { KeyedRouting } from './keyed.ts';
import { chooseRoundRobin } from './round-robin.ts';
import {
  activeIndices,
  type Choose,
  type Router,
  type RouterContext,
  type RouterEndpoint,
} from './router.ts';
import { chooseShortestQueue } from './shortest-queue.ts';

/**
 * Makes the router of a routing table. Everything that takes time is done here; a decision allocates nothing.
 *
 * @param endpoints must not change afterwards: a new table gets a new router
 * @param random uniform in [0, 1)
 * @param context the sending thread's own, changed by it before each decision
 * @param previous the router that this one replaces: tables are updated instead of rebuilt
 * @param keyed of another router of the same thread, with the same endpoints: they route by key as one
 */
export function createRouter(
  policy: RoutingPolicy,
  endpoints: readonly RouterEndpoint[],
  random: () => number,
  context: RouterContext,
  previous?: Router,
  keyed?: KeyedRouting,
): Router {
  const indexOf = finderOf(endpoints.map((endpoint) => endpoint.instanceId));
  const isKeyed = policy === 'keyed' || policy === 'same-instance';
  const routing = isKeyed ? (keyed ?? new KeyedRouting(endpoints, previous?.keyed ?? undefined)) : null;
  return {
    endpoints,
    keyed: routing,
    active: activeIndices(endpoints),
    choose: chooserOf(policy, endpoints, random, context, routing, indexOf),
    indexOf,
  };
}

/** Up to so many ids are gone through one by one: no more than one look into a map costs, and most often less. */
const scanMax = 8;

/** Finds the position of an id; -1: it is not among them. */
function finderOf(ids: readonly number[]): (id: number) => number {
  if (ids.length <= scanMax) {
    return (id) => {
      for (let i = 0; i < ids.length; i++) if (ids[i] === id) return i;
      return -1;
    };
  }
  const indexById = new Map(ids.map((id, index) => [id, index]));
  return (id) => indexById.get(id) ?? -1;
}

function chooserOf(
  policy: RoutingPolicy,
  endpoints: readonly RouterEndpoint[],
  random: () => number,
  context: RouterContext,
  keyed: KeyedRouting | null,
  indexOf: (instanceId: number) => number,
): Choose {
  switch (policy) {
    case 'shortest-queue':
      return chooseShortestQueue(endpoints, random);
    case 'round-robin':
      return chooseRoundRobin(endpoints, random);
    case 'same-process':
      return chooseShortestQueue(endpoints, random, (endpoint) => endpoint.isLocalProcess);
    case 'same-machine-as-origin':
      return chooseOnOriginMachine(endpoints, random, context);
    case 'keyed':
      return (flowKey) => (keyed as KeyedRouting).choose(flowKey);
    case 'same-instance':
      return chooseSameInstance(keyed as KeyedRouting, context, indexOf);
    case 'explicit':
    case 'all':
      return () => -1;
  }
}

/** The shortest queue on the machine where the chain began; none elsewhere. */
function chooseOnOriginMachine(
  endpoints: readonly RouterEndpoint[],
  random: () => number,
  context: RouterContext,
): Choose {
  const machines = new Set(endpoints.map((endpoint) => endpoint.machine));
  const chooseOn = new Map(
    Array.from(machines, (machine) => [
      machine,
      chooseShortestQueue(endpoints, random, (endpoint) => endpoint.machine === machine),
    ]),
  );
  return (flowKey) => chooseOn.get(context.originMachine)?.(flowKey) ?? -1;
}

/** The endpoint that the chain met last, draining or not; else by key. */
function chooseSameInstance(
  byKey: KeyedRouting,
  context: RouterContext,
  indexOf: (instanceId: number) => number,
): Choose {
  return (flowKey) => {
    for (let i = context.provenanceLength - 1; i >= 0; i--) {
      const index = indexOf(context.provenance[i] ?? 0);
      if (index >= 0) return index;
    }
    return byKey.choose(flowKey);
  };
}
