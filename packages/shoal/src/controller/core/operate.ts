/** The four operators on a person's order. An order that cannot be carried out is a refused decision. */
import type { AppGraph, InstanceId, MachineId, ProcessId } from '../../model/index.ts';
import type { Cause, Operator, Rejection } from './decision.ts';
import { isServing } from './estimate.ts';
import type { Parts } from './parts.ts';
import { describeUnits, nameUnits } from './parts.ts';
import type { InstanceView, ProcessKey, TypeView } from './view.ts';

/** A process, by name; the machine only where process names are not unique. */
export interface Place {
  readonly process: ProcessId;
  readonly machine?: MachineId;
}

/** What a person may order. */
export type Order =
  /** Adds an instance, at the place if one is named. */
  | { readonly operator: 'add'; readonly msu: string; readonly place?: Place }
  /** Adds `count` copies (default 1) where they fit best. */
  | { readonly operator: 'clone'; readonly msu: string; readonly count?: number }
  /** Drains and removes an instance. */
  | { readonly operator: 'remove'; readonly instanceId: InstanceId }
  /** Moves an instance: a new one takes its place first. */
  | { readonly operator: 'reassign'; readonly instanceId: InstanceId; readonly place: Place };

const cause: Cause = { kind: 'person' };

/** A controller that does not decide any more says so. Returns the id of the decision. */
export function refuseOrder(parts: Parts, order: Order, reason: string, nowMs: number): number {
  const msu = 'msu' in order ? order.msu : (parts.monitor.instances.get(order.instanceId)?.msu ?? '');
  return refuse(parts, order.operator, msu, reason, nowMs);
}

/** Returns the id of the decision. */
export function operate(parts: Parts, order: Order, nowMs: number): number {
  switch (order.operator) {
    case 'add':
      return add(parts, order.operator, order.msu, 1, order.place ?? null, null, nowMs);
    case 'clone':
      return add(parts, order.operator, order.msu, order.count ?? 1, null, null, nowMs);
    case 'reassign': {
      const instance = parts.monitor.instances.get(order.instanceId);
      if (instance === undefined) return unknown(parts, order.operator, order.instanceId, nowMs);
      if (parts.executor.leaving.has(order.instanceId))
        return leaving(parts, order.operator, instance, nowMs);
      return add(parts, order.operator, instance.msu, 1, order.place, instance, nowMs);
    }
    case 'remove':
      return remove(parts, order.instanceId, nowMs);
  }
}

/** A decision that says why an order is not carried out. Returns its id. */
function refuse(
  parts: Parts,
  operator: Operator,
  msu: string,
  reason: string,
  nowMs: number,
  rejected: readonly Rejection[] = [],
): number {
  const id = parts.log.open({ operator, msu, cause, rejected }, nowMs);
  parts.log.close(id, 'refused', reason, nowMs);
  return id;
}

function unknown(parts: Parts, operator: Operator, instanceId: InstanceId, nowMs: number): number {
  const known = [...parts.monitor.instances.keys()].sort((a, b) => a - b).slice(0, 32);
  return refuse(
    parts,
    operator,
    '',
    `there is no instance ${instanceId}; there are ${known.join(', ') || 'none'}`,
    nowMs,
  );
}

function leaving(parts: Parts, operator: Operator, instance: InstanceView, nowMs: number): number {
  const { msu, instanceId } = instance;
  return refuse(
    parts,
    operator,
    msu,
    `there is no instance ${instanceId} any more: it is being removed`,
    nowMs,
  );
}

function add(
  parts: Parts,
  operator: Operator,
  msu: string,
  count: number,
  place: Place | null,
  old: InstanceView | null,
  nowMs: number,
): number {
  const type = parts.monitor.types.get(msu);
  if (type === undefined) {
    return refuse(parts, operator, msu, `the app has no type ${msu}; it has ${names(parts.graph)}`, nowMs);
  }
  if (!Number.isInteger(count) || count < 1) {
    return refuse(parts, operator, msu, `${count} is no count; give a whole number of at least 1`, nowMs);
  }
  if (parts.executor.isBusy(msu)) {
    return refuse(
      parts,
      operator,
      msu,
      `a decision for ${msu} is under way; try again when it is over`,
      nowMs,
    );
  }
  let processes: ReadonlySet<ProcessKey> | null = null;
  if (place !== null) {
    const found = [...parts.monitor.processes.values()].filter(
      (process) =>
        process.process === place.process &&
        (place.machine === undefined || process.machine === place.machine),
    );
    if (found.length !== 1) {
      const known = [...parts.monitor.processes.keys()].join(', ') || 'none';
      const problem = found.length === 0 ? 'no process is called' : 'several processes are called';
      return refuse(parts, operator, msu, `${problem} ${place.process}; there are ${known}`, nowMs);
    }
    processes = new Set(found.map((process) => process.key));
  }
  const { units, rejected } = parts.placer.place(
    { type, count, processes, relieves: '', isForced: true },
    parts.executor.ordered(),
    nowMs,
  );
  if (units.length < count) {
    const meant = rejected.filter(({ process }) => processes === null || processes.has(process));
    const reason = meant[0]?.reason ?? 'no process reports';
    return refuse(
      parts,
      operator,
      msu,
      `only ${units.length} of ${count} can be placed: ${reason}`,
      nowMs,
      meant,
    );
  }
  const named = nameUnits(parts, units);
  const removes = old === null ? [] : [old.instanceId];
  const id = parts.log.open(
    { operator, msu, cause, placements: describeUnits(named), removes, rejected },
    nowMs,
  );
  // What people add stays: it is not taken back when it is calm.
  if (old === null) type.floor = Math.max(type.floor, serving(parts, type) + count);
  parts.executor.add(id, named, nowMs, old);
  return id;
}

function remove(parts: Parts, instanceId: InstanceId, nowMs: number): number {
  const instance = parts.monitor.instances.get(instanceId);
  if (instance === undefined) return unknown(parts, 'remove', instanceId, nowMs);
  if (parts.executor.leaving.has(instanceId)) return leaving(parts, 'remove', instance, nowMs);
  const { msu } = instance;
  const type = parts.monitor.type(msu);
  if (parts.executor.isBusy(msu)) {
    return refuse(
      parts,
      'remove',
      msu,
      `a decision for ${msu} is under way; try again when it is over`,
      nowMs,
    );
  }
  const left = serving(parts, type) - (isServing(instance) ? 1 : 0);
  if (left < type.msu.instancesMin) {
    const reason = `${msu} would have ${left} instances, and must have at least ${type.msu.instancesMin}`;
    return refuse(parts, 'remove', msu, reason, nowMs);
  }
  const id = parts.log.open({ operator: 'remove', msu, cause, removes: [instanceId] }, nowMs);
  type.committed = Math.min(type.committed, left);
  type.floor = Math.min(type.floor, left);
  parts.executor.remove(id, msu, [instance], nowMs);
  return id;
}

function serving(parts: Parts, type: TypeView): number {
  const { leaving: going } = parts.executor;
  return [...type.instances].filter((i) => isServing(i) && !going.has(i.instanceId)).length;
}

function names(graph: AppGraph): string {
  return graph.msus.map((msu) => msu.name).join(', ');
}
