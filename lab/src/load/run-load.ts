import { performance } from 'node:perf_hooks';
import { createArrivals } from './arrivals.ts';
import { createConnector, type ExchangeEnd } from './connection.ts';
import { type ConnectionPool, createConnectionPool, type Exchange } from './connection-pool.ts';
import type { ResolvedLoadOptions } from './options.ts';
import { createRandom, type Random } from './random.ts';
import { createRecorder, LatencyHistogram, outcomeOfStatus, type Recorder } from './recorder.ts';
import type { LoadResult, LoadSecond } from './result.ts';

/** A load in progress. */
export interface RunningLoad {
  /** Ends the arrivals; what is in flight ends by itself, within the timeout. */
  stop(): void;
  readonly done: Promise<LoadResult>;
}

/** Longest sleep between two looks at the clock: bounds how late a timeout is noticed. */
const tickMaxMs = 10;
/** Between two looks for what has ended: a generator that spins would do nothing else. */
const lookPeriodMs = 1;

interface Pending extends Exchange {
  readonly kindIndex: number;
  readonly intendedMs: number;
  settled: boolean;
}

interface KindBytes {
  readonly kept: readonly Buffer[];
  readonly closing: readonly Buffer[];
}

/**
 * Sends an open-loop load from this thread: requests leave at their intended times whatever became of the ones
 * before, and latency counts from the intended time, so that a stalled server cannot hide its stall
 * (no coordinated omission). Use `startLoad` to run it in a process of its own.
 */
export function runLoad(options: ResolvedLoadOptions, onSecond: (second: LoadSecond) => void): RunningLoad {
  let stopped = false;
  const done = new Promise<LoadResult>((resolve) => {
    const engine = new Engine(options, onSecond, () => stopped, resolve);
    engine.tick();
  });
  return {
    stop: () => {
      stopped = true;
    },
    done,
  };
}

class Engine {
  readonly #options: ResolvedLoadOptions;
  readonly #onSecond: (second: LoadSecond) => void;
  readonly #isStopped: () => boolean;
  readonly #finish: (result: LoadResult) => void;
  readonly #recorder: Recorder;
  readonly #pool: ConnectionPool;
  readonly #random: Random;
  readonly #kinds: readonly KindBytes[];
  readonly #cumulativeWeights: readonly number[];
  readonly #lag = new LatencyHistogram();
  readonly #startedAt = performance.now();
  readonly #startedAtEpochMs = Date.now();
  readonly #cpuAtStart = process.cpuUsage();
  readonly #arrivals;
  #nextMs: number | undefined;
  #nextLookMs = 0;
  readonly #tick = (): void => this.tick();
  /** In order of intended time, hence of deadline. */
  #pending: Pending[] = [];
  #pendingHead = 0;
  #timedOutWaiting = 0;

