import type { Cell, PhaseName, Row, SecondPoint } from './results.ts';

/** Median and range over runs; null when no run has a figure. */
export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

export function spreadOf(values: readonly (number | null)[]): Spread | null {
  const sorted = values.filter((value) => value !== null).sort((a, b) => a - b);
  if (sorted.length === 0) return null;
  const middle = sorted.length / 2;
  const median =
    sorted.length % 2 === 1 ? sorted[Math.floor(middle)]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
  return { median, min: sorted[0]!, max: sorted[sorted.length - 1]! };
}

/** The figures of a row that are numbers. */
export type RowFigure =
  | 'successRatio'
  | 'p50Ms'
  | 'p99Ms'
  | 'secondsBelow99'
  | 'cpuSeconds'
  | 'peakMemoryMiB'
  | 'wireBytes'
  | 'throttled';

/** Rows of one attack, deployment and phase over all runs. */
export function rowsOf(cells: readonly Cell[], attack: string, deployment: string, phase: PhaseName): Row[] {
  return cells
    .filter((cell) => cell.attack === attack && cell.deployment === deployment)
    .flatMap(({ rows }) => rows.filter((row) => row.phase === phase));
}

export function spreadOfRows(rows: readonly Row[], figure: RowFigure): Spread | null {
  return spreadOf(rows.map((row) => row[figure]));
}

/** Two success ratios closer than this are equal: the better latency then decides. */
const successTie = 0.005;

/**
 * Which deployments did best in a phase: highest median success, and among those within half a percent of it the lowest
 * median p99, with all that are within 10 % of that. None when nobody served anything.
 */
export function bestDeployments(cells: readonly Cell[], attack: string, phase: PhaseName): Set<string> {
  const names = new Set(cells.filter((cell) => cell.attack === attack).map(({ deployment }) => deployment));
  const figures = [...names].map((deployment) => {
    const rows = rowsOf(cells, attack, deployment, phase);
    return {
      deployment,
      success: spreadOfRows(rows, 'successRatio')?.median ?? 0,
      p99Ms: spreadOfRows(rows, 'p99Ms')?.median ?? Number.POSITIVE_INFINITY,
    };
  });
  const most = Math.max(0, ...figures.map(({ success }) => success));
  if (most === 0) return new Set();
  const leaders = figures.filter(({ success }) => success >= most - successTie);
  const least = Math.min(...leaders.map(({ p99Ms }) => p99Ms));
  return new Set(leaders.filter(({ p99Ms }) => p99Ms <= least * 1.1).map(({ deployment }) => deployment));
}

/** One deployment's seconds under an attack: for each second the median over runs. */
export function medianSeconds(cells: readonly Cell[], attack: string, deployment: string): SecondPoint[] {
  const runs = cells.filter((cell) => cell.attack === attack && cell.deployment === deployment);
  const length = Math.min(...runs.map(({ seconds }) => seconds.length));
  if (runs.length === 0) return [];
  return Array.from({ length }, (_, second) => {
    const points = runs.map(({ seconds }) => seconds[second]!);
    const median = (read: (point: SecondPoint) => number | null): number | null =>
      spreadOf(points.map(read))?.median ?? null;
    return {
      second,
      sent: median(({ sent }) => sent) ?? 0,
      ok: median(({ ok }) => ok) ?? 0,
      refused: median(({ refused }) => refused) ?? 0,
      meanMs: median(({ meanMs }) => meanMs),
      p99Ms: median(({ p99Ms }) => p99Ms),
      instances: median(({ instances }) => instances) ?? 0,
      oomKills: median(({ oomKills }) => oomKills) ?? 0,
    };
  });
}
