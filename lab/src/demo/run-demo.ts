/** The demo itself: three deployments, one after the other, and what was measured of them. */
import os from 'node:os';
import { costNow, findHostileText, type HostileText } from './hostile-text.ts';
import {
  type AttackPhase,
  attackNames,
  type DeploymentName,
  deploymentNames,
  honestRatePerSecond,
  type Plan,
  phaseSpans,
} from './plan.ts';
import type { DemoResult, DeploymentFigures } from './result.ts';
import { type DemoServer, type ServerPlace, startServer } from './servers.ts';
import { onsetLine, progressLine, timeline } from './terminal.ts';
import { firstCloneAfter, runOnset, runTrial } from './trial.ts';

/** Where a run says how it is going. */
export interface Screen {
  /** Characters of a line. */
  readonly columns: number;
  /** Text that stays. */
  say(text: string): void;
  /** A line that the next one replaces, where that can be done. */
  show(line: string, second: number): void;
}

export interface DemoRun {
  readonly plan: Plan;
  readonly place: ServerPlace;
  readonly screen: Screen;
  /** Servers that run, for whoever must end them when the run is broken off. */
  readonly running: Set<DemoServer>;
}

async function withServer<T>(
  { place, running }: DemoRun,
  name: DeploymentName,
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

/** Minutes later the machine may have another speed; each onset is to be worth what it says. */
async function measureAgain(run: DemoRun, hostile: HostileText): Promise<HostileText> {
  const costMs = await withServer(run, 'monolith', (server) => costNow(server, hostile, run.plan));
  return { ...hostile, costMs };
}

/** One deployment: the whole timeline, and for Shoal the other onsets, each on a fresh process. */
export async function measureDeployment(
  run: DemoRun,
  name: DeploymentName,
  hostile: HostileText,
): Promise<DeploymentFigures> {
  const { plan, screen } = run;
  const trial = await withServer(run, name, (server) =>
    runTrial(server, hostile, plan, (progress) => screen.show(progressLine(name, progress), progress.second)),
  );
  screen.say(`${timeline(name, trial.seconds, plan, screen.columns)}\n`);
  const onsetsMs: Record<AttackPhase, (number | null)[]> = { 'attack-1.3': [], 'attack-3': [] };
  if (name === 'shoal') {
    const firstOnsetMs = phaseSpans(plan).find((span) => span.name === 'attack-1.3')!.startMs;
    onsetsMs['attack-1.3'].push(firstCloneAfter(trial.decisions, firstOnsetMs));
    for (const attack of attackNames) {
      const hostileNow = plan.onsets > 1 ? await measureAgain(run, hostile) : hostile;
      while (onsetsMs[attack].length < plan.onsets) {
        screen.show(onsetLine(attack, onsetsMs[attack].length + 1, plan.onsets), 0);
        onsetsMs[attack].push(
          await withServer(run, 'shoal', (server) => runOnset(server, hostileNow, attack, plan)),
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
    searchCores: trial.searchCores,
    decisions: trial.decisions,
    seconds: trial.seconds,
    generatorLagP99Ms: trial.generatorLagP99Ms,
  };
}

export async function runDemo(run: DemoRun): Promise<DemoResult> {
  const { say } = run.screen;
  say('Finding a search that burns 100 ms, in a server that does nothing else, while other cores are busy …');
  const hostile = await withServer(run, 'monolith', (server) => findHostileText(server, run.plan));
  say(`  ${hostile.characters} characters burn ${hostile.costMs.toFixed(1)} ms\n`);
  const deployments: Partial<Record<DeploymentName, DeploymentFigures>> = {};
  for (const name of deploymentNames) deployments[name] = await measureDeployment(run, name, hostile);
  const { costMs: costAtEndMs } = await measureAgain(run, hostile);
  return {
    // This clock starts with the program.
    durationMs: Math.round(performance.now()),
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
