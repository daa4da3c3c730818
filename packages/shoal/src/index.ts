export { type Isolated, type IsolateOptions, isolate } from './isolate/index.ts';
export * from './model/index.ts';
export { defineListener, type ListenerMsu, type ListenerOptions } from './runtime/index.ts';
