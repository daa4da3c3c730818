import path from 'node:path';
import { type Command, Option } from 'commander';
import {
  type AnalysisResult,
  analysisMaxPeriods,
  analyze,
  type CalculusBounds,
  checkAdmissible,
  type DelayRule,
  describeGrowth,
  type HopResult,
  hopBounds,
  ProfileError,
  plotHtml,
  plotSvg,
  readAllotments,
  readNetworkText,
  toReport,
} from '../profile/index.ts';
import { describeAnalysis } from './analysis-text.ts';
import { collectProblems, loadProfiles, readInput, writeOutput } from './profile-files.ts';
import { exitStatus, reportError } from './report-error.ts';

interface AnalyzeFlags {
  required: string[];
  provided: string[];
  receiver: string[];
  profiles?: string;
  network?: string;
  periods?: string;
  delayRule: DelayRule;
  composition: 'full' | 'first-period';
  rate: 'mean' | 'max';
  networkCalculus: boolean;
  allot?: string;
  json: boolean;
  plot?: string;
}

/**
 * Adds `shoal analyze`. Exit code 0: everything fits; 1: the command line or the input is wrong; 2: a backlog grows without bound or an
 * allotment is not met, with a sentence for each on standard error.
 */
export function addAnalyzeCommand(program: Command): void {
  program
    .command('analyze')
    .description('predict buffers and delays from traffic profiles, and say whether everything fits')
    .option('--required <files...>', 'profiles of what senders send', [])
    .option('--provided <files...>', 'profiles of what the links of nodes can carry', [])
    .option('--receiver <files...>', 'profiles of what receivers take in', [])
    .option('--profiles <folder>', 'load every profile of a folder; each file names its kind')
    .option('--network <file>', 'topology, routes and multicast (default: all nodes are joined directly)')
    .option(
      '--periods <count>',
      'hyperperiods to analyse (default: at least 2, and as many as it takes until they are alike)',
    )
    .addOption(
      new Option('--delay-rule <rule>', 'sup: exact supremum; left: the rule of the published tool')
        .choices(['sup', 'left'])
        .default('sup'),
    )
    .addOption(
      new Option(
        '--composition <rule>',
        'full: follow data over the whole horizon; first-period: as the published tool',
      )
        .choices(['full', 'first-period'])
        .default('full'),
    )
    .addOption(
      new Option('--rate <column>', 'rates that senders send at').choices(['mean', 'max']).default('mean'),
    )
    .option(
      '--network-calculus',
      'add bounds over windows of time, valid however what arrives at a place is aligned with the capacity there',
      false,
    )
    .option('--allot <file>', 'buffers and delays that are allowed; what exceeds them is reported')
    .option('--json', 'print JSON', false)
    .option('--plot <file>', 'draw rates and cumulative data into a .svg or .html file')
    .addHelpText('after', '\nExit code 2: a backlog grows without bound, or an allotment is not met.')
    .action((flags: AnalyzeFlags) => {
      process.exitCode = runAnalyze(flags);
    });
}

function parsePeriods(text: string): number {
  const periods = Number(text);
  if (!Number.isSafeInteger(periods) || periods < 1 || periods > analysisMaxPeriods) {
    const message = `is \`${text}\`: write a whole number from 1 to ${analysisMaxPeriods}.`;
    throw new ProfileError([{ source: '--periods', message }]);
  }
  return periods;
}

