import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { LabError } from '../lab-error.ts';
import { type LoadResult, startLoad } from '../load/index.ts';
import { nodeProgram, siblingModule } from '../node-program.ts';
import { machineLauncher } from '../testbed/attack-launcher.ts';
import type { MachineSpec } from '../testbed/spec.ts';
import { startTestbed } from '../testbed/testbed.ts';
import { installDebian } from './debian.ts';
import { runTsung, type TsungResult } from './tsung.ts';

/** How the two generators are compared. */
export interface GeneratorsOptions {
  readonly rate: number;
  readonly seconds: number;
}

/** The server answers after this time: the published latency without an attack. */
const delayMs = 50;
const port = 80;
/** The generators agree when their figures differ by no more than this share. */
const toleranceShare = 0.05;

const machines: readonly MachineSpec[] = [
  { name: 'web', role: 'web', cores: 0.8, memoryMiB: 256, sysctls: {} },
  { name: 'client', role: 'client', cores: 0.8, memoryMiB: 1_024, sysctls: {} },
];

/** One figure measured by both. */
interface Comparison {
  readonly figure: string;
  readonly ours: number;
  readonly tsungs: number;
}

/**
 * Runs our load generator and Tsung, one after the other, against the same quiet server. What they measure is
 * compared, not how many visitors came: each draws its own random arrivals. No TLS, because Erlang's costs milliseconds of its own. @throws LabError when they disagree.
 */
export async function compareGenerators(
  options: GeneratorsOptions,
  print: (line: string) => void,
): Promise<void> {
  installDebian(['tsung']);
  const testbed = await startTestbed({ spec: { machines }, precedence: 'first' });
  const folder = await mkdtemp(path.join(os.tmpdir(), 'shoal-generators-'));
  try {
    const web = testbed.machine('web');
    const client = testbed.machine('client');
    const args = [web.address, String(port), String(delayMs)];
    await web.run({
      name: 'delay-server',
      ...nodeProgram(siblingModule('./delay-server', import.meta.url), args),
      ready: { line: /^listening$/m },
    });
    print(`${options.rate} visitors a second for ${options.seconds} s, each on a new connection;`);
    print(`the server answers after ${delayMs} ms`);
    const ours = await startLoad({
      host: web.address,
      port,
      rate: options.rate,
      durationMs: options.seconds * 1000,
      newConnectionRatio: 1,
      timeoutMs: 5_000,
      mix: [{ name: 'get', weight: 1, variants: 1, request: () => ({ path: '/' }) }],
      launch: machineLauncher(client),
    }).done;
    const ratesOf = (visitors: number): string => (visitors / options.seconds).toFixed(1);
    const tsungs = await runTsung(client, folder, {
      host: web.address,
      port,
      visitorsPerSecond: options.rate,
      durationSeconds: options.seconds,
    });
    print(`  visitors a second: ours ${ratesOf(ours.phases[0]!.sent)}, Tsung ${ratesOf(tsungs.visitors)}`);
    judge(comparisons(ours, tsungs), print);
  } finally {
    await testbed.close();
    await rm(folder, { recursive: true });
  }
}

function comparisons(ours: LoadResult, tsungs: TsungResult): Comparison[] {
  const [all] = ours.phases;
  return [
    { figure: 'share of visitors answered', ours: all!.ok / all!.sent, tsungs: tsungs.ok / tsungs.visitors },
    {
      figure: 'mean response time, connecting included, ms',
      ours: all!.latency.meanMs,
      tsungs: tsungs.requestMeanMs + tsungs.connectMeanMs,
    },
  ];
}

function judge(list: readonly Comparison[], print: (line: string) => void): void {
  const shareOf = ({ ours, tsungs }: Comparison): number => ours / tsungs - 1;
  for (const comparison of list) {
    const { figure, ours, tsungs } = comparison;
    const difference = (100 * shareOf(comparison)).toFixed(1);
    print(`  ${figure}: ours ${ours.toFixed(2)}, Tsung ${tsungs.toFixed(2)} (${difference} %)`);
  }
  if (list.some((comparison) => !(Math.abs(shareOf(comparison)) <= toleranceShare)))
    throw new LabError(`The two generators differ by more than ${100 * toleranceShare} %.`);
  print(`They agree within ${100 * toleranceShare} %.`);
}
