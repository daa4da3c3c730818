import type { RoutingPolicy } from '../../model/index.ts';
import type { Endpoint, RoutingTable } from '../../wire/index.ts';
import type { Random } from '../seeded-random.ts';
import type { SimulatedInstance } from './instance.ts';
import type { SimulatedProcess } from './process.ts';

/** An endpoint of a table in force, with the instance it leads to. */
interface Way {
  readonly endpoint: Endpoint;
  readonly instance: SimulatedInstance | null;
}

/** The ways of one table that a process may use; made when it is first used. */
export interface Ways {
  readonly table: RoutingTable;
  readonly ways: readonly Way[];
  readonly weight: number;
}

function resolve(
  processes: ReadonlyMap<string, SimulatedProcess>,
  from: SimulatedProcess,
  table: RoutingTable,
  routing: RoutingPolicy,
): Ways {
  const usable = table.endpoints.filter(
    (endpoint) =>
      !endpoint.isDraining &&
      (routing !== 'same-process' ||
        (endpoint.process === from.processName && endpoint.machine === from.machineName)),
  );
  return {
    table,
    ways: usable.map((endpoint) => {
      const process = processes.get(`${endpoint.machine}/${endpoint.process}`);
      return { endpoint, instance: process?.instances.get(endpoint.instanceId) ?? null };
    }),
    weight: usable.reduce((sum, { weight }) => sum + weight, 0),
  };
}

/**
 * Chooses by the table in force at the sender. Null: no endpoint that may be used; `gone`: the chosen endpoint does
 * not exist (a table led to an instance that was removed or died).
 */
export function chooseEndpoint(
  processes: ReadonlyMap<string, SimulatedProcess>,
  from: SimulatedProcess,
  edgeId: number,
  routing: RoutingPolicy,
  random: Random,
): SimulatedInstance | 'gone' | null {
  const table = from.tables[edgeId];
  if (table === undefined) return null;
  let cached = from.ways.get(edgeId);
  if (cached === undefined || cached.table !== table) {
    cached = resolve(processes, from, table, routing);
    from.ways.set(edgeId, cached);
  }
  const { ways } = cached;
  if (ways.length === 0) return null;
  if (routing !== 'shortest-queue' && routing !== 'same-process') return byWeight(cached, random) ?? 'gone';
  // Join an idle one, beginning anywhere; else the shorter of two.
  const start = Math.floor(random() * ways.length);
  for (let i = 0; i < ways.length; i++) {
    const instance = ways[(start + i) % ways.length]?.instance;
    if (instance?.isIdle === true) return instance;
  }
  const one = byWeight(cached, random);
  const other = byWeight(cached, random);
  if (one === null) return 'gone';
  return other === null || one.queue.length <= other.queue.length ? one : other;
}

/** Null: it is gone. */
function byWeight({ ways, weight }: Ways, random: Random): SimulatedInstance | null {
  let rest = random() * weight;
  for (const { endpoint, instance } of ways) {
    rest -= endpoint.weight;
    if (rest <= 0) return instance?.isThere === true ? instance : null;
  }
  const last = ways.at(-1)?.instance ?? null;
  return last?.isThere === true ? last : null;
}
