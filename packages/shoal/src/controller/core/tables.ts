/**
 * Routing tables: what they should be, and that every process comes to have them.
 *
 * I1 A table's version grows with every change; a process that lags, refuses or lost its tables is sent the newest
 *    ones until it confirms them, by its answer or by its reports.
 * I2 An endpoint is in a table only from `add` until `remove`; what a process reports never puts one there by itself.
 */
import type { AppGraph, InstanceId } from '../../model/index.ts';
import type { Endpoint, RoutingTable } from '../../wire/index.ts';
import { tablesRetryMs } from './constants.ts';
import type { Answer, Outbox } from './outbox.ts';
import type { ProcessKey, ProcessView } from './view.ts';

interface Delivery {
  readonly process: ProcessView;
  /** By edge id: versions known to be in force there. */
  confirmed: number[];
  /** All newest versions are confirmed. */
  isCurrent: boolean;
  isInFlight: boolean;
  retryAtMs: number;
  isGone: boolean;
  /** Why it refused tables the last time, in brackets; empty: it did not. */
  lastProblem: string;
}

interface Routed {
  readonly endpoint: Endpoint;
  readonly msu: string;
}

/** A point in the history of the tables, to wait for. */
export type TableMark = readonly { readonly edgeId: number; readonly version: number }[];

export class Tables {
  readonly #graph: AppGraph;
  readonly #outbox: Outbox;
  readonly #tables: RoutingTable[];
  readonly #routed: Map<InstanceId, Routed> = new Map();
  readonly #deliveries: Map<ProcessKey, Delivery> = new Map();
  readonly #dirty: Set<string> = new Set();
  /** Nothing is sent before this is set: a controller that takes over first hears whom there is. */
  isOpen = false;

  constructor(graph: AppGraph, outbox: Outbox) {
    this.#graph = graph;
    this.#outbox = outbox;
    this.#tables = graph.edges.map((edge) => ({ edgeId: edge.id, version: 0, endpoints: [] }));
    for (const msu of graph.msus) this.#dirty.add(msu.name);
  }

