export * from './descriptor.ts';
export * from './futex.ts';
export { errnoName, type NativeResult } from './result.ts';
export * from './thread.ts';
