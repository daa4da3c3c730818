import { readdirSync, readFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { LabError } from '../lab-error.ts';
import type { TestbedMachine } from '../testbed/testbed.ts';

/** What to send: one request a visitor, every visitor on a connection of its own, exponential gaps. */
export interface TsungLoad {
  readonly host: string;
  readonly port: number;
  readonly visitorsPerSecond: number;
  readonly durationSeconds: number;
}

/** Totals of a Tsung run. */
export interface TsungResult {
  /** Visitors that were started. */
  readonly visitors: number;
  readonly requests: number;
  /** From the request to its whole answer. */
  readonly requestMeanMs: number;
  /** From opening the socket until it is open. */
  readonly connectMeanMs: number;
  readonly ok: number;
}

/** How long Tsung may take beyond its load: to start and to write its statistics. */
const extraMs = 60_000;

/** Tsung's own scenario language. */
export function tsungScenario({ host, port, visitorsPerSecond, durationSeconds }: TsungLoad): string {
  return `<?xml version="1.0"?>
<!DOCTYPE tsung SYSTEM "/usr/share/tsung/tsung-1.0.dtd">
<tsung loglevel="warning">
  <clients><client host="localhost" use_controller_vm="true" maxusers="20000"/></clients>
  <servers><server host="${host}" port="${port}" type="tcp"/></servers>
  <load>
    <arrivalphase phase="1" duration="${durationSeconds}" unit="second">
      <users arrivalrate="${visitorsPerSecond}" unit="second"/>
    </arrivalphase>
  </load>
  <sessions>
    <session name="visit" probability="100" type="ts_http">
      <request><http url="/" method="GET" version="1.1"/></request>
    </session>
  </sessions>
</tsung>
`;
}

/** Reads the totals out of Tsung's log: each dump ends its lines with the mean and count since the start. */
export function parseTsungLog(text: string): TsungResult {
  const last = (name: string): number[] => {
    const lines = text.split('\n').filter((line) => line.startsWith(`stats: ${name} `));
    const line = lines[lines.length - 1];
    if (line === undefined) throw new LabError(`Tsung's log has no "${name}": its load did not run`);
    return line.split(' ').slice(2).map(Number);
  };
  // name: count, mean, deviation, most, least of the last dump, then mean and count since the start.
  const request = last('request');
  const connect = last('connect');
  return {
    visitors: last('users_count')[1]!,
    requests: request[6]!,
    requestMeanMs: request[5]!,
    connectMeanMs: connect[5]!,
    ok: last('200')[1]!,
  };
}

/** Runs Tsung in a machine and returns its totals. */
export async function runTsung(
  machine: TestbedMachine,
  folder: string,
  load: TsungLoad,
): Promise<TsungResult> {
  const logs = path.join(folder, 'tsung');
  await mkdir(logs, { recursive: true });
  const scenario = path.join(folder, 'tsung.xml');
  await writeFile(scenario, tsungScenario(load));
  const program = await machine.run({
    name: 'tsung',
    command: 'tsung',
    args: ['-f', scenario, '-l', logs, 'start'],
    env: { HOME: folder },
  });
  const timer = setTimeout(() => void program.stop(), load.durationSeconds * 1000 + extraMs);
  const { code } = await program.exited;
  clearTimeout(timer);
  if (code !== 0) throw new LabError(`Tsung ended with code ${code}: see ${program.logFile}`);
  const run = readdirSync(logs).sort().at(-1)!;
  return parseTsungLog(readFileSync(path.join(logs, run, 'tsung.log'), 'utf8'));
}
