// The testbed as its users see it: machines with addresses, in which programs run.
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { LabError } from '../lab-error.ts';
import { nodeProgram, siblingModule } from '../node-program.ts';
import { type MachineAccounting, readAccounting } from './accounting.ts';
import type { Cgroups, Precedence } from './cgroup.ts';
import { defaultSpec } from './default-spec.ts';
import { requireHost } from './host.ts';
import type { KeeperMessage, KeeperOrder } from './keeper.ts';
import type { PlacedMachine } from './layout.ts';
import { type ProgramOptions, type RunningProgram, startProgram } from './program.ts';
import { readState, type TestbedState } from './registry.ts';
import type { MachineRole, TestbedSpec } from './spec.ts';
import { reapAbandoned, teardown } from './teardown.ts';

/** An emulated machine: a network namespace with an address, a CPU quota and a memory limit. */
export interface TestbedMachine {
  readonly name: string;
  readonly role: MachineRole;
  /** IPv4 address on the testbed's own network; only the other machines can reach it. */
  readonly address: string;
  readonly cores: number;
  readonly memoryMiB: number;
  /** Runs a program in the machine; it sees the host's files. Throws `LabError` if it does not get ready. */
  run(program: ProgramOptions): Promise<RunningProgram>;
  /** Changes the machine's CPU quota, in cores; null lifts it, for programs whose start is not what is measured. */
  setCores(cores: number | null): void;
  /** What the machine has used so far. */
  accounting(): Promise<MachineAccounting>;
}

/** Machines on a network of their own. */
export interface Testbed {
  /** Six hexadecimal digits. */
  readonly id: string;
  readonly logFolder: string;
  readonly machines: readonly TestbedMachine[];
  /** The machine of that name; throws `LabError` with the names there are. */
  machine(name: string): TestbedMachine;
  withRole(role: MachineRole): readonly TestbedMachine[];
  /** What every machine has used so far, in the machines' order. */
  accounting(): Promise<readonly MachineAccounting[]>;
  /** Settles when the testbed is gone, whoever took it down. */
  readonly ended: Promise<void>;
  /** Stops the programs and removes everything; the logs stay. Safe to call more than once. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

export interface TestbedOptions {
  /** Default: `defaultSpec()`. */
  readonly spec?: TestbedSpec;
  /** Where programs log. Default: a folder named for the testbed below the host's temporary one, made with the first log. */
  readonly logFolder?: string;
  /** `first`: machines get the CPU before everything else on the host, for measurements. Default `usual`. */
  readonly precedence?: Precedence;
}

function machineOf(
  id: string,
  placed: PlacedMachine,
  cgroups: Cgroups,
  logFolder: string,
  programs: Set<RunningProgram>,
): TestbedMachine {
  const { name, role, address, cores, memoryMiB } = placed;
  return {
    name,
    role,
    address,
    cores,
    memoryMiB,
    async run(options) {
      const program = await startProgram(cgroups, placed, logFolder, options);
      programs.add(program);
      void program.exited.then(() => programs.delete(program));
      return program;
    },
    setCores: (now) => cgroups.setCores(placed.group, now),
    async accounting() {
      const [only] = await readAccounting(id, [placed], cgroups);
      return only as MachineAccounting;
    },
  };
}

function testbedOf(
  state: TestbedState,
  cgroups: Cgroups,
  ended: Promise<void>,
  takeDown: () => Promise<void>,
): Testbed {
  const programs = new Set<RunningProgram>();
  const machines = state.machines.map((placed) =>
    machineOf(state.id, placed, cgroups, state.logFolder, programs),
  );
  let closing: Promise<void> | null = null;
  const close = (): Promise<void> => {
    closing ??= Promise.all([...programs].map((program) => program.stop())).then(takeDown);
    return closing;
  };
  return {
    id: state.id,
    logFolder: state.logFolder,
    machines,
    machine(name) {
      const found = machines.find((machine) => machine.name === name);
      if (found !== undefined) return found;
      throw new LabError(
        `There is no machine "${name}": there are ${machines.map((one) => one.name).join(', ')}.`,
      );
    },
    withRole: (role) => machines.filter((machine) => machine.role === role),
    accounting: () => readAccounting(state.id, state.machines, cgroups),
    ended,
    close,
    [Symbol.asyncDispose]: close,
  };
}

/**
 * Makes a testbed. It goes away by `close`, and also when this process ends in any way, SIGKILL included. What
 * earlier testbeds left behind is removed first. Throws `LabError` when the host cannot have one.
 */
export async function startTestbed(options: TestbedOptions = {}): Promise<Testbed> {
  const cgroups = requireHost();
  await reapAbandoned(cgroups);
  const id = randomBytes(3).toString('hex');
  const order: KeeperOrder = {
    id,
    runnerPid: process.pid,
    logFolder: path.resolve(options.logFolder ?? path.join(tmpdir(), `shoal-lab-${id}`)),
    spec: options.spec ?? defaultSpec(),
    precedence: options.precedence ?? 'usual',
  };
  // One that was asked for is made now, so that it is known to be there; the other with its first log.
  if (options.logFolder !== undefined) mkdirSync(order.logFolder, { recursive: true });
  const program = nodeProgram(siblingModule('./keeper', import.meta.url), [JSON.stringify(order)]);
  const keeper = spawn(program.command, program.args, { stdio: ['pipe', 'pipe', 'inherit'], detached: true });
  keeper.stdin.on('error', () => {});
  const keeperGone = once(keeper, 'exit');
  const lines = createInterface({ input: keeper.stdout });
  const first = await Promise.race([
    once(lines, 'line').then(([line]) => JSON.parse(line as string) as KeeperMessage),
    keeperGone.then((): KeeperMessage => ({ kind: 'failed', reason: 'its keeper died' })),
  ]);
  if (first.kind === 'failed') {
    keeper.stdin.end();
    await keeperGone;
    throw new LabError(`The testbed cannot be made: ${first.reason}`);
  }
  // Should the keeper be killed, what it kept is still to be removed.
  const ended = keeperGone.then(async () => {
    if (readState(id) !== null) await teardown(id, cgroups);
  });
  ended.catch(() => {});
  return testbedOf(first.state, cgroups, ended, () => {
    keeper.stdin.end();
    return ended;
  });
}

/** A testbed that another process runs, to run programs in it too; `close` stops those and leaves the testbed. */
export function attachTestbed(state: TestbedState): Testbed {
  const nothing = Promise.resolve();
  return testbedOf(state, requireHost(), nothing, () => nothing);
}