  join(process: ProcessView): void {
    this.leave(process);
    this.#deliveries.set(process.key, {
      process,
      confirmed: [],
      isCurrent: false,
      isInFlight: false,
      retryAtMs: 0,
      isGone: false,
      lastProblem: '',
    });
  }

  has(process: ProcessView): boolean {
    return this.#deliveries.has(process.key);
  }

  leave(process: ProcessView): void {
    const delivery = this.#deliveries.get(process.key);
    if (delivery !== undefined) delivery.isGone = true;
    this.#deliveries.delete(process.key);
  }

  endpoint(instanceId: InstanceId): Endpoint | undefined {
    return this.#routed.get(instanceId)?.endpoint;
  }

  /** All endpoints of a type. */
  endpoints(msu: string): Endpoint[] {
    return [...this.#routed.values()].filter((routed) => routed.msu === msu).map(({ endpoint }) => endpoint);
  }

  add(msu: string, endpoint: Endpoint): void {
    const before = this.#routed.get(endpoint.instanceId)?.endpoint;
    if (
      before !== undefined &&
      before.weight === endpoint.weight &&
      before.isDraining === endpoint.isDraining &&
      before.process === endpoint.process &&
      before.machine === endpoint.machine
    ) {
      return;
    }
    this.#routed.set(endpoint.instanceId, { endpoint, msu });
    this.#dirty.add(msu);
  }

  drain(instanceId: InstanceId): void {
    const routed = this.#routed.get(instanceId);
    if (routed !== undefined) this.add(routed.msu, { ...routed.endpoint, isDraining: true });
  }

  reweigh(instanceId: InstanceId, weight: number): void {
    const routed = this.#routed.get(instanceId);
    if (routed !== undefined) this.add(routed.msu, { ...routed.endpoint, weight });
  }

  remove(instanceId: InstanceId): void {
    const routed = this.#routed.get(instanceId);
    if (routed === undefined) return;
    this.#routed.delete(instanceId);
    this.#dirty.add(routed.msu);
  }

  /** The newest versions of the tables that lead to, or from, a type. */
  mark(msu: string, direction: 'to' | 'from'): TableMark {
    this.#rebuild();
    return this.#graph.edges.flatMap((edge) => {
      const isMeant = (direction === 'to' ? edge.toMsu : edge.fromMsu) === msu;
      return isMeant ? [{ edgeId: edge.id, version: this.#tables[edge.id]?.version ?? 0 }] : [];
    });
  }

  /** Processes where the mark is not in force, as text; those that are suspect are not waited for. */
  lagging(mark: TableMark, only: ProcessView | null = null): string[] {
    const lagging: string[] = [];
    for (const delivery of this.#deliveries.values()) {
      if (only !== null ? delivery.process !== only : delivery.process.status !== 'alive') continue;
      const isBehind = mark.some(({ edgeId, version }) => (delivery.confirmed[edgeId] ?? 0) < version);
      if (isBehind) lagging.push(`${delivery.process.key}${delivery.lastProblem}`);
    }
    return lagging;
  }

  versions(): TableMark {
    return this.#tables.map(({ edgeId, version }) => ({ edgeId, version }));
  }

  /** What the process says it has: of this controller's epoch, or left by an earlier one. */
  reported(process: ProcessView, epoch: number): void {
    const delivery = this.#deliveries.get(process.key);
    if (delivery === undefined) return;
    if (process.reportedEpoch !== epoch) {
      // Versions grow across epochs, too, so that no order of arrival can bring an old table back.
      for (const { edgeId, version } of process.reportedTables) {
        const table = this.#tables[edgeId];
        const edge = this.#graph.edges[edgeId];
        if (table === undefined || edge === undefined || version < table.version) continue;
        this.#tables[edgeId] = { ...table, version };
        this.#dirty.add(edge.toMsu);
      }
      return;
    }
    for (const { edgeId, version } of process.reportedTables) {
      const newest = this.#tables[edgeId]?.version ?? 0;
      if (version <= newest && version > (delivery.confirmed[edgeId] ?? 0))
        delivery.confirmed[edgeId] = version;
    }
  }

  /** Sends what is due. */
  flush(nowMs: number): void {
    if (!this.isOpen) return;
    this.#rebuild();
    for (const delivery of this.#deliveries.values()) {
      if (delivery.isCurrent || delivery.isInFlight || nowMs < delivery.retryAtMs) continue;
      const stale = this.#tables.filter(({ edgeId, version }) => (delivery.confirmed[edgeId] ?? 0) < version);
      delivery.isCurrent = stale.length === 0;
      if (delivery.isCurrent) continue;
      delivery.isInFlight = true;
      this.#outbox.send(delivery.process, { kind: 'set-tables', tables: stale }, nowMs, (answer, atMs) =>
        this.#answered(delivery, stale, answer, atMs),
      );
    }
  }

  #answered(delivery: Delivery, sent: readonly RoutingTable[], answer: Answer, nowMs: number): void {
    delivery.isInFlight = false;
    if (delivery.isGone) return;
    if (!answer.isOk) {
      delivery.retryAtMs = nowMs + tablesRetryMs;
      delivery.lastProblem = ` (${answer.reason}: ${answer.detail})`;
      return;
    }
    delivery.lastProblem = '';
    for (const { edgeId, version } of sent) {
      delivery.confirmed[edgeId] = Math.max(delivery.confirmed[edgeId] ?? 0, version);
    }
  }

  #rebuild(): void {
    if (this.#dirty.size === 0) return;
    const byType = new Map<string, Endpoint[]>();
    for (const { msu, endpoint } of this.#routed.values()) {
      if (!this.#dirty.has(msu)) continue;
      const endpoints = byType.get(msu);
      if (endpoints === undefined) byType.set(msu, [endpoint]);
      else endpoints.push(endpoint);
    }
    for (const endpoints of byType.values()) endpoints.sort((a, b) => a.instanceId - b.instanceId);
    for (const edge of this.#graph.edges) {
      if (!this.#dirty.has(edge.toMsu)) continue;
      const version = (this.#tables[edge.id]?.version ?? 0) + 1;
      this.#tables[edge.id] = { edgeId: edge.id, version, endpoints: byType.get(edge.toMsu) ?? [] };
    }
    this.#dirty.clear();
    for (const delivery of this.#deliveries.values()) delivery.isCurrent = false;
  }
}
