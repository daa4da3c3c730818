import type { AppGraph, ControllerPolicy, Deployment, InstanceId } from '../../model/index.ts';
import type { Budget } from './budget.ts';
import type { Placement } from './decision.ts';
import type { DecisionLog } from './decision-log.ts';
import type { Executor, OrderedUnitInstance } from './executor.ts';
import type { Monitor } from './monitor.ts';
import type { PlacementUnit, Placer } from './placement.ts';
import type { Tables } from './tables.ts';

/** The parts of the core that decide together; made once by `ControllerCore`. */
export interface Parts {
  readonly graph: AppGraph;
  readonly deployment: Deployment;
  readonly policy: ControllerPolicy;
  readonly monitor: Monitor;
  readonly tables: Tables;
  readonly executor: Executor;
  readonly log: DecisionLog;
  readonly placer: Placer;
  readonly budget: Budget;
  newInstanceId(): InstanceId;
}

/** Gives the planned instances their ids. */
export function nameUnits(parts: Parts, units: readonly PlacementUnit[]): OrderedUnitInstance[][] {
  return units.map((unit) => unit.map((planned) => ({ ...planned, instanceId: parts.newInstanceId() })));
}

export function describeUnits(units: readonly (readonly OrderedUnitInstance[])[]): Placement[] {
  return units.flat().map(({ instanceId, msu, process, target, nice, score, isDependency }) => ({
    instanceId,
    msu,
    machine: process.machine,
    process: process.process,
    target,
    nice,
    score: Math.round(score * 1_000) / 1_000,
    isDependency,
  }));
}
