/**
 * Which thread needs a way to which instance. Pure questions about the graph: the agent makes the lanes.
 */
import type { AppGraph, GraphEdge } from '../model/index.ts';

export interface Wiring {
  /** Edges that end at a type. */
  into(msu: string): readonly GraphEdge[];
  /** Edges that begin at a type. */
  from(msu: string): readonly GraphEdge[];
  /** Types whose instances reply to a type's requests. */
  serversOf(msu: string): ReadonlySet<string>;
  /** Types that a message may reach after a type: where something may fail that this type would be told of. */
  downstreamOf(msu: string): ReadonlySet<string>;
  /** All types, senders before receivers (cycles broken anywhere). */
  readonly order: readonly string[];
}

export function createWiring(graph: AppGraph): Wiring {
  const names = graph.msus.map((msu) => msu.name);
  const into = new Map(names.map((name) => [name, graph.edges.filter((edge) => edge.toMsu === name)]));
  const from = new Map(names.map((name) => [name, graph.edges.filter((edge) => edge.fromMsu === name)]));
  const servers = new Map<string, Set<string>>();
  for (const msu of graph.msus) {
    const asking = new Set(msu.out.filter((port) => port.kind === 'requests').map((port) => port.name));
    const edges = (from.get(msu.name) ?? []).filter((edge) => asking.has(edge.fromPort));
    servers.set(msu.name, new Set(edges.map((edge) => edge.toMsu)));
  }
  const downstream = new Map(names.map((name) => [name, reach(name, from)]));
  const entries = graph.msus.filter((msu) => msu.isEntry).map((msu) => msu.name);
  const order: string[] = [];
  for (const name of [...entries, ...names]) visit(name, from, order, new Set(order));
  const none: readonly GraphEdge[] = [];
  return {
    into: (msu) => into.get(msu) ?? none,
    from: (msu) => from.get(msu) ?? none,
    serversOf: (msu) => servers.get(msu) ?? new Set(),
    downstreamOf: (msu) => downstream.get(msu) ?? new Set(),
    order: order.reverse().filter((name, at, all) => all.indexOf(name) === at),
  };
}

function reach(start: string, from: ReadonlyMap<string, readonly GraphEdge[]>): Set<string> {
  const reached = new Set<string>();
  const open = [start];
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    for (const edge of from.get(name) ?? []) {
      if (reached.has(edge.toMsu)) continue;
      reached.add(edge.toMsu);
      open.push(edge.toMsu);
    }
  }
  return reached;
}

/** Depth first; a type is added when all after it are: the reverse is an order from senders to receivers. */
function visit(
  name: string,
  from: ReadonlyMap<string, readonly GraphEdge[]>,
  order: string[],
  seen: Set<string>,
): void {
  if (seen.has(name)) return;
  seen.add(name);
  for (const edge of from.get(name) ?? []) visit(edge.toMsu, from, order, seen);
  if (!order.includes(name)) order.push(name);
}
