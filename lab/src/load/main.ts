// The load generator's own process: options (plain JSON) come from the file named by the argument; one JSON
// object a line goes out: each second as it is complete, then the result. SIGTERM ends the load early, with its
// result.
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ResolvedLoadOptions } from './options.ts';
import type { LoadProcessLine } from './process-lines.ts';
import { runLoad } from './run-load.ts';

const write = (line: LoadProcessLine): void => {
  process.stdout.write(`${JSON.stringify(line)}\n`);
};

const stop = new AbortController();
process.on('SIGTERM', () => stop.abort());
const options = JSON.parse(readFileSync(process.argv[2]!, 'utf8')) as ResolvedLoadOptions;
await sleep(Math.max(0, options.startAtEpochMs - Date.now()), undefined, { signal: stop.signal }).catch(
  () => {
    // Stopped before it began: the result is an empty one.
  },
);
const load = runLoad(options, (second) => write({ type: 'second', second }));
if (stop.signal.aborted) load.stop();
stop.signal.addEventListener('abort', () => load.stop());
write({ type: 'result', result: await load.done });
