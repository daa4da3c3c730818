/** The commands that ask a running app: `top`, `decisions`, `explain`; and the orders `clone`, `remove`, `reassign`. */
import { type Command, InvalidArgumentError } from 'commander';
import { isName, ShoalError } from '../../model/index.ts';
import { type ControlClient, createControlClient } from '../api/client.ts';
import { type DecisionWithText, orderCountMax } from '../api/control-source.ts';
import { defaultRunDirectory } from '../default-run-directory.ts';
import { exitStatus } from '../report-error.ts';
import { findRun } from '../run-directory.ts';
import { intervalMinMs, runTop } from '../top/run-top.ts';
import { parseMs } from './check.ts';

interface ControlOptions {
  readonly app?: string;
  readonly run?: string;
  readonly json?: boolean;
}

function addControlCommand(program: Command, name: string, description: string): Command {
  return program
    .command(name)
    .description(description)
    .option('--app <name>', 'name or process id of the app; needed where several run')
    .option('--run <directory>', 'run directory of the app; default: of this user')
    .option('--json', 'print JSON');
}

function connect(options: ControlOptions): ControlClient {
  return createControlClient(findRun(options.run ?? defaultRunDirectory(), options.app));
}

function printJson(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
}

function printOrder(decision: DecisionWithText, options: ControlOptions): void {
  if (options.json) printJson(decision);
  else process.stdout.write(`${decision.text}\n`);
  if (decision.outcome !== 'done' && decision.outcome !== 'partly') process.exitCode = exitStatus.failed;
}

/** An instance, given as `7` or `regex#7`: the type goes along, so that it is checked. */
function instanceOf(text: string): { readonly instanceId: number; readonly msu?: string } {
  const [, msu, id] = /^(?:([A-Za-z][A-Za-z0-9-]*)#)?(\d{1,15})$/.exec(text) ?? [];
  if (id !== undefined) return { instanceId: Number(id), ...(msu === undefined ? {} : { msu }) };
  const message = `"${text}" does not name an instance. Give its number, or type#number, as shoal top shows it.`;
  throw new ShoalError('SHOAL_CONTROL', message, { name: text });
}

function parseCount(text: string): number {
  const count = Number(text);
  if (Number.isInteger(count) && count >= 1 && count <= orderCountMax) return count;
  throw new InvalidArgumentError(`Give a whole number from 1 to ${orderCountMax}.`);
}

function addOrders(program: Command): void {
  addControlCommand(program, 'clone', 'add instances of an MSU type where they fit best')
    .argument('<type>', 'MSU type')
    .option('--count <n>', 'how many', parseCount, 1)
    .action(async (msu: string, options: ControlOptions & { count: number }) => {
      printOrder(await connect(options).order('clone', { msu, count: options.count }), options);
    });
  addControlCommand(program, 'remove', 'drain an instance and remove it')
    .argument('<instance>', 'its number, or type#number')
    .action(async (instance: string, options: ControlOptions) => {
      printOrder(await connect(options).order('remove', instanceOf(instance)), options);
    });
  addControlCommand(program, 'reassign', 'move an instance to another process')
    .argument('<instance>', 'its number, or type#number')
    .argument('<place>', 'machine/process')
    .action(async (instance: string, place: string, options: ControlOptions) => {
      const [machine = '', process = '', ...more] = place.split('/');
      if (!isName(machine) || !isName(process) || more.length > 0) {
        throw new ShoalError('SHOAL_CONTROL', `"${place}" is not a place. Give machine/process.`, { place });
      }
      const body = { ...instanceOf(instance), machine, process };
      printOrder(await connect(options).order('reassign', body), options);
    });
}

/** Adds the commands that ask a running app. */
export function addControlCommands(program: Command): void {
  addControlCommand(program, 'top', 'watch a running app: types, instances, queues, rates, decisions')
    .option('--once', 'print one screen and end; so it is where the output is no terminal')
    .option('--interval <ms>', 'milliseconds between two screens', parseMs(intervalMinMs), 1_000)
    .action(async (options: ControlOptions & { once?: boolean; interval: number }) => {
      const client = connect(options);
      if (options.json) printJson(await client.snapshot());
      else await runTop(client, { isOnce: options.once === true, intervalMs: options.interval });
    });
  addControlCommand(program, 'decisions', 'what the controller has decided, and why').action(
    async (options: ControlOptions) => {
      const decisions = await connect(options).decisions();
      if (options.json) printJson(decisions);
      else if (decisions.length === 0) process.stdout.write('No decisions yet.\n');
      else process.stdout.write(decisions.map(({ text }) => `${text}\n`).join(''));
    },
  );
  addControlCommand(program, 'explain', 'why there are as many of a type, or why an instance is there')
    .argument('<name>', 'MSU type, or an instance: its number, or type#number')
    .action(async (name: string, options: ControlOptions) => {
      const text = await connect(options).explain(name);
      if (options.json) printJson({ name, text });
      else process.stdout.write(`${text}\n`);
    });
  addOrders(program);
}
