import * as hdr from 'hdr-histogram-js';
import type { LoadPhase } from './options.ts';
import type { KindSecond, LatencySummary, LoadResult, LoadSecond, Outcome, PhaseResult } from './result.ts';

/**
 * Turns the ends of requests into seconds, phases and totals. Owns every count of a run; knows no clock and no
 * sockets.
 *
 * - I1: every request told by `due` is told once by `end`, so that `sent` is the sum of the outcomes.
 * - I2: a second is reported once, after every request of it has ended.
 * - I3: a request belongs to the second and the phase of its intended send time, whenever it ends.
 */
export interface Recorder {
  /** A request is due and leaves `lagMs` after its intended time. */
  due(kindIndex: number, intendedMs: number, lagMs: number): void;
  end(kindIndex: number, intendedMs: number, end: RequestEnd): void;
  connectionOpened(atMs: number): void;
  /** Hands out the seconds before `beforeMs` in which nothing is pending, in order. */
  takeSeconds(beforeMs: number): LoadSecond[];
  summary(): Pick<LoadResult, 'seconds' | 'phases' | 'kinds' | 'errors'>;
}

export interface RequestEnd {
  readonly outcome: Outcome;
  /** From the intended send time. */
  readonly latencyMs: number;
  /** Of a response. */
  readonly status?: number;
  /** Of an error. */
  readonly errorCode?: string;
}

/** Which outcome a response is. */
export function outcomeOfStatus(status: number): 'ok' | 'refused' | 'failed' {
  if (status < 400) return 'ok';
  return status === 503 || status === 429 ? 'refused' : 'failed';
}

const noLatency: LatencySummary = { meanMs: 0, p50Ms: 0, p90Ms: 0, p99Ms: 0, p999Ms: 0, maxMs: 0 };
const rounded = (ms: number): number => Math.round(ms * 1000) / 1000;

/** Exact figures of a list of latencies (nearest rank). Sorts the list in place. */
export function summarizeList(latenciesMs: number[]): LatencySummary {
  if (latenciesMs.length === 0) return noLatency;
  const sorted = Float64Array.from(latenciesMs).sort();
  const at = (share: number): number => rounded(sorted[Math.ceil(share * sorted.length) - 1] ?? 0);
  const sum = sorted.reduce((total, ms) => total + ms, 0);
  return {
    meanMs: rounded(sum / sorted.length),
    p50Ms: at(0.5),
    p90Ms: at(0.9),
    p99Ms: at(0.99),
    p999Ms: at(0.999),
    maxMs: at(1),
  };
}

/** An HDR histogram of latencies: whole microseconds, three significant digits, growing as needed. */
export class LatencyHistogram {
  readonly #histogram: hdr.Histogram = hdr.build({ bitBucketSize: 32, numberOfSignificantValueDigits: 3 });

  add(latencyMs: number): void {
    this.#histogram.recordValue(Math.max(0, Math.round(latencyMs * 1000)));
  }

  summary(): LatencySummary {
    const histogram = this.#histogram;
    if (histogram.totalCount === 0) return noLatency;
    const at = (percent: number): number => rounded(histogram.getValueAtPercentile(percent) / 1000);
    return {
      meanMs: rounded(histogram.mean / 1000),
      p50Ms: at(50),
      p90Ms: at(90),
      p99Ms: at(99),
      p999Ms: at(99.9),
      maxMs: rounded(histogram.maxValue / 1000),
    };
  }

  encode(): string {
    return hdr.encodeIntoCompressedBase64(this.#histogram);
  }
}

/** Counts and exact latencies of one kind in one second. */
class KindBucket {
  sent = 0;
  readonly counts: Record<Outcome, number> = { ok: 0, refused: 0, failed: 0, timedOut: 0, errored: 0 };
  readonly statusClasses: Record<string, number> = {};
  readonly okMs: number[] = [];
  readonly refusedMs: number[] = [];

  end(end: RequestEnd): void {
    this.counts[end.outcome] += 1;
    if (end.status !== undefined) {
      const name = `${Math.floor(end.status / 100)}xx`;
      this.statusClasses[name] = (this.statusClasses[name] ?? 0) + 1;
    }
    if (end.outcome === 'ok') this.okMs.push(end.latencyMs);
    if (end.outcome === 'refused') this.refusedMs.push(end.latencyMs);
  }

