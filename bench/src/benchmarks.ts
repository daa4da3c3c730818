import type { Benchmark } from './report.ts';

/** Every benchmark by name; loaded only when it is run. */
export const benchmarks: Readonly<Record<string, () => Promise<Benchmark>>> = {
  hops: async () => (await import('./hops/index.ts')).hops,
  overhead: async () => (await import('./overhead.ts')).overhead,
  routing: async () => (await import('./routing.ts')).routing,
  runaways: async () => (await import('./runaways.ts')).runaways,
  analysis: async () => (await import('./analysis.ts')).analysis,
};
