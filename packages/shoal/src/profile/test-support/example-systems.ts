/** Systems of the published documents and experiments, and generators of random ones: for tests only. */
import type { Exact } from '../exact.ts';
import { type Network, routeKey } from '../network-text.ts';
import { createProfile, type ProfileInput, type TrafficProfile } from '../profile.ts';

/** Mean rates of the documents' example application in its first seven seconds, in bit/s. */
export const exampleRequired: readonly number[] = [800e3, 850e3, 1024e3, 1000e3, 1005e3, 1050e3, 1100e3];
export const exampleProvided: readonly number[] = [900e3, 870e3, 940e3, 1000e3, 900e3, 1100e3, 1200e3];
export const overloadedProvided: readonly number[] = [800e3, 870e3, 940e3, 1000e3, 900e3, 1100e3, 1200e3];
export const measuredProvided: readonly number[] = [800e3, 880e3, 960e3, 1024e3, 1040e3, 1120e3, 1200e3];

/** One rate a second for seven seconds, then `rest` until the period of 10 s ends. */
export function everySecond(
  rates: readonly number[],
  fields: Partial<ProfileInput>,
  rest = 0,
): TrafficProfile {
  return createProfile({
    kind: 'required',
    periodSeconds: 10,
    flow: 'topic1',
    priority: 1,
    ...fields,
    rows: [...rates, rest].map((meanBitsPerSecond, timeSeconds) => ({
      timeSeconds,
      meanBitsPerSecond,
      latencySeconds: fields.rows?.[0]?.latencySeconds,
    })),
  });
}

/** Sender on node 1, receiver on node 2 that takes in what the sender sends. */
export function singleLink(provided: readonly number[]): TrafficProfile[] {
  return [
    everySecond(exampleRequired, { kind: 'required', node: '1' }),
    everySecond(provided, { kind: 'provided', node: '1' }),
    everySecond(exampleRequired, { kind: 'receiver', node: '2' }),
  ];
}

/** Two flows that share a router: node_1 → router → node_2 with priority 1, node_3 → router → node_4 with 2. */
export function routingSystem(): { profiles: TrafficProfile[]; network: Network } {
  const slow = exampleRequired.map((rate) => rate / 10);
  const taken = [240e3, 248e3, 276e3, 302.4e3, 304e3, 332e3, 360e3];
  const flow = (name: string, priority: number, from: string, to: string): TrafficProfile[] => [
    everySecond(slow, { kind: 'required', node: from, flow: name, priority, periodSeconds: 20 }),
    everySecond(taken, { kind: 'receiver', node: to, flow: name }),
  ];
  const link = (node: string): TrafficProfile => {
    const rates = [90e3, 87e3, 94e3, 100e3, 90e3, 110e3, 120e3, 1e3];
    const rows = rates.map((meanBitsPerSecond, timeSeconds) => ({
      timeSeconds,
      meanBitsPerSecond,
      latencySeconds: '0.1',
    }));
    return createProfile({ kind: 'provided', node, periodSeconds: 10, rows });
  };
  return {
    profiles: [
      ...flow('high', 1, 'node_1', 'node_2'),
      ...flow('low', 2, 'node_3', 'node_4'),
      ...['node_1', 'node_3', 'router'].map(link),
    ],
    network: networkOf([
      ['node_1', 'router', 'node_2'],
      ['node_3', 'router', 'node_4'],
    ]),
  };
}

/** A network of just these routes. */
export function networkOf(routes: readonly (readonly string[])[], multicast = false): Network {
  return {
    multicast,
    neighbours: new Map(),
    routes: new Map(routes.map((route) => [routeKey(route[0]!, route[route.length - 1]!), route])),
    source: 'network',
    warnings: [],
  };
}

/** Rows of `[time, rate]` or `[time, rate, latency]`. */
export function rowsOf(rows: readonly (readonly [Exact, Exact, Exact?])[]): ProfileInput['rows'] {
  return rows.map(([timeSeconds, meanBitsPerSecond, latencySeconds]) => ({
    timeSeconds,
    meanBitsPerSecond,
    latencySeconds,
  }));
}
