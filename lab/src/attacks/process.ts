// The process of an attack: `node process.js '<AttackOptions as JSON>'`. It reports once a second on standard
// output, and ends by itself: when the plan is over, when told to (SIGTERM, SIGINT), or when whoever started it
// is gone (its standard input closes).
import { setMaxListeners } from 'node:events';
import { LabError } from '../lab-error.ts';
import type { AttackOptions } from './attack.ts';
import { prepareAttack } from './catalogue.ts';
import { AttackMeter } from './meter.ts';
import { waitUnlessAborted } from './pace.ts';
import { phaseAt, totalDurationMs } from './phases.ts';
import type { AttackMessage } from './protocol.ts';
import { resolveAttack } from './resolve.ts';
import { checkTarget } from './target-guard.ts';

const REPORT_PERIOD_MS = 1000;
/** After the plan's end and the last request's timeout, this much longer and the process ends whatever it is doing. */
const HARD_STOP_MARGIN_MS = 5000;

function say(message: AttackMessage): void {
  process.stdout.write(`${JSON.stringify(message)}\n`);
}

async function main(): Promise<void> {
  const options = JSON.parse(process.argv[2] ?? '{}') as AttackOptions;
  const plan = resolveAttack(options);
  checkTarget(plan.host);

  const stop = new AbortController();
  // Every request in flight listens to it; their number has its own bound.
  setMaxListeners(0, stop.signal);
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => stop.abort());
  process.stdin.on('end', () => stop.abort()).on('error', () => stop.abort());
  process.stdin.resume();
  // Nobody reads the reports any more: the input has closed as well, and the attack is ending.
  process.stdout.on('error', () => stop.abort());

  const prepared = await prepareAttack(options, plan);
  await waitUnlessAborted(plan.startAtEpochMs - Date.now(), stop.signal);
  const meter = new AttackMeter(options.attack);
  const stats = (): ReturnType<AttackMeter['stats']> => meter.stats(phaseAt(plan.phases, meter.elapsedMs()));
  const reports = setInterval(() => say({ kind: 'report', stats: stats() }), REPORT_PERIOD_MS);
  const hardStop = setTimeout(
    () => process.exit(1),
    totalDurationMs(plan.phases) + plan.timeoutMs + HARD_STOP_MARGIN_MS,
  );
  await prepared({ plan, meter, signal: stop.signal });
  clearInterval(reports);
  clearTimeout(hardStop);
  say({ kind: 'done', stats: stats() });
}

try {
  await main();
} catch (error) {
  if (!(error instanceof LabError)) throw error;
  say({ kind: 'refused', reason: error.message });
  process.exitCode = 1;
}
process.stdin.destroy();
