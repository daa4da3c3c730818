import { ProfileError, type ProfileProblem } from './errors.ts';
import { compare, type Exact, equal, exact, formatExact, less, sign } from './exact.ts';
import { isConstant, type Latency, overtakingPoint } from './link.ts';
import { type Steps, simplify } from './steps.ts';

/**
 * What a profile describes: data a sender will give to the network (`required`), what a node's link can carry
 * (`provided`), or what a receiver can take in (`receiver`).
 */
export type ProfileKind = 'required' | 'provided' | 'receiver';
/** Every {@link ProfileKind}. */
export const profileKinds: readonly ProfileKind[] = ['required', 'provided', 'receiver'];

/** Values that hold from `timeSeconds` until the next row, the last ones until the end of the period. */
export interface ProfileRow {
  /** Time within the period, at least 0, in seconds. */
  readonly timeSeconds: Exact;
  /** Mean rate, in bits per second. */
  readonly meanBitsPerSecond: Exact;
  /** Greatest rate, in bits per second; at least the mean. */
  readonly maxBitsPerSecond: Exact;
  /** Latency of a provided link at this time, linearly interpolated up to the next row, in seconds. */
  readonly latencySeconds: Exact;
}

/** A cleaned traffic profile; made by {@link createProfile} and the readers. Frozen. */
export interface TrafficProfile {
  /** What people call it. Default: the flow, else the kind. */
  readonly name: string;
  readonly kind: ProfileKind;
  /** The node that it belongs to. Default `0`. */
  readonly node: string;
  /** Matches senders to receivers. `undefined` when none was given; such profiles match each other. */
  readonly flow: string | undefined;
  /** Smaller is served first. Default 0. */
  readonly priority: number;
  /** Length of a period, more than 0, in seconds. */
  readonly periodSeconds: Exact;
  /** Time at which a period begins, in seconds: for traffic generators; the analysis ignores it. Default 0. */
  readonly startSeconds: Exact;
  /** Identity of the sender, for meters and push-back; the analysis ignores it. */
  readonly id: string | undefined;
  /** At least one row; the first at time 0, times strictly increasing and before the period. */
  readonly rows: readonly ProfileRow[];
}

/** A row as given: every number exact, a JavaScript number (its shortest decimal) or text such as `0.1` or `1/3`. */
export interface ProfileRowInput {
  readonly timeSeconds: Exact | string;
  readonly meanBitsPerSecond: Exact | string;
  /** Default, or 0 beside a positive mean: the mean. */
  readonly maxBitsPerSecond?: Exact | string | undefined;
  /** Default 0. */
  readonly latencySeconds?: Exact | string | undefined;
  /** Line of the input, for messages. */
  readonly line?: number | undefined;
}

/** Lines of the input at which a profile and its fields stand, for messages. */
export interface ProfileLines {
  readonly profile?: number | undefined;
  readonly period?: number | undefined;
  readonly start?: number | undefined;
  readonly priority?: number | undefined;
  readonly node?: number | undefined;
}

/** Where a profile was read. */
export interface ProfilePlace {
  /** File, or whatever else the reader was told the text is. */
  readonly source: string;
  readonly lines: ProfileLines;
}

/** What {@link createProfile} takes; see {@link TrafficProfile} for the meaning and default of each field. */
export interface ProfileInput {
  readonly name?: string | undefined;
  readonly kind: ProfileKind;
  readonly node?: string | undefined;
  readonly flow?: string | undefined;
  readonly priority?: number | undefined;
  readonly periodSeconds: Exact | string;
  readonly startSeconds?: Exact | string | undefined;
  readonly id?: string | undefined;
  readonly rows: readonly ProfileRowInput[];
  /** For messages. */
  readonly lines?: ProfileLines | undefined;
}

/** A profile and what was cleaned away or looks wrong without being so. */
export interface CheckedProfile {
  readonly profile: TrafficProfile;
  readonly place: ProfilePlace;
  readonly warnings: readonly ProfileProblem[];
}

/** Most rows of one profile. */
export const profileMaxRows = 1_000_000;

/**
 * Checks and cleans a profile. A first row after time 0 gets a row of rate 0 before it, an exact repetition of a row
 * is dropped, and so is a row at the period, because it belongs to the next period (with a warning when it says
 * something else than the first row and is not 0).
 *
 * Throws a {@link ProfileError} that lists all of: no row, a period that is not positive, numbers that are none or
 * negative, times out of order, two different rows at one time, rows past the period, a maximum below the mean, a
 * latency that lets later data overtake earlier data.
 */
