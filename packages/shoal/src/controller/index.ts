/**
 * The control plane: who decides what runs where. `createController` makes a live one; `ControllerCore` is the same
 * without clock and network, for simulations and for replaying a recording.
 */

export type { CoreOptions } from './core/core.ts';
export { ControllerCore } from './core/core.ts';
export type { Cause, Decision, Operator, Placement, Rejection, Step } from './core/decision.ts';
export type { Overload } from './core/detector.ts';
export type { Estimate } from './core/estimate.ts';
export type { Order, Place } from './core/operate.ts';
export { explain, renderDecision } from './core/render.ts';
export type { Sizing } from './core/sizing.ts';
export type {
  ControllerView,
  InstanceFigures,
  MachineFigures,
  ProcessFigures,
  TypeFigures,
} from './core/snapshot.ts';
export type { ProcessStatus } from './core/view.ts';
export type { EntryWeight } from './core/weights.ts';
export type { Controller, ControllerOptions } from './create-controller.ts';
export { createController } from './create-controller.ts';