function runAnalyze(flags: AnalyzeFlags): number {
  try {
    const plot = flags.plot === undefined ? undefined : plotWriter(flags.plot);
    const periods = flags.periods === undefined ? undefined : parsePeriods(flags.periods);
    const inputs = readInputs(flags);
    const curves = plot !== undefined || flags.networkCalculus;
    const { delayRule, composition, rate: column } = flags;
    const options = { periods, untilSettled: periods === undefined, delayRule, composition, column, curves };
    const result = analyze(inputs.system, options);
    const settled =
      result.settled || !flags.networkCalculus
        ? result
        : analyze(inputs.system, { ...options, untilSettled: true });
    const complete: AnalysisResult = { ...result, warnings: [...inputs.warnings, ...result.warnings] };
    const bounds = flags.networkCalculus ? boundsOf(complete, settled) : undefined;
    const growth = describeGrowth(complete);
    const excesses = checkAdmissible(complete, inputs.allotments);
    const violations = [...growth, ...excesses];
    plot?.(complete, violations);
    if (flags.json)
      process.stdout.write(`${JSON.stringify(toReport(complete, violations, bounds), null, 2)}\n`);
    else process.stdout.write(describeAnalysis(complete, { delayRule, bounds }));
    for (const sentence of growth) process.stderr.write(`Unstable: ${sentence}\n`);
    for (const sentence of excesses) process.stderr.write(`Does not fit: ${sentence}\n`);
    return violations.length === 0 ? exitStatus.done : exitStatus.refused;
  } catch (error) {
    return reportError(error, flags.json);
  }
}

function readInputs(flags: AnalyzeFlags): {
  system: Parameters<typeof analyze>[0];
  warnings: readonly string[];
  allotments: ReturnType<typeof readAllotments>;
} {
  let loaded: ReturnType<typeof loadProfiles> = { profiles: [], places: new Map(), warnings: [] };
  let network: ReturnType<typeof readNetworkText> | undefined;
  let allotments: ReturnType<typeof readAllotments> = [];
  const { required, provided, receiver } = flags;
  if (flags.profiles === undefined && required.length + provided.length + receiver.length === 0) {
    const message = 'no profiles are named: give files of what is sent, or a folder with --profiles.';
    throw new ProfileError([{ source: '--required', message }]);
  }
  const except = [flags.network, flags.allot].filter((file) => file !== undefined);
  collectProblems([
    () => {
      loaded = loadProfiles({ required, provided, receiver, folder: flags.profiles, except });
    },
    () => {
      if (flags.network !== undefined) network = readNetworkText(readInput(flags.network), flags.network);
    },
    () => {
      if (flags.allot !== undefined) allotments = readAllotments(readInput(flags.allot), flags.allot);
    },
  ]);
  const { profiles, places } = loaded;
  return { system: { profiles, network, places }, warnings: loaded.warnings, allotments };
}

/**
 * Bounds for the places of `result`, from the last hyperperiod of `settled`: the same system, analysed until nothing
 * changes any more, because a bound from an earlier hyperperiod need not hold. None when it never settled.
 */
function boundsOf(
  result: AnalysisResult,
  settled: AnalysisResult,
): Map<HopResult, CalculusBounds | undefined> {
  const bounds = new Map<HopResult, CalculusBounds | undefined>();
  for (const [index, flow] of result.flows.entries()) {
    for (const [place, hop] of flow.hops.entries()) {
      const last = settled.flows[index]!.hops[place]!;
      bounds.set(hop, settled.settled ? boundsAt(last, settled, flow.name) : undefined);
    }
  }
  return bounds;
}

function boundsAt(
  hop: HopResult,
  { hyperperiodSeconds }: AnalysisResult,
  flow: string,
): CalculusBounds | undefined {
  try {
    return hopBounds(hop, hyperperiodSeconds);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    const message = `${flow} at node ${hop.node} (${hop.role}): ${error.message}.`;
    throw new ProfileError([{ source: '--network-calculus', message }]);
  }
}

function plotWriter(file: string): (result: AnalysisResult, violations: readonly string[]) => void {
  const extension = path.extname(file).toLowerCase();
  if (extension !== '.svg' && extension !== '.html') {
    throw new ProfileError([
      { source: file, message: 'a plot is written as .svg or .html: change the file name.' },
    ]);
  }
  return (result, violations) => {
    writeOutput(file, extension === '.svg' ? plotSvg(result) : plotHtml(result, violations));
  };
}
