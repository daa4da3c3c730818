// `npm test`: types, the JavaScript of `packages/shoal`, lint, then every test from source and the integration tests once more from dist.
//
//   npm test                     everything
//   npm test -- lane controller  only the test files whose path contains one of these words (from source)
//
// Unit and integration tests are `src/**/*.test.ts`; those named `*.integration.test.ts` start threads,
// processes or sockets, and run from dist as well, because that is what users run; those of the lab and the
// benchmarks, which nobody imports, from dist alone when everything is tested.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import * as fs from 'node:fs';
import path from 'node:path';

const root = path.resolve(import.meta.dirname, '..');
process.chdir(root);
const words = process.argv.slice(2);

// A test file, and a step, that take longer hang: they are ended, and the run fails. A step takes 5 minutes.
const fileMaxMs = 8 * 60_000;
const stepMaxMs = 25 * 60_000;

async function run(title, command, args, env = {}) {
  process.stdout.write(`\n── ${title}\n`);
  const started = process.hrtime.bigint();
  // A process group of its own, so that whatever it started can be ended with it.
  const child = spawn(command, args, { stdio: 'inherit', env: { ...process.env, ...env }, detached: true });
  const end = () => {
    try {
      process.kill(-child.pid, 'SIGKILL');
    } catch {
      // All of it is gone.
    }
  };
  const interrupted = () => {
    end();
    process.exit(1);
  };
  process.on('SIGINT', interrupted).on('SIGTERM', interrupted);
  const timer = setTimeout(() => {
    process.stdout.write(`── ${title}: not over within ${stepMaxMs / 60_000} minutes, ended\n`);
    end();
  }, stepMaxMs);
  const [status] = await once(child, 'exit');
  clearTimeout(timer);
  end(); // What outlived it would keep our output open.
  process.off('SIGINT', interrupted).off('SIGTERM', interrupted);
  const seconds = Number(process.hrtime.bigint() - started) / 1e9;
  process.stdout.write(`── ${title}: ${status === 0 ? 'ok' : 'FAILED'} (${seconds.toFixed(1)} s)\n`);
  if (status !== 0) process.exit(status ?? 1);
}

function find(folder, ending) {
  const found = [];
  for (const entry of fs.readdirSync(folder, { withFileTypes: true, recursive: true })) {
    const file = path.relative(root, path.join(entry.parentPath ?? entry.path, entry.name));
    if (entry.isFile() && file.endsWith(ending) && !file.includes('node_modules')) found.push(file);
  }
  return found.sort();
}

const sourceFolders = ['packages', 'apps', 'lab', 'bench'].flatMap((top) =>
  top === 'packages' || top === 'apps' ? fs.readdirSync(top).map((name) => `${top}/${name}`) : [top],
);
const sources = [
  ...sourceFolders.flatMap((folder) => find(`${folder}/src`, '.test.ts')),
  ...find('test', '.test.ts').filter((file) => !file.includes('/dist/')),
].filter((file) => words.length === 0 || words.some((word) => file.includes(word)));
const built = sources
  .filter((file) => file.endsWith('.integration.test.ts'))
  .map((file) => file.replace('/src/', '/dist/').replace(/\.ts$/, '.js'));

const fromDistAlone = /^(lab|bench)\/.*\.integration\.test\.ts$/;
const unbuilt = sources.filter((file) => words.length > 0 || !fromDistAlone.test(file));

const nodeTest = ['--test', '--test-concurrency=2', '--test-reporter=spec', `--test-timeout=${fileMaxMs}`];
const fromSource = ['--conditions=source', '--import', path.join(root, 'scripts/strip-types.mjs')];

await run('types', 'node_modules/.bin/tsc', ['-b']);
await run('bundle', process.execPath, ['scripts/bundle.mjs']);
if (words.length === 0) await run('lint', 'node_modules/.bin/biome', ['ci', '.']);
await run('tests from source', process.execPath, [...fromSource, ...nodeTest, ...unbuilt], {
  NODE_NO_WARNINGS: '1',
});
if (words.length === 0 && built.length > 0)
  await run('integration tests from dist', process.execPath, [...nodeTest, ...built]);