export function createProfile(input: ProfileInput, source = 'profile'): TrafficProfile {
  return checkProfile(input, source).profile;
}

/** As {@link createProfile}, with the warnings. */
export function checkProfile(input: ProfileInput, source: string): CheckedProfile {
  const problems: ProfileProblem[] = [];
  const warnings: ProfileProblem[] = [];
  const report = (message: string, line?: number): void => {
    problems.push({ source, message, ...(line === undefined ? {} : { line }) });
  };
  const read = (value: Exact | string, what: string, line?: number): Exact => {
    try {
      const result = exact(value);
      if (sign(result) < 0) report(`${what} is ${value}: it must not be negative.`, line);
      return result;
    } catch {
      report(`${what} is \`${String(value).slice(0, 40)}\`: write a number such as 12, 0.5 or 1/3.`, line);
      return 0;
    }
  };
  const { lines = {} } = input;
  const periodSeconds = read(input.periodSeconds, 'the period', lines.period);
  const isPeriodGood = problems.length === 0 && sign(periodSeconds) > 0;
  if (problems.length === 0 && !isPeriodGood)
    report('the period is 0: it must be more than 0 seconds.', lines.period);
  const startSeconds = readStart(input.startSeconds ?? 0);
  if (startSeconds === undefined)
    report(`the start is \`${input.startSeconds}\`: write a number of seconds.`, lines.start);
  const priority = input.priority ?? 0;
  if (!Number.isSafeInteger(priority))
    report(`the priority is ${priority}: write a whole number.`, lines.priority);
  if (!profileKinds.includes(input.kind)) {
    report(`unknown kind \`${String(input.kind)}\`: use one of ${profileKinds.join(', ')}.`);
  }
  if (input.rows.length > profileMaxRows)
    report(`more than ${profileMaxRows} rows: join equal ones.`, lines.profile);
  const rows = input.rows.slice(0, profileMaxRows).flatMap((row) => {
    const before = problems.length;
    const good = {
      line: row.line,
      timeSeconds: read(row.timeSeconds, 'the time', row.line),
      meanBitsPerSecond: read(row.meanBitsPerSecond, 'the mean rate', row.line),
      // A max of 0 beside a positive mean means that no max was given.
      maxBitsPerSecond: read(row.maxBitsPerSecond ?? 0, 'the max rate', row.line),
      latencySeconds: read(row.latencySeconds ?? 0, 'the latency', row.line),
    };
    return problems.length > before ? [] : [good];
  });
  if (input.rows.length === 0)
    report('no row: write at least one, `time, mean rate, max rate, latency`.', lines.profile);
  // Rows that cannot be read say nothing of the order of the others.
  const cleaned = isPeriodGood ? cleanRows(rows, periodSeconds, source, report, warnings) : [];
  if (problems.length === 0) checkLatency(input.kind, cleaned, periodSeconds, report);
  if (problems.length > 0) throw new ProfileError(byLine(problems));
  const profile: TrafficProfile = {
    name: input.name ?? input.flow ?? input.kind,
    kind: input.kind,
    node: input.node ?? '0',
    flow: input.flow,
    priority,
    periodSeconds,
    startSeconds: startSeconds ?? 0,
    id: input.id,
    rows: Object.freeze(cleaned.map(({ line: _, ...row }) => Object.freeze(row))),
  };
  return { profile: Object.freeze(profile), place: { source, lines }, warnings };
}

/** In the order of the file; what is in no single place first. */
export function byLine(problems: readonly ProfileProblem[]): ProfileProblem[] {
  return [...problems].sort((a, b) => (a.line ?? 0) - (b.line ?? 0));
}

function readStart(value: Exact | string): Exact | undefined {
  try {
    return exact(value);
  } catch {
    return undefined;
  }
}

interface LinedRow extends ProfileRow {
  readonly line: number | undefined;
}

function sameRow(a: ProfileRow, b: ProfileRow): boolean {
  return (
    equal(a.meanBitsPerSecond, b.meanBitsPerSecond) &&
    equal(a.maxBitsPerSecond, b.maxBitsPerSecond) &&
    equal(a.latencySeconds, b.latencySeconds)
  );
}

