export { type Isolated, isolate } from './isolate.ts';
export type { IsolateOptions } from './options.ts';
