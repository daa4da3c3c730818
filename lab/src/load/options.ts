import type { RateStep } from './arrivals.ts';
import { createRandom, type Random } from './random.ts';

/** One HTTP request to send. */
export interface LoadRequest {
  /** Default `GET`. */
  readonly method?: string;
  /** Path and query, beginning with `/`. */
  readonly path: string;
  /** `host`, `connection` and `content-length` are added. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
}

/** A kind of request and its share of the mix. */
export interface RequestKind {
  readonly name: string;
  /** Share among the kinds, relative to the sum of the weights. */
  readonly weight: number;
  /** Makes a request. Called `variants` times before the load starts; requests are then picked at random. */
  readonly request: (random: Random) => LoadRequest;
  /** How many different requests to make. Default 64. */
  readonly variants?: number;
}

/** A named span of the load for which percentiles are kept. */
export interface LoadPhase {
  readonly name: string;
  readonly startMs: number;
  readonly endMs: number;
}

export interface LoadTls {
  /** Certificates (PEM) that sign the server's; absent: any certificate is accepted. */
  readonly ca?: string;
  /** Name the server's certificate must carry. Default: the host. */
  readonly serverName?: string;
  /** Highest protocol version. Default: what Node offers (TLS 1.3). */
  readonly maxVersion?: 'TLSv1.2' | 'TLSv1.3';
}

export interface LoadOptions {
  readonly host: string;
  readonly port: number;
  /** Absent: plain HTTP. */
  readonly tls?: LoadTls;
  /** Addresses of this machine to connect from, one picked at random for each connection. Default: any. */
  readonly localAddresses?: readonly string[];
  /** Mean arrivals per second, or a schedule of rates, whose first step is at 0. */
  readonly rate: number | readonly RateStep[];
  readonly durationMs: number;
  /** Wall-clock time of the load's start, in ms since 1970, to line up with others. Default: at once. */
  readonly startAtEpochMs?: number;
  readonly mix: readonly RequestKind[];
  /**
   * Share of requests that open a connection of their own and close it afterwards, as a new visitor would;
   * the others use kept-alive connections. 0 to 1, default 0.
   */
  readonly newConnectionRatio?: number;
  /**
   * Kept-alive connections to spread requests over, opened one by one as requests come; a request that finds
   * all of them busy waits for one. Default 64.
   */
  readonly keptConnections?: number;
  /** Bound on all open connections; a request beyond it waits. Default 2,000. */
  readonly connectionsMax?: number;
  /** A request without a complete response this long after its intended send time has timed out. Default 1,000. */
  readonly timeoutMs?: number;
  /** Seed of arrivals, mix and choices. Default 1. */
  readonly seed?: number;
  /** Default: one phase, `all`. */
  readonly phases?: readonly LoadPhase[];
  /** A 99th-percentile lag above this marks the result as `late`. Default 20. */
  readonly lagMaxMs?: number;
  /**
   * Look at the clock without a pause instead of sleeping till the next send, which is up to 1 ms late: the core that
   * the generator runs on is then busy all the time. Default false.
   */
  readonly spins?: boolean;
}

/** A kind whose requests are bytes, ready to send. Plain data: it can go to another process. */
export interface PreparedKind {
  readonly name: string;
  readonly weight: number;
  /** Requests as sent on a kept-alive connection, base64. */
  readonly kept: readonly string[];
  /** The same requests with `connection: close`. */
  readonly closing: readonly string[];
}

/** Options without optional fields, as plain JSON. */
export interface ResolvedLoadOptions {
  readonly host: string;
  readonly port: number;
  readonly tls: LoadTls | null;
  readonly localAddresses: readonly string[];
  readonly steps: readonly RateStep[];
  readonly durationMs: number;
  readonly startAtEpochMs: number;
  readonly kinds: readonly PreparedKind[];
  readonly newConnectionRatio: number;
  readonly keptConnections: number;
  readonly connectionsMax: number;
  readonly timeoutMs: number;
  readonly seed: number;
  readonly phases: readonly LoadPhase[];
  readonly lagMaxMs: number;
  readonly spins: boolean;
}

/** Thrown for options that cannot be used: `problems` lists everything that is wrong. */
export class LoadOptionsError extends Error {
  readonly code = 'LAB_LOAD_OPTIONS';
  readonly problems: readonly string[];
  constructor(problems: readonly string[]) {
    super(`the load's options cannot be used:\n${problems.map((problem) => `  - ${problem}`).join('\n')}`);
    this.problems = problems;
  }
}

const keptConnectionsDefault = 64;
const connectionsMaxDefault = 2_000;
const variantsMax = 10_000;
const rateMaxPerSecond = 50_000;

function serialize(request: LoadRequest, host: string, connection: 'keep-alive' | 'close'): Buffer {
  const body = Buffer.from(request.body ?? '');
  const method = request.method ?? 'GET';
  let head = `${method} ${request.path} HTTP/1.1\r\nhost: ${host}\r\nconnection: ${connection}\r\n`;
  for (const [name, value] of Object.entries(request.headers ?? {})) head += `${name}: ${value}\r\n`;
  if (body.length > 0 || method === 'POST' || method === 'PUT') head += `content-length: ${body.length}\r\n`;
  return Buffer.concat([Buffer.from(`${head}\r\n`, 'latin1'), body]);
}

function prepare(kind: RequestKind, host: string, random: Random): PreparedKind {
  const requests = Array.from({ length: kind.variants ?? 64 }, () => kind.request(random));
  const encode = (connection: 'keep-alive' | 'close'): string[] =>
    requests.map((request) => serialize(request, host, connection).toString('base64'));
  return { name: kind.name, weight: kind.weight, kept: encode('keep-alive'), closing: encode('close') };
}

function findProblems(options: LoadOptions, steps: readonly RateStep[]): string[] {
  const problems: string[] = [];
  const check = (good: boolean, problem: string): void => {
    if (!good) problems.push(problem);
  };
  const whole = (value: number, low: number, high: number): boolean =>
    Number.isInteger(value) && value >= low && value <= high;
  check(options.host !== '', 'host: give a name or an address');
  check(whole(options.port, 1, 65_535), 'port: a whole number from 1 to 65535');
  check(options.durationMs > 0 && Number.isFinite(options.durationMs), 'durationMs: more than 0');
  check(steps.length > 0 && steps[0]?.atMs === 0, 'rate: the first step must be at 0 ms');
  steps.forEach((step, i) => {
    check(
      step.ratePerSecond >= 0 && step.ratePerSecond <= rateMaxPerSecond,
      `rate[${i}]: from 0 to ${rateMaxPerSecond} requests per second`,
    );
    check(i === 0 || step.atMs > steps[i - 1]!.atMs, `rate[${i}]: steps must be in order of time`);
  });
  check(options.mix.length > 0, 'mix: name at least one kind of request');
  check(new Set(options.mix.map(({ name }) => name)).size === options.mix.length, 'mix: names must differ');
  for (const { name, weight, variants } of options.mix) {
    check(weight > 0 && Number.isFinite(weight), `mix.${name}.weight: more than 0`);
    check(whole(variants ?? 1, 1, variantsMax), `mix.${name}.variants: from 1 to ${variantsMax}`);
  }
  const ratio = options.newConnectionRatio ?? 0;
  check(ratio >= 0 && ratio <= 1, 'newConnectionRatio: from 0 to 1');
  check(whole(options.keptConnections ?? 1, 1, 10_000), 'keptConnections: a whole number from 1 to 10000');
  check(
    whole(options.connectionsMax ?? connectionsMaxDefault, options.keptConnections ?? 1, 60_000),
    'connectionsMax: a whole number from keptConnections to 60000',
  );
  check((options.timeoutMs ?? 1) > 0, 'timeoutMs: more than 0');
  for (const phase of options.phases ?? []) {
    check(phase.endMs > phase.startMs, `phases.${phase.name}: must end after it starts`);
  }
  return problems;
}

/** Checks options, fills in defaults and makes the requests. @throws LoadOptionsError */
export function resolveLoadOptions(options: LoadOptions): ResolvedLoadOptions {
  const steps = typeof options.rate === 'number' ? [{ atMs: 0, ratePerSecond: options.rate }] : options.rate;
  const problems = findProblems(options, steps);
  if (problems.length > 0) throw new LoadOptionsError(problems);
  const seed = options.seed ?? 1;
  const random = createRandom(seed);
  const hostHeader = `${options.tls?.serverName ?? options.host}:${options.port}`;
  return {
    host: options.host,
    port: options.port,
    tls: options.tls ?? null,
    localAddresses: options.localAddresses ?? [],
    steps,
    durationMs: options.durationMs,
    startAtEpochMs: options.startAtEpochMs ?? 0,
    kinds: options.mix.map((kind) => prepare(kind, hostHeader, random)),
    newConnectionRatio: options.newConnectionRatio ?? 0,
    keptConnections:
      options.keptConnections ??
      Math.min(keptConnectionsDefault, options.connectionsMax ?? connectionsMaxDefault),
    connectionsMax: options.connectionsMax ?? connectionsMaxDefault,
    timeoutMs: options.timeoutMs ?? 1_000,
    seed,
    phases: options.phases ?? [{ name: 'all', startMs: 0, endMs: options.durationMs }],
    lagMaxMs: options.lagMaxMs ?? 20,
    spins: options.spins ?? false,
  };
}
