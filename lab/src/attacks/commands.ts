import { type Command, InvalidArgumentError } from 'commander';
import { LabError } from '../lab-error.ts';
import type { AttackChoice, AttackName, AttackOptions, AttackStats } from './attack.ts';
import { type Calibration, calibrate } from './calibrate.ts';
import { type CalibrationRow, calibrateAll } from './calibrate-all.ts';
import { attackNames, attacks } from './catalogue.ts';
import type { Phase } from './phases.ts';
import { startAttack } from './start.ts';
import { probeProcess } from './target-probe.ts';

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

interface Address {
  readonly host: string;
  readonly port: number;
}

/** `host:port`, an IPv6 address in brackets. */
export function parseTarget(text: string): Address {
  const match = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(text);
  const host = match?.[1] ?? match?.[2];
  if (host === undefined) throw new InvalidArgumentError('Give host:port, for example 127.0.0.1:8443.');
  return { host, port: Number(match?.[3]) };
}

/** `RATE:SECONDS`, a steady phase, or `FROM-TO:SECONDS`, a ramp. */
export function parsePhase(text: string): Phase {
  const match = /^(\d+(?:\.\d+)?)(?:-(\d+(?:\.\d+)?))?:(\d+(?:\.\d+)?)$/.exec(text);
  if (match === null)
    throw new InvalidArgumentError('Give RATE:SECONDS for a steady phase, or FROM-TO:SECONDS for a ramp.');
  const [, from, to, seconds] = match;
  const durationMs = Number(seconds) * 1000;
  return to === undefined
    ? { shape: 'steady', rate: Number(from), durationMs }
    : { shape: 'ramp', fromRate: Number(from), toRate: Number(to), durationMs };
}

function parseSettings(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value))
      return value as Record<string, unknown>;
  } catch {
    // Said below.
  }
  throw new InvalidArgumentError('Give a JSON object, for example {"length":24}.');
}

function parseNumber(text: string): number {
  const value = Number(text);
  if (!(value > 0)) throw new InvalidArgumentError('Give a number above 0.');
  return value;
}

function checkName(name: string): AttackName {
  const found = attackNames.find((known) => known === name);
  if (found === undefined)
    throw new LabError(`There is no attack "${name}": there are ${attackNames.join(', ')}.`);
  return found;
}

interface CommonOptions {
  readonly target: Address;
  readonly settings: Readonly<Record<string, unknown>>;
  readonly seed: number;
  readonly plain?: boolean;
  readonly json?: boolean;
}

interface AttackCommandOptions extends CommonOptions {
  readonly phase: readonly Phase[];
  readonly cpuMs?: number;
  readonly maxRequests?: number;
}

function choose(
  name: string,
  options: CommonOptions,
): AttackChoice & Address & { tls: boolean; seed: number } {
  const choice = { attack: checkName(name), settings: options.settings } as AttackChoice;
  return { ...choice, ...options.target, tls: options.plain !== true, seed: options.seed };
}

function renderStats(stats: AttackStats): string {
  return (
    `${(stats.elapsedMs / 1000).toFixed(0).padStart(5)} s  ${stats.active}  sent ${stats.sent}  completed ${stats.completed}  ` +
    `failed ${stats.failed}  skipped ${stats.skipped}  in flight ${stats.inFlight}  CPU ${stats.cpuSeconds.toFixed(2)} s`
  );
}

async function attack(name: string, options: AttackCommandOptions): Promise<void> {
  const attackOptions: AttackOptions = {
    ...choose(name, options),
    phases: options.phase,
    ...(options.cpuMs === undefined ? {} : { strength: { cpuSecondsPerRequest: options.cpuMs / 1000 } }),
    ...(options.maxRequests === undefined ? {} : { maxRequests: options.maxRequests }),
  };
  const handle = await startAttack(attackOptions);
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.on(signal, () => void handle.stop().catch(() => {}));
  const show = (stats: AttackStats): void =>
    print(options.json === true ? JSON.stringify(stats) : renderStats(stats));
  handle.onReport(show);
  show(await handle.done);
}

/** What `calibrate` prints for people. */
export function renderCalibration(result: Calibration): string {
  const ms = (seconds: number): string => (seconds * 1000).toFixed(seconds < 0.01 ? 3 : 1);
  const { median, min, max } = result.cpuSecondsPerRequest;
  return [
    `${result.attack}: ${result.requests} requests, ${result.failed} failed`,
    `  at the target        ${ms(median)} ms of CPU a request (${ms(min)} to ${ms(max)})`,
    `  one core's worth     ${(1 / median).toFixed(1)} requests per second`,
    `  for 1 CPU s there    the attacker pays ${result.attackerCpuPerTargetCpu.toFixed(3)} CPU s, ` +
      `sends ${(result.attackerBytesSentPerTargetCpuSecond / 1024).toFixed(1)} KiB, ` +
      `receives ${(result.attackerBytesReceivedPerTargetCpuSecond / 1024).toFixed(1)} KiB`,
    `  preparation          ${result.preparationCpuSeconds.toFixed(2)} CPU s, once`,
    `  held at the target   ${result.descriptorsPerRequest.toFixed(2)} descriptors a request in flight, ` +
      `up to ${(result.memoryGrowthBytes / 1024 / 1024).toFixed(1)} MiB more memory`,
  ].join('\n');
}

