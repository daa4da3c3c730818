/** What every benchmark shares: how it is called, how its rows are kept and shown. */
import * as fs from 'node:fs';
import * as os from 'node:os';

export interface BenchOptions {
  /** Where to write the rows as JSON. */
  readonly jsonFile?: string;
  /** Run in a fraction of a second: the figures mean nothing, the code is exercised. */
  readonly tiny?: boolean;
}

/** A benchmark. It prints its table and checks its own work; it throws if the work came out wrong. */
export type Benchmark = (options: BenchOptions) => Promise<void>;

export type Row = Readonly<Record<string, string | number | boolean>>;

/** Prints rows as a table: text to the left, numbers to the right. */
export function printTable(rows: readonly Row[]): void {
  const names = Object.keys(rows[0] ?? {});
  const cells = [names, ...rows.map((row) => names.map((name) => show(row[name])))];
  const widths = names.map((_, column) => Math.max(...cells.map((line) => line[column]?.length ?? 0)));
  for (const [index, line] of cells.entries()) {
    const padded = line.map((cell, column) => {
      const isNumber = typeof rows[Math.max(0, index - 1)]?.[names[column] ?? ''] === 'number';
      const width = widths[column] ?? 0;
      return isNumber ? cell.padStart(width) : cell.padEnd(width);
    });
    process.stdout.write(`${padded.join('  ').trimEnd()}\n`);
  }
}

function show(value: string | number | boolean | undefined): string {
  if (typeof value !== 'number') return String(value ?? '');
  if (Number.isInteger(value)) return value.toLocaleString('en-US');
  return value.toPrecision(Math.abs(value) >= 100 ? 4 : 3);
}

/** Writes rows with the machine they were measured on, and with what else is to be known of the run. */
export function writeRows(
  jsonFile: string | undefined,
  benchmark: string,
  rows: readonly Row[],
  circumstances: Row = {},
  raw: object = {},
): void {
  if (jsonFile === undefined) return;
  const machine = { ...describeMachine(), ...circumstances };
  fs.writeFileSync(jsonFile, `${JSON.stringify({ benchmark, machine, rows, ...raw }, null, 2)}\n`);
}

/** Starts to watch; the function answers the share of the machine's CPU time that other programs had since. */
export function watchOthers(): () => number {
  const read = (): { busyMs: number; totalMs: number } => {
    const times = os.cpus().map((cpu) => cpu.times);
    const totalMs = times.reduce((sum, t) => sum + t.user + t.nice + t.sys + t.idle + t.irq, 0);
    const own = process.cpuUsage();
    const idleMs = times.reduce((sum, t) => sum + t.idle, 0);
    return { busyMs: totalMs - idleMs - (own.user + own.system) / 1_000, totalMs };
  };
  const before = read();
  return () => {
    const after = read();
    const share = (after.busyMs - before.busyMs) / Math.max(1, after.totalMs - before.totalMs);
    return Number(Math.min(1, Math.max(0, share)).toFixed(3));
  };
}

/** Above this share of the CPU, what others did has shaped the figures. */
const othersShareMax = 0.03;

/** Says so where the machine was not quiet; to be kept beside the rows. */
export function reportOthers(othersShare: number): Row {
  if (othersShare > othersShareMax) {
    const percent = (othersShare * 100).toFixed(0);
    process.stdout.write(
      `The machine was not quiet: other programs had ${percent} % of its CPU. Do not publish these figures.\n`,
    );
  }
  return { othersCpuShare: othersShare };
}

export function describeMachine(): Row {
  return {
    node: process.version,
    cpu: os.cpus()[0]?.model.trim() ?? 'unknown',
    cores: os.availableParallelism(),
    memoryGiB: Math.round(os.totalmem() / 2 ** 30),
    kernel: `${os.type()} ${os.release()}`,
  };
}

/**
 * Of a sorted list: interpolated between the two values nearest to it (Hyndman and Fan 1996, definition 7), so that the
 * median of an even number of rounds is the middle of the two in the middle. NaN of an empty list.
 */
export function quantile(sorted: ArrayLike<number>, q: number): number {
  const at = Math.min(1, Math.max(0, q)) * (sorted.length - 1);
  const low = sorted[Math.floor(at)] ?? Number.NaN;
  const high = sorted[Math.ceil(at)] ?? Number.NaN;
  return low + (high - low) * (at - Math.floor(at));
}

export function median(values: readonly number[]): number {
  return quantile(
    [...values].sort((a, b) => a - b),
    0.5,
  );
}
