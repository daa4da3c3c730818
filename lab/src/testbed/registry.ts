// State files: which testbeds there are. A keeper writes its file before it makes anything and removes it after
// it has removed everything, so what exists without a living keeper is abandoned.
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import type { PlacedMachine } from './layout.ts';
import { STATE_FOLDER, stateFile } from './layout.ts';

/** What is known of a testbed from outside of the processes that run it. */
export interface TestbedState {
  readonly id: string;
  readonly keeperPid: number;
  /** When the keeper started, in the kernel's clock ticks: tells it from a later process with its id. */
  readonly keeperStartTicks: number;
  /** Who asked for the testbed. */
  readonly runnerPid: number;
  readonly startedAt: string;
  readonly logFolder: string;
  readonly machines: readonly PlacedMachine[];
}

/** Start time of a process, in clock ticks since boot; null if there is none. */
export function processStartTicks(pid: number): number | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    // A zombie has ended; its parent has only not looked yet.
    return fields[0] === 'Z' ? null : Number(fields[19]);
  } catch {
    return null;
  }
}

/** Whether the testbed's keeper lives. */
export function isKept(state: TestbedState): boolean {
  return processStartTicks(state.keeperPid) === state.keeperStartTicks;
}

export function writeState(state: TestbedState): void {
  mkdirSync(STATE_FOLDER, { recursive: true, mode: 0o755 });
  const fresh = `${stateFile(state.id)}.${process.pid}`;
  writeFileSync(fresh, JSON.stringify(state));
  renameSync(fresh, stateFile(state.id));
}

export function removeState(id: string): void {
  rmSync(stateFile(id), { force: true });
}

/** The state of one testbed; null if there is none. */
export function readState(id: string): TestbedState | null {
  try {
    return JSON.parse(readFileSync(stateFile(id), 'utf8')) as TestbedState;
  } catch {
    return null;
  }
}

/** The states of all testbeds on this host, the kept and the abandoned, oldest first. */
export function listStates(): TestbedState[] {
  let names: string[];
  try {
    names = readdirSync(STATE_FOLDER);
  } catch {
    return [];
  }
  return names
    .filter((name) => name.endsWith('.json'))
    .map((name) => readState(name.slice(0, -'.json'.length)))
    .filter((state) => state !== null)
    .toSorted((a, b) => a.startedAt.localeCompare(b.startedAt));
}
