/**
 * A runtime process of the supervisor's tests. Every start leaves a line in a file; then it does what its argument
 * says, in its first life only (`…-always`: in each), and serves.
 */
import * as fs from 'node:fs';
import { Worker } from 'node:worker_threads';
import { joinSupervisor } from '../supervisor/index.ts';

const [file = '', behaviour = 'serve'] = process.argv.slice(2);
const link = joinSupervisor({
  onDrain: () => {
    note('drain');
    // Work in progress that never ends, for the second signal.
    if (behaviour !== 'never-drain') setTimeout(() => process.exit(0), 20);
  },
});
const idle = setInterval(() => {}, 1_000);

function note(what: string): void {
  const line = { what, pid: process.pid, cause: link?.cause ?? null, isSupervised: link !== null };
  fs.appendFileSync(file, `${JSON.stringify(line)}\n`);
}

/**
 * A table that grows in a thread with a heap limit. Each doubling is one allocation, and the one that does not fit
 * makes V8 abort the whole process: it asks nobody for room first, as it does for many small objects.
 */
function growMap(): void {
  const code = 'const table = new Map(); for (let i = 0; ; i++) table.set(i, i);';
  new Worker(code, { eval: true, resourceLimits: { maxOldGenerationSizeMb: 64 } });
}

const report = { what: 'a table grows', msu: 'search', instanceId: 7, messageId: 4_711 };

const behaviours: Readonly<Record<string, () => void>> = {
  'grow-map': () => {
    link?.report(report);
    growMap();
  },
  'exit-3': () => process.exit(3),
  finish: () => clearInterval(idle),
  hang: () => {
    for (;;);
  },
  die: () => link?.die({ ...report, what: 'a thread cannot be stopped' }),
};

note('start');
if (link !== null && (link.cause === null || behaviour.endsWith('-always'))) {
  behaviours[behaviour.replace('-always', '')]?.();
}
