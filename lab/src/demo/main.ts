// npm run demo [-- --quick] [-- --json FILE] [-- --html FILE]
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { LabError } from '../lab-error.ts';
import { costNow, findHostileText, type HostileText } from './hostile-text.ts';
import {
  type AttackPhase,
  attackNames,
  type DeploymentName,
  deploymentNames,
  fullPlan,
  honestRatePerSecond,
  type Plan,
  phaseSpans,
  quickPlan,
} from './plan.ts';
import { renderReport } from './report.ts';
import { judge } from './requirements.ts';
import type { DemoResult, DeploymentFigures } from './result.ts';
import { type DemoServer, type ServerPlace, startServer } from './servers.ts';
import { progressLine, requirementLines, table, timeline } from './terminal.ts';
import { firstCloneAfter, runOnset, runTrial } from './trial.ts';

const usage = 'usage: npm run demo [-- --quick] [--json FILE] [--html FILE]';
/** Generators that were later than this (99th percentile) did not send the load that was asked for. */
const lagMaxMs = 50;
/** An attack whose requests burn so much less or more at the end than at the start, as a share, was not the one meant. */
const costChangeMax = 0.25;
/** A line every so many seconds where the output is no terminal. */
const plainPeriodSeconds = 5;

const isTerminal = process.stdout.isTTY === true;
const say = (text: string): void => void process.stdout.write(`${isTerminal ? '\r\x1b[K' : ''}${text}\n`);

function show(line: string, second: number): void {
  if (isTerminal) process.stdout.write(`\r\x1b[K${line.slice(0, (process.stdout.columns ?? 100) - 1)}`);
  else if (second % plainPeriodSeconds === 0) process.stdout.write(`${line}\n`);
}

/** Servers that run; ended whatever happens. */
const running = new Set<DemoServer>();

async function withServer<T>(
  name: DeploymentName,
  place: ServerPlace,
  use: (server: DemoServer) => Promise<T>,
): Promise<T> {
  const server = await startServer(name, place);
  running.add(server);
  try {
    return await use(server);
  } finally {
    running.delete(server);
    await server.close();
  }
}

function medianOf(values: readonly (number | null)[]): number | null {
  // An onset without a clone counts as the longest of all.
  const sorted = values.map((value) => value ?? Number.POSITIVE_INFINITY).sort((a, b) => a - b);
  const median = sorted[sorted.length >> 1] ?? Number.POSITIVE_INFINITY;
  return Number.isFinite(median) ? median : null;
}

async function measureDeployment(
  name: DeploymentName,
  place: ServerPlace,
  hostile: HostileText,
  plan: Plan,
): Promise<DeploymentFigures> {
  const trial = await withServer(name, place, (server) =>
    runTrial(server, hostile, plan, (progress) => show(progressLine(name, progress), progress.second)),
  );
  say(timeline(name, trial.seconds, plan));
  const onsetsMs: Record<AttackPhase, (number | null)[]> = { 'attack-1.3': [], 'attack-3': [] };
  if (name === 'shoal') {
    const firstOnsetMs = phaseSpans(plan).find((span) => span.name === 'attack-1.3')!.startMs;
    onsetsMs['attack-1.3'].push(firstCloneAfter(trial.decisions, firstOnsetMs));
    for (const attack of attackNames) {
      while (onsetsMs[attack].length < plan.onsets) {
        show(
          `shoal     onset ${onsetsMs[attack].length + 1} of ${plan.onsets} of ${attack}, on a fresh process`,
          0,
        );
        onsetsMs[attack].push(
          await withServer('shoal', place, (server) => runOnset(server, hostile, attack, plan)),
        );
      }
    }
  }
  return {
    phases: trial.phases,
    firstCloneServingMs: {
      'attack-1.3': medianOf(onsetsMs['attack-1.3']),
      'attack-3': medianOf(onsetsMs['attack-3']),
    },
    onsetsMs,
    instancesPeak: Math.max(
      name === 'shoal' ? 0 : name === 'cluster' ? 2 : 1,
      ...trial.counts.map(({ byType }) => Object.values(byType).reduce((sum, count) => sum + count, 0)),
    ),
    reclaimedMs: trial.reclaimedMs,
    failedByReclaim: trial.failedByReclaim,
    decisions: trial.decisions,
    seconds: trial.seconds,
    generatorLagP99Ms: trial.generatorLagP99Ms,
  };
}

/** As other programs read it: phases and their kinds, and what the controller did. */
function writeJson(file: string, result: DemoResult): void {
  writeFileSync(file, `${JSON.stringify(result, null, 2)}\n`);
}

async function runDemo(plan: Plan, folder: string): Promise<DemoResult> {
  const place = { folder };
  say('finding a search that burns 100 ms, in a server that does nothing else …');
  const hostile = await withServer('monolith', place, findHostileText);
  say(`  ${hostile.characters} characters burn ${hostile.costMs.toFixed(1)} ms\n`);
  const deployments: Partial<Record<DeploymentName, DeploymentFigures>> = {};
  for (const name of deploymentNames) deployments[name] = await measureDeployment(name, place, hostile, plan);
  const costAtEndMs = await withServer('monolith', place, (server) => costNow(server, hostile));
  return {
    hostileRequest: { costMs: hostile.costMs, costAtEndMs, characters: hostile.characters },
    honestRatePerSecond,
    machine: {
      cores: os.availableParallelism(),
      cpu: os.cpus()[0]?.model.trim() ?? 'unknown',
      node: process.version,
    },
    deployments,
  };
}

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

async function main(): Promise<void> {
  const options = readArguments();
  const plan = options.quick === true ? quickPlan : fullPlan;
  const folder = mkdtempSync(path.join(os.tmpdir(), 'shoal-demo-'));
  const stop = (): void => {
    void Promise.allSettled([...running].map((server) => server.close())).then(() => {
      rmSync(folder, { recursive: true, force: true });
      process.exit(130);
    });
  };
  process.once('SIGINT', stop).once('SIGTERM', stop);
  try {
    const result = await runDemo(plan, folder);
    const requirements = judge(result.deployments.shoal!);
    const html = path.resolve(options.html ?? 'tmp/demo-report.html');
    mkdirSync(path.dirname(html), { recursive: true });
    writeFileSync(html, renderReport(result, plan, requirements));
    if (options.json !== undefined) writeJson(options.json, result);
    const lagMs = Math.max(...Object.values(result.deployments).map((figures) => figures.generatorLagP99Ms));
    if (lagMs > lagMaxMs) {
      say(
        `\nThe load generators were late (p99 ${lagMs.toFixed(0)} ms): this machine is busy with other things,`,
      );
      say('and these figures say little. Run it again when nothing else runs.');
    }
    const { costMs, costAtEndMs } = result.hostileRequest;
    if (Math.abs(costAtEndMs / costMs - 1) > costChangeMax) {
      say(
        `\nA hostile request burned ${costMs.toFixed(0)} ms before the run and ${costAtEndMs.toFixed(0)} ms after it: the machine`,
      );
      say('has changed its speed, and the attack was not what it was meant to be. Run it again.');
    }
    say(`\n${table(result)}\n\nWhat Shoal must show:\n${requirementLines(requirements)}\n\nreport: ${html}`);
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