  toJson(): KindSecond {
    return {
      sent: this.sent,
      ...this.counts,
      statusClasses: this.statusClasses,
      latency: summarizeList(this.okMs),
      refusedLatency: summarizeList(this.refusedMs),
    };
  }
}

class SecondBucket {
  readonly kinds: readonly KindBucket[];
  readonly total: KindBucket = new KindBucket();
  pending = 0;
  constructor(kindCount: number) {
    this.kinds = Array.from({ length: kindCount }, () => new KindBucket());
  }
}

/** Counts and histograms over a phase, or of one kind over the whole run. */
class Tally {
  sent = 0;
  readonly counts: Record<Outcome, number> = { ok: 0, refused: 0, failed: 0, timedOut: 0, errored: 0 };
  readonly okLatency: LatencyHistogram = new LatencyHistogram();
  readonly refusedLatency: LatencyHistogram = new LatencyHistogram();
  readonly lag: LatencyHistogram = new LatencyHistogram();

  end(end: RequestEnd): void {
    this.counts[end.outcome] += 1;
    if (end.outcome === 'ok') this.okLatency.add(end.latencyMs);
    if (end.outcome === 'refused') this.refusedLatency.add(end.latencyMs);
  }
}

export function createRecorder(kindNames: readonly string[], phases: readonly LoadPhase[]): Recorder {
  const open = new Map<number, SecondBucket>();
  const seconds: LoadSecond[] = [];
  const opened = new Map<number, number>();
  const errors: Record<string, number> = {};
  const kindTallies = kindNames.map(() => new Tally());
  const phaseTallies = phases.map((phase) => ({ phase, tally: new Tally() }));
  let nextSecond = 0;

  const bucketOf = (second: number): SecondBucket => {
    let bucket = open.get(second);
    if (bucket === undefined) {
      bucket = new SecondBucket(kindNames.length);
      open.set(second, bucket);
    }
    return bucket;
  };
  const talliesAt = (kindIndex: number, intendedMs: number): Tally[] => [
    kindTallies[kindIndex]!,
    ...phaseTallies
      .filter(({ phase }) => intendedMs >= phase.startMs && intendedMs < phase.endMs)
      .map(({ tally }) => tally),
  ];
  const finish = (second: number): LoadSecond => {
    const bucket = open.get(second) ?? new SecondBucket(kindNames.length);
    open.delete(second);
    return {
      second,
      kinds: Object.fromEntries(kindNames.map((name, i) => [name, bucket.kinds[i]!.toJson()])),
      total: bucket.total.toJson(),
      connectionsOpened: opened.get(second) ?? 0,
    };
  };

  return {
    due(kindIndex, intendedMs, lagMs) {
      const bucket = bucketOf(Math.floor(intendedMs / 1000));
      bucket.pending += 1;
      bucket.total.sent += 1;
      bucket.kinds[kindIndex]!.sent += 1;
      for (const tally of talliesAt(kindIndex, intendedMs)) {
        tally.sent += 1;
        tally.lag.add(lagMs);
      }
    },
    end(kindIndex, intendedMs, end) {
      const bucket = bucketOf(Math.floor(intendedMs / 1000));
      bucket.pending -= 1;
      bucket.total.end(end);
      bucket.kinds[kindIndex]!.end(end);
      for (const tally of talliesAt(kindIndex, intendedMs)) tally.end(end);
      if (end.errorCode !== undefined) errors[end.errorCode] = (errors[end.errorCode] ?? 0) + 1;
    },
    connectionOpened(atMs) {
      const second = Math.floor(atMs / 1000);
      opened.set(second, (opened.get(second) ?? 0) + 1);
    },
    takeSeconds(beforeMs) {
      const taken: LoadSecond[] = [];
      while ((nextSecond + 1) * 1000 <= beforeMs && (open.get(nextSecond)?.pending ?? 0) === 0) {
        const finished = finish(nextSecond);
        seconds.push(finished);
        taken.push(finished);
        nextSecond += 1;
      }
      return taken;
    },
    summary: () => ({
      seconds,
      phases: phaseTallies.map(({ phase, tally }) => phaseResult(phase, tally, seconds)),
      kinds: Object.fromEntries(
        kindNames.map((name, i) => {
          const tally = kindTallies[i]!;
          return [name, { sent: tally.sent, ...tally.counts, latency: tally.okLatency.summary() }];
        }),
      ),
      errors,
    }),
  };
}

function phaseResult(phase: LoadPhase, tally: Tally, seconds: readonly LoadSecond[]): PhaseResult {
  const within = seconds.filter(
    ({ second }) => second * 1000 >= phase.startMs && (second + 1) * 1000 <= phase.endMs,
  );
  return {
    ...phase,
    sent: tally.sent,
    ...tally.counts,
    successRatio: tally.sent === 0 ? 1 : tally.counts.ok / tally.sent,
    secondsBelow99: within.filter(({ total }) => total.ok < 0.99 * total.sent).length,
    latency: tally.okLatency.summary(),
    refusedLatency: tally.refusedLatency.summary(),
    lag: tally.lag.summary(),
    histogram: tally.okLatency.encode(),
  };
}
