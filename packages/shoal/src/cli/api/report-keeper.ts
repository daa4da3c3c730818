/** Keeps the newest report of each process, and the sojourn times of the last second. Pure: reports carry their time. */
import { quantileMs, type Report, type TimeHistogram } from '../../wire/index.ts';
import type { SojournTimes } from './control-source.ts';

/** Milliseconds over which sojourn times are shown. */
export const sojournSpanMs = 1_000;
/** Reports of one process kept at most, whatever the sample period is. */
const reportsMax = 200;

export interface ReportKeeper {
  accept(report: Report): void;
  /** The newest report of each process. */
  latest(): readonly Report[];
  /** By type, over about the last {@link sojournSpanMs}; types in which nothing ended are absent. */
  sojourn(): Readonly<Record<string, SojournTimes>>;
}

/** Adds `times - earlier` to `sum`. */
function addWindow(sum: number[], times: TimeHistogram, earlier: TimeHistogram): void {
  for (const [bucket, count] of times.entries())
    sum[bucket] = (sum[bucket] ?? 0) + count - (earlier[bucket] ?? 0);
}

/** Makes a keeper without reports. */
export function createReportKeeper(): ReportKeeper {
  const kept = new Map<string, Report[]>();
  return {
    accept(report) {
      const key = `${report.machine}/${report.process}`;
      const before = kept.get(key) ?? [];
      const reports = before.at(-1)?.incarnation === report.incarnation ? before : [];
      reports.push(report);
      const isNeeded = (index: number): boolean =>
        reports.length - index <= reportsMax && report.atMs - (reports[index + 1]?.atMs ?? 0) < sojournSpanMs;
      while (reports.length > 1 && !isNeeded(0)) reports.shift();
      kept.set(key, reports);
    },
    latest: () => [...kept.values()].flatMap((reports) => reports.at(-1) ?? []),
    sojourn() {
      const sums = new Map<string, number[]>();
      for (const reports of kept.values()) {
        const last = reports.at(-1);
        const first = new Map(reports[0]?.instances.map((i) => [i.instanceId, i.sojournTime]));
        for (const { instanceId, msu, sojournTime } of last?.instances ?? []) {
          const sum = sums.get(msu) ?? [];
          // An instance younger than the span has counted from nothing.
          addWindow(sum, sojournTime, reports.length > 1 ? (first.get(instanceId) ?? []) : sojournTime);
          sums.set(msu, sum);
        }
      }
      const times = [...sums].map(([msu, sum]) => {
        return [msu, { p50Ms: quantileMs(sum, 0.5), p99Ms: quantileMs(sum, 0.99) }] as const;
      });
      return Object.fromEntries(times.filter(([, { p50Ms }]) => Number.isFinite(p50Ms)));
    },
  };
}
