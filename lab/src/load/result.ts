/**
 * How a request ended. Exactly one of these for every request that was due:
 * - `ok`: a response with a status below 400;
 * - `refused`: 503 or 429, the server saying that it is too busy;
 * - `failed`: any other status of 400 or more;
 * - `timedOut`: no complete response within the timeout, counted from the intended send time;
 * - `errored`: the connection could not be made, broke, or carried something that is not HTTP.
 */
export type Outcome = 'ok' | 'refused' | 'failed' | 'timedOut' | 'errored';

export const outcomes: readonly Outcome[] = ['ok', 'refused', 'failed', 'timedOut', 'errored'];

/** How long responses took, in milliseconds from the intended send time. All 0 when there were none. */
export interface LatencySummary {
  readonly meanMs: number;
  readonly p50Ms: number;
  readonly p90Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
  readonly maxMs: number;
}

/** Counts add up: `sent` is the sum of the five outcomes. */
export interface OutcomeCounts {
  /** Requests whose intended send time lies in the span. */
  readonly sent: number;
  readonly ok: number;
  readonly refused: number;
  readonly failed: number;
  readonly timedOut: number;
  readonly errored: number;
}

/** One second of one request kind. A request belongs to the second of its intended send time. */
export interface KindSecond extends OutcomeCounts {
  /** Responses by the first digit of their status: `{ '2xx': 140, '5xx': 3 }`. */
  readonly statusClasses: Readonly<Record<string, number>>;
  /** Latency of `ok` responses. */
  readonly latency: LatencySummary;
  /** Latency of `refused` responses: how fast a refusal is. */
  readonly refusedLatency: LatencySummary;
}

export interface LoadSecond {
  /** Whole seconds since the start of the load. */
  readonly second: number;
  /** By name of the request kind. */
  readonly kinds: Readonly<Record<string, KindSecond>>;
  /** All kinds together. */
  readonly total: KindSecond;
  /** Connections opened in this second (TCP and TLS both done). */
  readonly connectionsOpened: number;
}

/** A named span of the load, with exact percentiles over all of its requests. */
export interface PhaseResult extends OutcomeCounts {
  readonly name: string;
  readonly startMs: number;
  readonly endMs: number;
  /** `ok / sent`, or 1 when nothing was sent. */
  readonly successRatio: number;
  /** Seconds in which fewer than 99 % of the requests were `ok`. */
  readonly secondsBelow99: number;
  readonly latency: LatencySummary;
  readonly refusedLatency: LatencySummary;
  /** The generator's own lag: from the intended to the actual start of sending. */
  readonly lag: LatencySummary;
  /** Latency of `ok` responses as a compressed HDR histogram (base64), in whole microseconds. */
  readonly histogram: string;
}

/** What the generator itself did: a late or busy generator spoils a measurement, so it says so. */
export interface GeneratorHealth {
  /** Time from the intended to the actual start of sending, connection waiting apart. */
  readonly lag: LatencySummary;
  /** CPU time used by the generator's process. */
  readonly cpuSeconds: number;
  /** CPU time over wall time: 0.5 is half a core. */
  readonly cpuUtilization: number;
  /** True when some phase's 99th percentile of lag is above `lagMaxMs`: the load was not what was asked for. */
  readonly late: boolean;
}

export interface LoadResult {
  /** Wall-clock time of second 0, in milliseconds since 1970, to line up with other logs. */
  readonly startedAtEpochMs: number;
  readonly durationMs: number;
  readonly seconds: readonly LoadSecond[];
  readonly phases: readonly PhaseResult[];
  /** By kind and over the whole run. */
  readonly kinds: Readonly<Record<string, OutcomeCounts & { readonly latency: LatencySummary }>>;
  /** Error codes (`ECONNRESET`, …) and how often each ended a request. */
  readonly errors: Readonly<Record<string, number>>;
  readonly connections: {
    readonly opened: number;
    readonly failed: number;
    /** Requests sent once more because the kept connection they went out on had just been closed. */
    readonly resent: number;
    /** Requests that timed out while they still waited for a connection. */
    readonly timedOutWaiting: number;
    readonly peakOpen: number;
  };
  readonly generator: GeneratorHealth;
}