  constructor(
    options: ResolvedLoadOptions,
    onSecond: (second: LoadSecond) => void,
    isStopped: () => boolean,
    finish: (result: LoadResult) => void,
  ) {
    this.#options = options;
    this.#onSecond = onSecond;
    this.#isStopped = isStopped;
    this.#finish = finish;
    const { seed, kinds } = options;
    this.#random = createRandom(seed + 1);
    this.#arrivals = createArrivals(options.steps, options.durationMs, createRandom(seed + 2));
    this.#nextMs = this.#arrivals.next();
    this.#recorder = createRecorder(
      kinds.map(({ name }) => name),
      options.phases,
    );
    this.#pool = createConnectionPool(
      createConnector(options, createRandom(seed + 4)),
      options,
      createRandom(seed + 3),
      () => this.#recorder.connectionOpened(this.#nowMs()),
    );
    const decode = (list: readonly string[]): Buffer[] => list.map((text) => Buffer.from(text, 'base64'));
    this.#kinds = kinds.map(({ kept, closing }) => ({ kept: decode(kept), closing: decode(closing) }));
    let sum = 0;
    this.#cumulativeWeights = kinds.map(({ weight }) => (sum += weight));
  }

  tick(): void {
    const nowMs = this.#nowMs();
    if (this.#isStopped()) this.#nextMs = undefined;
    while (this.#nextMs !== undefined && this.#nextMs <= nowMs) {
      this.#dispatch(this.#nextMs, nowMs);
      this.#nextMs = this.#arrivals.next();
    }
    if (nowMs >= this.#nextLookMs) {
      this.#nextLookMs = nowMs + lookPeriodMs;
      this.#expire(nowMs);
      const openMs = this.#pending[this.#pendingHead]?.intendedMs ?? this.#nextMs ?? Number.POSITIVE_INFINITY;
      const wholeMs = Math.min(nowMs, openMs, this.#secondsEndMs());
      for (const second of this.#recorder.takeSeconds(wholeMs)) this.#onSecond(second);
      if (this.#nextMs === undefined && this.#pendingHead === this.#pending.length) return this.#end(nowMs);
    }
    if (this.#options.spins) setImmediate(this.#tick);
    else setTimeout(this.#tick, Math.min(tickMaxMs, (this.#nextMs ?? nowMs + tickMaxMs) - nowMs));
  }

  #nowMs(): number {
    return performance.now() - this.#startedAt;
  }

  #dispatch(intendedMs: number, nowMs: number): void {
    this.#lag.add(nowMs - intendedMs);
    const point = this.#random.next() * this.#cumulativeWeights[this.#cumulativeWeights.length - 1]!;
    const kindIndex = this.#cumulativeWeights.findIndex((bound) => point < bound);
    const fresh = this.#random.next() < this.#options.newConnectionRatio;
    const requests = this.#kinds[kindIndex]![fresh ? 'closing' : 'kept'];
    const pending: Pending = {
      kindIndex,
      intendedMs,
      fresh,
      bytes: requests[this.#random.integer(requests.length)]!,
      settled: false,
      ended: (end) => this.#onEnded(pending, end),
    };
    this.#recorder.due(kindIndex, intendedMs, nowMs - intendedMs);
    this.#pending.push(pending);
    this.#pool.submit(pending);
  }

  #onEnded(pending: Pending, end: ExchangeEnd): void {
    const latencyMs = this.#nowMs() - pending.intendedMs;
    pending.settled = true;
    const { kindIndex, intendedMs } = pending;
    if (latencyMs > this.#options.timeoutMs) {
      this.#recorder.end(kindIndex, intendedMs, { outcome: 'timedOut', latencyMs });
    } else if (end.kind === 'response') {
      const { status } = end.response;
      this.#recorder.end(kindIndex, intendedMs, { outcome: outcomeOfStatus(status), latencyMs, status });
    } else {
      this.#recorder.end(kindIndex, intendedMs, { outcome: 'errored', latencyMs, errorCode: end.code });
    }
  }

  /** All timeouts are equal, so the oldest pending request is always the next to time out. */
  #expire(nowMs: number): void {
    const { timeoutMs } = this.#options;
    for (; this.#pendingHead < this.#pending.length; this.#pendingHead += 1) {
      const pending = this.#pending[this.#pendingHead]!;
      if (pending.settled) continue;
      if (nowMs - pending.intendedMs <= timeoutMs) break;
      pending.settled = true;
      if (this.#pool.abandon(pending)) this.#timedOutWaiting += 1;
      this.#recorder.end(pending.kindIndex, pending.intendedMs, {
        outcome: 'timedOut',
        latencyMs: nowMs - pending.intendedMs,
      });
    }
    if (this.#pendingHead > 1_024 && this.#pendingHead * 2 > this.#pending.length) {
      this.#pending = this.#pending.slice(this.#pendingHead);
      this.#pendingHead = 0;
    }
  }

  #end(nowMs: number): void {
    this.#pool.close();
    const lastMs = Math.max(nowMs, Math.ceil(nowMs / 1000) * 1000);
    for (const second of this.#recorder.takeSeconds(Math.min(lastMs, this.#secondsEndMs()))) {
      this.#onSecond(second);
    }
    const cpu = process.cpuUsage(this.#cpuAtStart);
    const cpuSeconds = (cpu.user + cpu.system) / 1e6;
    const summary = this.#recorder.summary();
    this.#finish({
      startedAtEpochMs: this.#startedAtEpochMs,
      durationMs: Math.min(nowMs, this.#options.durationMs),
      ...summary,
      connections: { ...this.#pool.counts, timedOutWaiting: this.#timedOutWaiting },
      generator: {
        lag: this.#lag.summary(),
        cpuSeconds,
        cpuUtilization: cpuSeconds / (nowMs / 1000),
        late: summary.phases.some(({ lag }) => lag.p99Ms > this.#options.lagMaxMs),
      },
    });
  }

  /** End of the last second that belongs to the load, when it ran to its end. */
  #secondsEndMs(): number {
    return Math.ceil(this.#options.durationMs / 1000) * 1000;
  }
}
