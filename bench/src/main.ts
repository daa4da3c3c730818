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
const run = await load();
await run(jsonFile === undefined ? {} : { jsonFile });
