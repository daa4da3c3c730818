import { writeFileSync } from 'node:fs';
import { type Command, InvalidArgumentError } from 'commander';
import {
  divide,
  type Exact,
  formatBits,
  formatExact,
  formatSeconds,
  ProfileError,
  parseExact,
  tdmaBounds,
  tdmaProfile,
  toNumber,
  writeProfileText,
} from '../profile/index.ts';
import { readProfileFile } from './profile-files.ts';

interface TdmaFlags {
  profile: string;
  slots: number;
  activeSlot: number;
  period: Exact;
  out?: string;
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
    const profile = tdmaProfile(first.profile, { slots, activeSlot, periodSeconds });
    const text = writeProfileText(profile);
    if (flags.out === undefined) process.stdout.write(text);
    else writeFileSync(flags.out, text);
    const peak = profile.rows
      .map((row) => row.meanBitsPerSecond)
      .reduce((a, b) => (toNumber(a) < toNumber(b) ? b : a));
    const bounds = tdmaBounds(peak, divide(periodSeconds, slots), periodSeconds);
    process.stderr.write(
      `A slot of ${formatSeconds(divide(periodSeconds, slots))} in every ${formatSeconds(periodSeconds)}: ` +
        `at most ${formatSeconds(bounds.extraDelaySeconds)} more delay, ` +
        `and at most ${formatBits(bounds.extraBufferBits)} more buffer at ${formatExact(bounds.effectiveBitsPerSecond)} bit/s.\n`,
    );
    return 0;
  } catch (error) {
    if (!(error instanceof ProfileError) && !(error instanceof RangeError) && !isFileError(error))
      throw error;
    process.stderr.write(`${(error as Error).message}\n`);
    return 1;
  }
}

function isFileError(error: unknown): boolean {
  return error instanceof Error && 'syscall' in error;
}
