export * from './descriptor.ts';
export { errnoName, type NativeResult } from './result.ts';
export * from './thread.ts';
