export { type Isolated, type IsolateOptions, isolate } from './isolate/index.ts';
export * from './model/index.ts';
// Not by index.ts, here and in isolate/: every thread of an app loads this, and the agent's modules are none of its business.
export { defineListener, type ListenerMsu, type ListenerOptions } from './runtime/listener.ts';
