import { type Command, InvalidArgumentError } from 'commander';
import {
  compare,
  describeProblem,
  divide,
  type Exact,
  formatBits,
  formatExact,
  formatSeconds,
  ProfileError,
  parseExact,
  ratesOf,
  type TdmaOptions,
  type TrafficProfile,
  tdmaBounds,
  tdmaProfile,
  writeProfileText,
} from '../profile/index.ts';
import { readProfileFile, writeOutput } from './profile-files.ts';
import { exitStatus, reportError } from './report-error.ts';

interface TdmaFlags {
  profile: string;
  slots: number;
  activeSlot: number;
  period: Exact;
  out?: string;
  json: boolean;
}

/** Adds `shoal tdma`, which writes the profile of a node that may send only in its slot. */
export function addTdmaCommand(program: Command): void {
  program
    .command('tdma')
    .description('write the profile of a node that may send only in its time slot')
    .requiredOption('--profile <file>', 'provided profile of the node, with effective rates')
    .requiredOption('--slots <count>', 'slots in a TDMA period', wholeNumber)
    .requiredOption('--active-slot <index>', 'slot in which the node may send, from 0', wholeNumber)
    .requiredOption('--period <seconds>', 'length of a TDMA period', (text: string) => {
      const value = parseExact(text);
      if (value === undefined) throw new InvalidArgumentError('Write a number of seconds.');
      return value;
    })
    .option('--out <file>', 'where to write the profile (default: standard output)')
    .option('--json', 'print the profile, warnings and cost as JSON', false)
    .action((flags: TdmaFlags) => {
      process.exitCode = runTdma(flags);
    });
}

function wholeNumber(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError('Write a whole number.');
  return Number(text);
}

function runTdma(flags: TdmaFlags): number {
  try {
    const [first, ...more] = readProfileFile(flags.profile, 'provided');
    if (first === undefined || more.length > 0) {
      throw new ProfileError([{ source: flags.profile, message: 'write exactly one profile in this file.' }]);
    }
    const { slots, activeSlot, period: periodSeconds } = flags;
    const profile = slotsOf(first.profile, { slots, activeSlot, periodSeconds });
    const text = writeProfileText(profile);
    const warnings = first.warnings.map(describeProblem);
    const cost = describeCost(first.profile, profile, flags);
    if (flags.out !== undefined) writeOutput(flags.out, text);
    if (flags.json) {
      process.stdout.write(`${JSON.stringify({ profile: text, warnings, cost }, null, 2)}\n`);
      return exitStatus.done;
    }
    if (flags.out === undefined) process.stdout.write(text);
    for (const warning of warnings) process.stderr.write(`Warning: ${warning}\n`);
    process.stderr.write(`${cost.join('\n')}\n`);
    return exitStatus.done;
  } catch (error) {
    return reportError(error, flags.json);
  }
}

function slotsOf(profile: TrafficProfile, options: TdmaOptions): TrafficProfile {
  try {
    return tdmaProfile(profile, options);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new ProfileError([{ source: 'tdma', message: `${error.message}.` }]);
  }
}

/** What the slots cost at most, and where that holds, in lines. */
function describeCost(
  abstract: TrafficProfile,
  profile: TrafficProfile,
  { slots, period }: TdmaFlags,
): string[] {
  const peak = profile.rows.map((row) => row.meanBitsPerSecond).reduce((a, b) => (compare(a, b) < 0 ? b : a));
  const slotSeconds = divide(period, slots);
  const bounds = tdmaBounds(peak, slotSeconds, period);
  const { times } = ratesOf(abstract);
  const isUneven = [...times, abstract.periodSeconds].some((time) => !Number.isInteger(divide(time, period)));
  const where = times.length > 1 ? ' as long as the rate of the profile does not change' : '';
  return [
    `A slot of ${formatSeconds(slotSeconds)} in every ${formatSeconds(period)}${where}: ` +
      `at most ${formatSeconds(bounds.extraDelaySeconds)} more delay, ` +
      `and at most ${formatBits(bounds.extraBufferBits)} more buffer at ${formatExact(bounds.effectiveBitsPerSecond)} bit/s.`,
    ...(where === '' ? [] : ['Where it changes, analyse the written profile for the exact figures.']),
    ...(isUneven
      ? [
          `Warning: TDMA periods of ${formatExact(period)} s do not end where the rates of ${abstract.name} change or its period ends, ` +
            'so some are cut and carry more or less than the profile says: choose a period that divides those times.',
        ]
      : []),
  ];
}
