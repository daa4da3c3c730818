// npm run demo [-- --quick] [-- --json FILE] [-- --html FILE]
import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { LabError } from '../lab-error.ts';
import { fullPlan, type Plan, quickPlan } from './plan.ts';
import { renderReport } from './report.ts';
import { judge } from './requirements.ts';
import type { DemoResult } from './result.ts';
import { runDemo, type Screen } from './run-demo.ts';
import type { DemoServer } from './servers.ts';
import { introduction, requirementLines, table, verdict } from './terminal.ts';

/** Where the report is written, unless it is said. */
const reportFile = 'tmp/demo-report.html';
const usage = 'usage: npm run demo [-- --quick] [--json FILE] [--html FILE]';
/** Generators that were later than this (99th percentile) did not send the load that was asked for. */
const lagMaxMs = 50;
/** An attack whose requests burn so much less or more at the end than at the start, as a share, was not the one meant. */
const costChangeMax = 0.25;
/** Where more of the cores was used in an attack that they are to bear, who is refused says more of the machine than of Shoal. */
const coresUsedMax = 0.9;
/** A line every so many seconds where the output is no terminal. */
const plainPeriodSeconds = 5;
/** Characters of a line where nobody says how many there are. */
const plainColumns = 100;

const isTerminal = process.stdout.isTTY === true;
const screen: Screen = {
  columns: process.stdout.columns ?? plainColumns,
  say: (text) => void process.stdout.write(`${isTerminal ? '\r\x1b[K' : ''}${text}\n`),
  show: (line, second) => {
    if (isTerminal) process.stdout.write(`\r\x1b[K${line.slice(0, screen.columns - 1)}`);
    else if (second % plainPeriodSeconds === 0) process.stdout.write(`${line}\n`);
  },
};

interface Arguments {
  readonly quick?: boolean;
  readonly json?: string;
  readonly html?: string;
}

function readArguments(): Arguments {
  try {
    return parseArgs({
      options: { quick: { type: 'boolean' }, json: { type: 'string' }, html: { type: 'string' } },
    }).values;
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n${usage}\n`);
    process.exit(2);
  }
}

/** The path of a file that is written at the end. Better to hear now than after minutes that it cannot be. */
function writable(option: string, file: string): string {
  const whole = path.resolve(file);
  try {
    closeSync(openSync(whole, 'a'));
  } catch (error) {
    throw new LabError(
      `${option} ${file} cannot be written: ${(error as Error).message}. Give another file.`,
    );
  }
  return whole;
}

/** What makes the figures worth little, if anything does. */
function warnings(result: DemoResult, plan: Plan): string[] {
  const found: string[] = [];
  if (result.durationMs > plan.durationMaxMs) {
    found.push(
      `The run took longer than the ${plan.durationMaxMs / 1_000} s that it is meant to take at most.`,
    );
  }
  const lagMs = Math.max(...Object.values(result.deployments).map((figures) => figures.generatorLagP99Ms));
  if (lagMs > lagMaxMs) {
    found.push(
      `The load generators were late (p99 ${lagMs.toFixed(0)} ms): this machine is busy with other things,\n` +
        'and these figures say little. Run it again when nothing else runs.',
    );
  }
  const { costMs, costAtEndMs } = result.hostileRequest;
  if (Math.abs(costAtEndMs / costMs - 1) > costChangeMax) {
    found.push(
      `A hostile request burned ${costMs.toFixed(0)} ms before the run and ${costAtEndMs.toFixed(0)} ms after it: the machine\n` +
        'has changed its speed, and the attack was not what it was meant to be. Run it again.',
    );
  }
  const weak = result.deployments.shoal?.searchCores['attack-1.3'];
  if (weak !== undefined && weak.used > coresUsedMax * weak.available) {
    found.push(
      `In the attack worth ${weak.asked} cores, searches used ${weak.used.toFixed(2)} of the ${weak.available.toFixed(2)} that there were:\n` +
        'this machine was slower then than when a hostile request was measured, or has too little to spare.\n' +
        'Run it again when nothing else runs.',
    );
  }
  return found;
}

async function main(): Promise<void> {
  const options = readArguments();
  const plan = options.quick === true ? quickPlan : fullPlan;
  if (options.html === undefined) mkdirSync(path.dirname(reportFile), { recursive: true });
  const html = writable('--html', options.html ?? reportFile);
  const json = options.json === undefined ? null : writable('--json', options.json);
  const folder = mkdtempSync(path.join(os.tmpdir(), 'shoal-demo-'));
  const running = new Set<DemoServer>();
  const stop = (): void => {
    void Promise.allSettled([...running].map((server) => server.close())).then(() => {
      rmSync(folder, { recursive: true, force: true });
      process.exit(130);
    });
  };
  process.once('SIGINT', stop).once('SIGTERM', stop);
  try {
    screen.say(`${introduction(plan)}\n`);
    const result = await runDemo({ plan, place: { folder }, screen, running });
    const requirements = judge(result.deployments.shoal!);
    writeFileSync(html, renderReport(result, plan, requirements));
    if (json !== null) writeFileSync(json, `${JSON.stringify(result, null, 2)}\n`);
    for (const warning of warnings(result, plan)) screen.say(`${warning}\n`);
    screen.say(`${table(result)}\n\nWhat Shoal must show:\n${requirementLines(requirements)}\n`);
    screen.say(`${verdict(result)}\n\nreport: ${html}`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

try {
  await main();
} catch (error) {
  if (!(error instanceof LabError)) throw error;
  process.stderr.write(`\n${error.message}\n`);
  process.exitCode = 1;
}
