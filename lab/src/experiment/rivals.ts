import os from 'node:os';
import path from 'node:path';
import type { AttackName } from '../attacks/attack.ts';
import { LabError } from '../lab-error.ts';
import type { Deployment } from '../rivals/index.ts';
import { loadSpec, type MachineRole, type MachineSpec, type TestbedSpec } from '../testbed/spec.ts';
import { startTestbed } from '../testbed/testbed.ts';
import { calibrateAttacks } from './calibration.ts';
import { runCell } from './cell.ts';
import { installDebian } from './debian.ts';
import { type Laboratory, openLaboratory } from './laboratory.ts';
import type { RivalsOptions } from './options.ts';
import { createProgress, formatDuration } from './progress.ts';
import { writeReport } from './report.ts';
import { cellKey, type ExperimentResults, type ExperimentSettings, type MachineFacts } from './results.ts';
import { openResultsFile, type ResultsFile, readResults } from './results-file.ts';
import { calibratedAttacks, fullTiming, honestRates, quickTiming, totalMs } from './settings.ts';

/** What starting, booting and stopping add to a cell's phases, as a first guess. */
const overheadGuessMs = 4_000;

const machinesOf = (prefix: string, role: MachineRole, count: number, cores: number, memoryMiB: number) =>
  Array.from({ length: count }, (_, i): MachineSpec => {
    return { name: count === 1 ? prefix : `${prefix}${i + 1}`, role, cores, memoryMiB, sysctls: {} };
  });

/**
 * The published machines at the size of this testbed: 1.98 cores. The honest client gets more than it needs, so
 * that it is not late; the attacker has less than one of the web machines.
 */
const rivalsSpec: TestbedSpec = {
  machines: [
    ...machinesOf('lb', 'load-balancer', 1, 0.15, 128),
    ...machinesOf('web', 'web', 3, 0.25, 640),
    ...machinesOf('db', 'database', 3, 0.17, 256),
    ...machinesOf('client', 'client', 1, 0.35, 256),
    ...machinesOf('attacker', 'attacker', 1, 0.22, 256),
  ],
};

/** Runs every cell that the results file does not hold yet, and writes the report. */
export async function runRivals(options: RivalsOptions, print: (line: string) => void): Promise<void> {
  const spec = options.spec === undefined ? rivalsSpec : loadSpec(options.spec);
  const settings = settingsOf(options, spec);
  const file = openResultsFile(path.resolve(options.json), {
    version: 1,
    command: `npm run experiment -- ${process.argv.slice(2).join(' ')}`,
    startedAt: new Date().toISOString(),
    machine: machineFacts(),
    settings,
    cpuSecondsPerRequest: {},
    calibration: {},
    cells: [],
  });
  const plans = missingCells(options, file.results);
  if (plans.length === 0) print('Every cell is in the results file already.');
  else await runCells(plans, spec, file, print);
  writeReport(path.resolve(options.report), file.results);
  print(`Results: ${options.json}; report: ${path.join(options.report, 'index.html')}`);
}

/** Writes the report of the results there are. @throws LabError when there are none. */
export function renderReport(
  options: Pick<RivalsOptions, 'json' | 'report'>,
  print: (line: string) => void,
): void {
  const results = readResults(path.resolve(options.json));
  if (results === undefined) throw new LabError(`There is no file ${options.json}: name one with --json.`);
  writeReport(path.resolve(options.report), results);
  print(`Report of ${results.cells.length} cells: ${path.join(options.report, 'index.html')}`);
}

interface CellName {
  readonly attack: AttackName;
  readonly deployment: Deployment;
  readonly run: number;
}

/** Runs come last in the order, so that every cell has one figure before any has two. */
function missingCells(options: RivalsOptions, { cells }: ExperimentResults): CellName[] {
  const good = options.repeatLate ? cells.filter(({ generator }) => !generator.late) : cells;
  const have = new Set(good.map(cellKey));
  const wanted: CellName[] = [];
  for (let run = 1; run <= options.runs; run += 1) {
    for (const attack of options.attacks)
      for (const deployment of options.deployments) wanted.push({ attack, deployment, run });
  }
  return wanted.filter(
    ({ attack, deployment, run }) => !have.has(cellKey({ attack, deployment: deployment.name, run })),
  );
}

async function runCells(
  plans: readonly CellName[],
  spec: TestbedSpec,
  file: ResultsFile,
  print: (line: string) => void,
): Promise<void> {
  const { settings } = file.results;
  installDebian(['haproxy', 'redis-server']);
  const testbed = await startTestbed({ spec, precedence: 'first' });
  let laboratory: Laboratory | undefined;
  try {
    laboratory = await openLaboratory(testbed, settings);
    await calibrateIfNeeded(laboratory, file, print);
    const progress = createProgress(plans.length, totalMs(settings.timing) + overheadGuessMs);
    for (const plan of plans) {
      print(progress.next(`${plan.attack} on ${plan.deployment.name}, run ${plan.run}`, performance.now()));
      const cell = await runCell(laboratory, {
        ...plan,
        settings,
        cpuSecondsPerRequest: file.results.cpuSecondsPerRequest,
      });
      file.add(cell);
      progress.finished(performance.now());
      const during = cell.rows.find(({ phase }) => phase === 'attack')!;
      print(
        `    success ${(100 * during.successRatio).toFixed(1)} %, p99 ${during.p99Ms?.toFixed(0) ?? '–'} ms` +
          `${cell.generator.late ? ', the load generator was LATE' : ''} (${formatDuration(cell.durationMs)})`,
      );
    }
  } finally {
    await laboratory?.close();
    await testbed.close();
  }
}

async function calibrateIfNeeded(
  laboratory: Laboratory,
  file: ResultsFile,
  print: (line: string) => void,
): Promise<void> {
  const { cpuSecondsPerRequest, calibration } = file.results;
  if (calibratedAttacks.every((attack) => cpuSecondsPerRequest[attack] !== undefined)) return;
  Object.assign(calibration, await calibrateAttacks(laboratory, (attack) => print(`calibrating ${attack}`)));
  for (const attack of calibratedAttacks) {
    const { requests, cpuSeconds } = calibration[attack]!;
    cpuSecondsPerRequest[attack] = cpuSeconds / requests;
    print(`    ${attack}: ${((1000 * cpuSeconds) / requests).toFixed(2)} ms of CPU a request`);
  }
}

function settingsOf(options: RivalsOptions, spec: TestbedSpec): ExperimentSettings {
  return {
    timing: options.quick ? quickTiming : fullTiming,
    attackCores: 1,
    slowConnectionsPerSecond: options.quick ? 240 : 60,
    honestRatesPerSecond: honestRates(options.quick),
    newConnectionRatio: 0.1,
    timeoutMs: 1_000,
    rsaBits: 3_072,
    openFiles: 160,
    seed: options.seed,
    machines: spec.machines.map(({ name, role, cores, memoryMiB }) => ({ name, role, cores, memoryMiB })),
  };
}

function machineFacts(): MachineFacts {
  const cpus = os.cpus();
  return {
    cpu: cpus[0]?.model ?? 'unknown',
    cores: cpus.length,
    memoryMiB: Math.round(os.totalmem() / 1_048_576),
    kernel: os.release(),
    node: process.version,
  };
}
