export { describeEvent, type SupervisorEvent } from './events.ts';
export { joinSupervisor, type SupervisorLink, type SupervisorOrders } from './join.ts';
export type { LastReport, RestartCause } from './messages.ts';
export type { RuntimeEnd } from './runtime-end.ts';
export { givenUpExitCode, type Supervisor, type SupervisorOptions, startSupervisor } from './supervisor.ts';
