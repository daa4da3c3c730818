import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { setTimeout as wait } from 'node:timers/promises';
import { type Command, InvalidArgumentError } from 'commander';
import { LabError } from '../lab-error.ts';
import { readAccounting } from './accounting.ts';
import type { Cgroups } from './cgroup.ts';
import { defaultSpec, MACHINES_DEFAULT } from './default-spec.ts';
import { requireHost } from './host.ts';
import { commandInMachine, createProgramGroup } from './program.ts';
import { isKept, listStates, readState, type TestbedState } from './registry.ts';
import { loadSpec } from './spec.ts';
import { renderStatus, type TestbedStatus } from './status.ts';
import { reapAbandoned, teardown } from './teardown.ts';
import { startTestbed } from './testbed.ts';

/** How long `down` waits for a keeper to finish. */
const DOWN_TIMEOUT_MS = 20_000;
const POLL_MS = 50;

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

function wholeNumber(text: string): number {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError('Give a whole number.');
  return Number(text);
}

async function statusOf(state: TestbedState, cgroups: Cgroups): Promise<TestbedStatus> {
  try {
    if (isKept(state)) return { state, accounting: await readAccounting(state.id, state.machines, cgroups) };
  } catch {
    // It is being made or taken down at this moment.
  }
  return { state, accounting: null };
}

interface UpOptions {
  readonly machines?: number;
  readonly spec?: string;
  readonly logs?: string;
  readonly json?: boolean;
}

async function up(options: UpOptions): Promise<void> {
  if (options.machines !== undefined && options.spec !== undefined)
    throw new LabError(
      '--machines and --spec exclude each other: the file says how many machines there are.',
    );
  const cgroups = requireHost();
  const spec =
    options.spec === undefined ? defaultSpec(options.machines ?? MACHINES_DEFAULT) : loadSpec(options.spec);
  const testbed = await startTestbed({
    spec,
    ...(options.logs === undefined ? {} : { logFolder: options.logs }),
  });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.on(signal, () => void testbed.close());
  const state = readState(testbed.id);
  if (state !== null) {
    const status = await statusOf(state, cgroups);
    print(options.json === true ? JSON.stringify(status) : renderStatus([status]));
  }
  if (options.json !== true)
    print(
      '\nIt stays up until Ctrl-C or "npm run lab -- down". Elsewhere: "npm run lab -- run web1 -- ip address".',
    );
  await testbed.ended;
  if (options.json !== true) print(`Testbed ${testbed.id} is down.`);
}

/** The testbed meant by an optional id: the only one there is when none is given. */
function chooseTestbed(id: string | undefined): TestbedState {
  const states = listStates();
  const chosen = id === undefined ? states : states.filter((state) => state.id === id);
  const [only] = chosen;
  if (chosen.length === 1 && only !== undefined) return only;
  const ids = states.map((state) => state.id).join(', ');
  if (states.length === 0) throw new LabError('No testbed is up. "npm run lab -- up" makes one.');
  throw new LabError(
    id === undefined ? `Say which testbed: ${ids}.` : `There is no testbed ${id}: there are ${ids}.`,
  );
}

async function down(id: string | undefined, options: { readonly all?: boolean }): Promise<void> {
  const cgroups = requireHost();
  const abandoned = await reapAbandoned(cgroups);
  for (const one of abandoned) print(`Testbed ${one}, which was abandoned, is removed.`);
  const states = options.all === true ? listStates() : [chooseTestbed(id)];
  for (const state of states) {
    if (isKept(state)) process.kill(state.keeperPid, 'SIGTERM');
    for (const deadline = Date.now() + DOWN_TIMEOUT_MS; isKept(state); await wait(POLL_MS)) {
      if (Date.now() > deadline)
        throw new LabError(`Testbed ${state.id}: its keeper, process ${state.keeperPid}, does not finish.`);
    }
    if (readState(state.id) !== null) await teardown(state.id, cgroups);
    print(`Testbed ${state.id} is down.`);
  }
}

async function showStatus(options: { readonly json?: boolean }): Promise<void> {
  const cgroups = requireHost();
  const testbeds = await Promise.all(listStates().map((state) => statusOf(state, cgroups)));
  print(options.json === true ? JSON.stringify(testbeds) : renderStatus(testbeds));
}

/** Runs a command in a machine with this terminal, and ends as it ends. */
async function runIn(
  name: string,
  command: readonly string[],
  options: { readonly testbed?: string },
): Promise<void> {
  const cgroups = requireHost();
  const state = chooseTestbed(options.testbed);
  const machine = state.machines.find((one) => one.name === name);
  if (machine === undefined) {
    const names = state.machines.map((one) => one.name).join(', ');
    throw new LabError(`There is no machine "${name}": there are ${names}.`);
  }
  const group = createProgramGroup(cgroups, machine, 'run', {});
  const [program = '', ...args] = command;
  const line = commandInMachine(machine, cgroups.joinFiles(group), { command: program, args });
  const child = spawn(line.command, line.args, { stdio: 'inherit' });
  // Ctrl-C reaches the child by itself; we only have to outlive it.
  process.on('SIGINT', () => {});
  process.on('SIGTERM', () => child.kill('SIGTERM'));
  process.exitCode = await new Promise<number>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) =>
      resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal])),
    );
  });
}

/** Adds `up`, `down`, `status` and `run`. */
export function addTestbedCommands(program: Command): void {
  program
    .command('up')
    .description('make a testbed and hold it until Ctrl-C or "down"')
    .option('--machines <n>', `number of machines (default ${MACHINES_DEFAULT})`, wholeNumber)
    .option('--spec <file>', 'YAML or JSON file with the sizes of the machines')
    .option('--logs <folder>', 'where programs log')
    .option('--json', 'print JSON')
    .action(up);
  program
    .command('down [id]')
    .description('take down a testbed, and remove what abandoned ones left')
    .option('--all', 'take down all of them')
    .action(down);
  program
    .command('status')
    .description('show the testbeds and what their machines have used')
    .option('--json', 'print JSON')
    .action(showStatus);
  program
    .command('run <machine> <command...>')
    .description('run a command in a machine: run web1 -- ip address')
    .option('--testbed <id>', 'which testbed, when there are several')
    .action(runIn);
}
