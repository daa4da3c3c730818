import type { RoutingPolicy } from '../../model/index.ts';
import type { RoutingTable } from '../../wire/index.ts';
import type { Random } from '../seeded-random.ts';
import type { SimulatedInstance } from './instance.ts';
import type { SimulatedProcess } from './process.ts';

/** An endpoint of a table in force: the instance it leads to, and the sum of the weights up to it. */
interface Way {
  readonly instance: SimulatedInstance | null;
  readonly weightUpTo: number;
}

/** The ways of one table that a process may use; made when it is first used. */
export interface Ways {
  readonly table: RoutingTable;
  readonly ways: readonly Way[];
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
  let weightUpTo = 0;
  const ways = usable.map(({ machine, process, instanceId, weight }): Way => {
    weightUpTo += weight;
    const instance = processes.get(`${machine}/${process}`)?.instances.get(instanceId) ?? null;
    return { instance, weightUpTo };
  });
  return { table, ways };
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
  if (routing !== 'shortest-queue' && routing !== 'same-process') return byWeight(ways, random) ?? 'gone';
  // Join an idle one, beginning anywhere; else the shorter of two.
  const start = Math.floor(random() * ways.length);
  for (let i = 0; i < ways.length; i++) {
    const instance = ways[(start + i) % ways.length]?.instance;
    if (instance?.isIdle === true) return instance;
  }
  const one = byWeight(ways, random);
  const other = byWeight(ways, random);
  if (one === null) return 'gone';
  return other === null || one.queue.length <= other.queue.length ? one : other;
}

/** Null: it is gone. */
function byWeight(ways: readonly Way[], random: Random): SimulatedInstance | null {
  const chosen = random() * (ways.at(-1)?.weightUpTo ?? 0);
  let low = 0;
  let high = ways.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (ways[middle]!.weightUpTo < chosen) low = middle + 1;
    else high = middle;
  }
  const instance = ways[low]?.instance;
  return instance?.isThere === true ? instance : null;
}
