// npm run bench -- NAME [--json FILE]
import { benchmarks } from './benchmarks.ts';

const usage = `usage: npm run bench -- ${Object.keys(benchmarks).join('|')} [--json FILE]`;

function fail(problem: string): never {
  process.stderr.write(`${problem}\n${usage}\n`);
  process.exit(2);
}

const [name, ...rest] = process.argv.slice(2);
if (name === undefined) fail('Which benchmark?');
const load = benchmarks[name];
if (load === undefined) fail(`There is no benchmark "${name}".`);
let jsonFile: string | undefined;
while (rest.length > 0) {
  const option = rest.shift();
  if (option !== '--json') fail(`Unknown option "${option}".`);
  jsonFile = rest.shift() ?? fail('--json needs a file name.');
}
// What the benchmarks have started they end when this process exits, which by a signal alone it would not.
for (const [signal, number] of [
  ['SIGINT', 2],
  ['SIGTERM', 15],
  ['SIGHUP', 1],
] as const)
  process.once(signal, () => process.exit(128 + number));
const run = await load();
await run(jsonFile === undefined ? {} : { jsonFile });
