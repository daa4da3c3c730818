import type { LoadResult, LoadSecond } from './result.ts';

/** What the load generator's process prints, one JSON object a line. */
export type LoadProcessLine =
  | { readonly type: 'second'; readonly second: LoadSecond }
  | { readonly type: 'result'; readonly result: LoadResult };
