// The load generator's own process: options (plain JSON) come in on stdin, or from the file named by the first
// argument; one JSON object a line goes out: each second as it is complete, then the result. SIGTERM ends the
// load early, with its result.
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ResolvedLoadOptions } from './options.ts';
import type { LoadProcessLine } from './process-lines.ts';
import { runLoad } from './run-load.ts';

const write = (line: LoadProcessLine): void => {
  process.stdout.write(`${JSON.stringify(line)}\n`);
};

const options = JSON.parse(readFileSync(process.argv[2] ?? 0, 'utf8')) as ResolvedLoadOptions;
await sleep(Math.max(0, options.startAtEpochMs - Date.now()));
const load = runLoad(options, (second) => write({ type: 'second', second }));
process.on('SIGTERM', () => load.stop());
write({ type: 'started' });
write({ type: 'result', result: await load.done });