/** True when the latency of a row at the period is none or that of the first row, to which it is interpolated. */
function endsLatency(row: ProfileRow, first: ProfileRow): boolean {
  return sign(row.latencySeconds) === 0 || equal(row.latencySeconds, first.latencySeconds);
}

function cleanRows(
  rows: readonly LinedRow[],
  period: Exact,
  source: string,
  report: (message: string, line?: number) => void,
  warnings: ProfileProblem[],
): LinedRow[] {
  const cleaned: LinedRow[] = [];
  for (const given of rows) {
    const last = cleaned[cleaned.length - 1];
    const row = withMax(given);
    const time = formatExact(row.timeSeconds);
    const order = last === undefined ? 1 : compare(row.timeSeconds, last.timeSeconds);
    if (order < 0) {
      report(`time ${time} comes after ${formatExact(last!.timeSeconds)}: order the rows by time.`, row.line);
    } else if (order === 0) {
      if (sameRow(row, last!)) continue;
      const where = last!.line === undefined ? '' : ` (line ${last!.line})`;
      report(`a second, different row for time ${time}${where}: keep one of them.`, row.line);
    } else if (equal(row.timeSeconds, period)) {
      // Tools end a profile with such a row, of rate 0 or as the first: that says nothing that is lost.
      const first = cleaned[0] ?? row;
      const isEnd = sign(row.meanBitsPerSecond) === 0 && endsLatency(row, first);
      if (isEnd || sameRow(row, first)) continue;
      const message = `the row at ${time} s is the beginning of the next period and was dropped: the first row says what holds then.`;
      warnings.push({ source, message, ...(row.line === undefined ? {} : { line: row.line }) });
    } else if (less(period, row.timeSeconds)) {
      report(
        `time ${time} is past the period of ${formatExact(period)} s: lengthen it or drop the row.`,
        row.line,
      );
    } else {
      if (less(row.maxBitsPerSecond, row.meanBitsPerSecond)) {
        const [low, high] = [formatExact(row.maxBitsPerSecond), formatExact(row.meanBitsPerSecond)];
        report(
          `the max rate ${low} is below the mean rate ${high}: raise it, or write 0 for "none".`,
          row.line,
        );
      }
      cleaned.push(row);
    }
  }
  const first = cleaned[0];
  if (first !== undefined && sign(first.timeSeconds) > 0) {
    cleaned.unshift({ ...first, timeSeconds: 0, meanBitsPerSecond: 0, maxBitsPerSecond: 0 });
  }
  return cleaned;
}

/** A max of 0 beside a positive mean means that no max was given. */
function withMax(row: LinedRow): LinedRow {
  return sign(row.maxBitsPerSecond) === 0 ? { ...row, maxBitsPerSecond: row.meanBitsPerSecond } : row;
}

function checkLatency(
  kind: ProfileKind,
  rows: readonly LinedRow[],
  periodSeconds: Exact,
  report: (message: string, line?: number) => void,
): void {
  if (kind !== 'provided' || rows.length === 0) return;
  const point = overtakingPoint(latencyOf({ rows, periodSeconds }));
  if (point === undefined) return;
  const next = rows[point + 1];
  report(
    `the latency falls from ${formatExact(rows[point]!.latencySeconds)} s to ` +
      `${formatExact((next ?? rows[0]!).latencySeconds)} s ${next === undefined ? 'before the next period' : 'before the next row'}, ` +
      'as fast as time passes or faster, so that later data would overtake earlier data: let it fall more slowly ' +
      '(it is interpolated between rows).',
    rows[point]!.line,
  );
}

/** One column of rates over one period. */
export function ratesOf(profile: TrafficProfile, column: 'mean' | 'max' = 'mean'): Steps {
  const times = profile.rows.map((row) => row.timeSeconds);
  const rates = profile.rows.map((row) => (column === 'mean' ? row.meanBitsPerSecond : row.maxBitsPerSecond));
  return simplify({ times, rates, end: profile.periodSeconds });
}

/** The latency column over one period. */
export function latencyOf(profile: Pick<TrafficProfile, 'rows' | 'periodSeconds'>): Latency {
  const latency: Latency = {
    times: profile.rows.map((row) => row.timeSeconds),
    values: profile.rows.map((row) => row.latencySeconds),
    period: profile.periodSeconds,
  };
  return isConstant(latency) ? { times: [0], values: [latency.values[0]!], period: latency.period } : latency;
}