interface CalibrateOptions extends CommonOptions {
  readonly pid: number;
  readonly batches: number;
}

async function calibrateCommand(name: string, options: CalibrateOptions): Promise<void> {
  const result = await calibrate(choose(name, options), probeProcess(options.pid), {
    batches: options.batches,
  });
  print(options.json === true ? JSON.stringify(result) : renderCalibration(result));
}

/** A row of the Markdown table that `calibrate-all` prints. */
export function renderRow({ title, calibration }: CalibrationRow): string {
  const { median, min, max } = calibration.cpuSecondsPerRequest;
  const ms = (seconds: number): string => (seconds * 1000).toFixed(seconds < 0.01 ? 2 : 0);
  return [
    '',
    title,
    `${ms(median)} (${ms(min)}–${ms(max)})`,
    calibration.attackerCpuPerTargetCpu.toFixed(3),
    (calibration.attackerBytesSentPerTargetCpuSecond / 1024).toFixed(0),
    calibration.preparationCpuSeconds.toFixed(2),
    attacks[calibration.attack].exhausts === 'descriptors'
      ? calibration.descriptorsPerRequest.toFixed(2)
      : '–',
    (calibration.memoryGrowthBytes / 1024 / 1024).toFixed(0),
    '',
  ]
    .join(' | ')
    .trim();
}

async function calibrateAllCommand(
  words: readonly string[],
  options: { readonly rsaBits: number; readonly json?: boolean },
): Promise<void> {
  const rows: CalibrationRow[] = [];
  if (options.json !== true) {
    print(
      '| attack | CPU ms a request at the target | attacker CPU s / CPU s there | KiB sent / CPU s there | preparation, CPU s | descriptors held | MiB more |',
    );
    print('| --- | --- | --- | --- | --- | --- | --- |');
  }
  await calibrateAll(options.rsaBits, words, (row) => {
    rows.push(row);
    if (options.json !== true) print(renderRow(row));
  });
  if (options.json === true) print(JSON.stringify(rows, null, 2));
}

function list(options: { readonly json?: boolean }): void {
  const all = Object.values(attacks).map(({ name, title, needs, exhausts }) => ({
    name,
    title,
    needs,
    exhausts,
  }));
  if (options.json === true) {
    print(JSON.stringify(all));
    return;
  }
  for (const { name, title, needs, exhausts } of all) {
    print(`${name} (exhausts ${exhausts})\n  ${title}`);
    for (const need of needs) print(`  needs: ${need}`);
  }
}

function addCommonOptions(command: Command): Command {
  return command
    .requiredOption(
      '--target <host:port>',
      'loopback, or a testbed machine when run inside another',
      parseTarget,
    )
    .option('--settings <json>', "the attack's own settings", parseSettings, {})
    .option('--seed <n>', 'seed of everything random', Number, 1)
    .option('--plain', 'HTTP attacks: plain HTTP instead of HTTPS')
    .option('--json', 'print JSON');
}

/** Adds `attacks`, `attack` and `calibrate`. */
export function addAttackCommands(program: Command): void {
  program
    .command('attacks')
    .description('list the attacks and what each needs of its target')
    .option('--json', 'print JSON')
    .action(list);
  addCommonOptions(program.command('attack <name>'))
    .description('attack a target; every phase in turn, then it ends by itself')
    .requiredOption(
      '--phase <phase...>',
      'RATE:SECONDS or FROM-TO:SECONDS; requests per second, or cores with --cpu-ms',
      (text: string, earlier: readonly Phase[] | undefined) => [...(earlier ?? []), parsePhase(text)],
    )
    .option(
      '--cpu-ms <n>',
      'CPU ms a request costs the target (from calibrate): rates are cores then',
      parseNumber,
    )
    .option('--max-requests <n>', 'end after this many', parseNumber)
    .action(attack);
  addCommonOptions(program.command('calibrate <name>'))
    .description('measure what an attack costs a target and its attacker')
    .requiredOption('--pid <n>', "the target's process; its children count too", parseNumber)
    .option('--batches <n>', 'batches whose median is taken', parseNumber, 5)
    .action(calibrateCommand);
  program
    .command('calibrate-all [words...]')
    .description(
      'calibrate every attack on small targets of our own on loopback; about four minutes; words choose by title',
    )
    .option('--rsa-bits <n>', "size of the targets' RSA keys", parseNumber, 2048)
    .option('--json', 'print JSON')
    .action(calibrateAllCommand);
}
