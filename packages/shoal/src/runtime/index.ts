export type { FatalReason, RuntimeLog } from './agent-state.ts';
export type { InitialThread } from './agent-threads.ts';
export { createMachineClock } from './clock.ts';
export { loadGraph } from './describe.ts';
export { createGuest, type Guest } from './guest.ts';
export { defineListener, type ListenerMsu, type ListenerOptions } from './listener.ts';
export { loadApp } from './load-app.ts';
export { type Runtime, type RuntimeOptions, startRuntime } from './runtime.ts';
export { enableTypeScript } from './typescript.ts';
