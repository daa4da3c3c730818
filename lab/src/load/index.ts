export type { RateStep } from './arrivals.ts';
export {
  type LoadOptions,
  LoadOptionsError,
  type LoadPhase,
  type LoadRequest,
  type LoadTls,
  type RequestKind,
  type ResolvedLoadOptions,
  resolveLoadOptions,
} from './options.ts';
export type { LoadProcessLine } from './process-lines.ts';
export { createRandom, type Random } from './random.ts';
export type {
  GeneratorHealth,
  KindSecond,
  LatencySummary,
  LoadResult,
  LoadSecond,
  Outcome,
  PhaseResult,
} from './result.ts';
export { type RunningLoad, runLoad } from './run-load.ts';
export {
  type Load,
  LoadProcessError,
  type StartLoadOptions,
  startLoad,
} from './start-load.ts';
