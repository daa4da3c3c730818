import type { AttackStats } from '../../attacks/attack.ts';
import { summarizeList } from '../../load/recorder.ts';
import { type Cell, type ExperimentResults, phaseNames } from '../results.ts';
import { quickTiming } from '../settings.ts';

/** What a test says of a cell; the rest is filled in. */
export interface CellFacts {
  readonly attack?: Cell['attack'];
  readonly deployment: string;
  readonly run?: number;
  readonly successRatio?: number;
  readonly p99Ms?: number | null;
  readonly meanMs?: number | null;
}

const attackStats: AttackStats = {
  elapsedMs: 0,
  active: 'redos',
  phase: 0,
  sent: 0,
  completed: 0,
  failed: 0,
  skipped: 0,
  inFlight: 0,
  bytesSent: 0,
  bytesReceived: 0,
  cpuSeconds: 0,
  preparationCpuSeconds: 0,
};

/** A cell for tests of what is made of cells: one second of 100 requests, and equal phases. */
export function cell(facts: CellFacts): Cell {
  const { attack = 'redos', deployment, run = 1, successRatio = 1, p99Ms = 5, meanMs = 2 } = facts;
  const ok = Math.round(100 * successRatio);
  return {
    attack,
    deployment,
    run,
    seed: 1,
    rows: phaseNames.map((phase) => ({
      ...{ attack, deployment, run, phase, successRatio, p50Ms: p99Ms, p99Ms },
      ...{ secondsBelow99: 0, cpuSeconds: 1, peakMemoryMiB: 100, wireBytes: 1_000, throttled: 0 },
      generatorLagP99Ms: 1,
      outcomes: { sent: 100, ok, refused: 0, failed: 0, timedOut: 100 - ok, errored: 0 },
    })),
    seconds: [{ second: 0, sent: 100, ok, refused: 0, meanMs, p99Ms, instances: 3, oomKills: 0 }],
    attackStats,
    generator: { lag: summarizeList([1]), cpuSeconds: 1, cpuUtilization: 0.1, late: false },
    oomKills: 0,
    restarts: 0,
    errors: {},
    durationMs: 1,
  };
}

/** Results for tests. */
export function results(cells: Cell[]): ExperimentResults {
  return {
    version: 1,
    command: 'npm run experiment -- rivals',
    startedAt: '2026-01-01T00:00:00.000Z',
    machine: { cpu: 'test', cores: 2, memoryMiB: 1_024, kernel: '6', node: 'v20' },
    settings: {
      timing: quickTiming,
      attackCores: 1,
      slowConnectionsPerSecond: 1,
      honestRatesPerSecond: [200],
      newConnectionRatio: 0.1,
      timeoutMs: 1_000,
      rsaBits: 2_048,
      openFiles: 100,
      seed: 1,
      machines: [],
    },
    cpuSecondsPerRequest: { redos: 0.1 },
    calibration: { redos: { requests: 6, cpuSeconds: 0.6 } },
    cells,
  };
}
