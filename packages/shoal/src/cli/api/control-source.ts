/** What the control endpoint serves, and what it answers. */
import type { Controller, ControllerView, Decision } from '../../controller/index.ts';
import type { InstanceId, MachineId, ProcessId } from '../../model/index.ts';
import type { ControlBus, Report } from '../../wire/index.ts';
import { createReportKeeper } from './report-keeper.ts';

export interface SojournTimes {
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** An instance that a person names; `msu`: its type, if that was said as well (`regex#7`). */
interface NamedInstance {
  readonly instanceId: InstanceId;
  readonly msu?: string;
}

/** What a person may order. */
export type PersonOrder =
  | { readonly operator: 'clone'; readonly msu: string; readonly count: number }
  | ({ readonly operator: 'remove' } & NamedInstance)
  | ({
      readonly operator: 'reassign';
      readonly machine: MachineId;
      readonly process: ProcessId;
    } & NamedInstance);

/** What runs, as the control endpoint sees it. */
export interface ControlSource {
  view(): ControllerView;
  /** Oldest first. */
  decisions(): readonly Decision[];
  /** Why there are as many of a type, or why an instance (`7` or `regex#7`) is there. The name exists. */
  explain(name: string): string;
  /** Carries out an order; resolves when it is over. The names in it exist. */
  operate(order: PersonOrder): Promise<Decision>;
  /** The newest report of each process. */
  reports(): readonly Report[];
  /** Sojourn times of each type over about the last second; types without any are absent. */
  sojourn(): Readonly<Record<string, SojournTimes>>;
}

/** A decision with its line for people. */
export type DecisionWithText = Decision & { readonly text: string };

/** What `GET /v1/view` answers. */
export interface ControlSnapshot {
  readonly view: ControllerView;
  readonly sojourn: Readonly<Record<string, SojournTimes>>;
  /** The newest, at most {@link recentDecisionsMax}; oldest first. */
  readonly recentDecisions: readonly DecisionWithText[];
}

/** Decisions that come along with a view. */
export const recentDecisionsMax = 20;

/** Instances that one order may ask for. */
export const orderCountMax = 64;

/** The source of a live controller and the bus that it listens to. */
export function createControlSource(controller: Controller, bus: ControlBus): ControlSource {
  const keeper = createReportKeeper();
  bus.onReport((report) => keeper.accept(report));
  return {
    view: () => controller.view(),
    decisions: () => controller.decisions(),
    explain: (name) => controller.explain(name),
    operate(order) {
      switch (order.operator) {
        case 'clone':
          return controller.clone(order.msu, order.count);
        case 'remove':
          return controller.remove(order.instanceId);
        case 'reassign':
          return controller.reassign(order.instanceId, { machine: order.machine, process: order.process });
      }
    },
    reports: () => keeper.latest(),
    sojourn: () => keeper.sojourn(),
  };
}
