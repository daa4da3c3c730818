import type { RoutingPolicy } from '../../model/index.ts';
import type { Endpoint, RoutingTable } from '../../wire/index.ts';
import type { Random } from '../seeded-random.ts';
import type { SimulatedInstance } from './instance.ts';
import type { SimulatedProcess } from './process.ts';

/**
 * Chooses by the table in force at the sender. Null: no endpoint that may be used; `gone`: the chosen endpoint does
 * not exist (a table led to an instance that was removed or died).
 */
export function chooseEndpoint(
  processes: ReadonlyMap<string, SimulatedProcess>,
  from: SimulatedProcess,
  table: RoutingTable | undefined,
  routing: RoutingPolicy,
  random: Random,
): SimulatedInstance | 'gone' | null {
  const usable = (table?.endpoints ?? []).filter(
    (endpoint) =>
      !endpoint.isDraining &&
      (routing !== 'same-process' ||
        (endpoint.process === from.processName && endpoint.machine === from.machineName)),
  );
  if (usable.length === 0) return null;
  if (routing !== 'shortest-queue' && routing !== 'same-process') {
    return find(processes, byWeight(usable, random));
  }
  // Join an idle one, else the shorter of two.
  let idle: SimulatedInstance | null = null;
  let seen = 0;
  for (const endpoint of usable) {
    const instance = find(processes, endpoint);
    if (instance === 'gone' || instance.queue.length + instance.inService > 0) continue;
    seen++;
    if (random() * seen < 1) idle = instance;
  }
  if (idle !== null) return idle;
  const one = find(processes, byWeight(usable, random));
  const other = find(processes, byWeight(usable, random));
  if (one === 'gone' || other === 'gone') return one;
  return one.queue.length <= other.queue.length ? one : other;
}

function byWeight(endpoints: readonly Endpoint[], random: Random): Endpoint {
  let rest = random() * endpoints.reduce((sum, endpoint) => sum + endpoint.weight, 0);
  for (const endpoint of endpoints) {
    rest -= endpoint.weight;
    if (rest <= 0) return endpoint;
  }
  return endpoints.at(-1)!;
}

function find(
  processes: ReadonlyMap<string, SimulatedProcess>,
  endpoint: Endpoint,
): SimulatedInstance | 'gone' {
  const instance = processes
    .get(`${endpoint.machine}/${endpoint.process}`)
    ?.instances.get(endpoint.instanceId);
  return instance === undefined || instance.phase === 'lost' ? 'gone' : instance;
}
