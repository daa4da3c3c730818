// The package as npm installs it: the command, and only what users need.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { accessSync, constants, readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';

const folder = path.resolve(import.meta.dirname, '../..');

test('the package holds what its entry points name, and no tests or test support', () => {
  const { stdout, stderr } = spawnSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], {
    cwd: folder,
    encoding: 'utf8',
  });
  const [{ files } = { files: [] }] = JSON.parse(stdout) as { files: { path: string }[] }[];
  const packed = files.map((file) => file.path);
  const { bin, exports } = JSON.parse(readFileSync(path.join(folder, 'package.json'), 'utf8'));
  const entries = Object.values<Record<string, string>>(exports).flatMap((entry) => [
    entry.types,
    entry.default,
  ]);
  // Processes and threads are started by the names of their files, which nothing imports.
  const started = ['cli/run-main', 'cli/check-app-main', 'cli/check-app-thread', 'runtime/thread-main'];
  const others = ['README.md', 'LICENSE', 'schema/deployment.schema.json', './dist/cli/main.js'];
  for (const entry of [bin.shoal, ...others, ...started.map((name) => `dist/${name}.js`), ...entries]) {
    assert.ok(packed.includes(path.normalize(entry as string)), `${entry} is in the package\n${stderr}`);
  }
  const needless = (file: string): boolean =>
    /\.test\.|tsbuildinfo|fixture/.test(file) || file.split('/').some((part) => part.startsWith('test-'));
  assert.deepEqual(packed.filter(needless), []);
});

test('the licence of the package is that of the repository', () => {
  const licence = readFileSync(path.join(folder, 'LICENSE'), 'utf8');
  assert.equal(licence, readFileSync(path.resolve(folder, '../../LICENSE'), 'utf8'));
});

test('the command is a file of the repository that can be run as it is, so that a fresh clone has it', () => {
  const { bin } = JSON.parse(readFileSync(path.join(folder, 'package.json'), 'utf8'));
  const command = path.join(folder, bin.shoal);
  accessSync(command, constants.X_OK);
  const tracked = spawnSync('git', ['ls-files', '--error-unmatch', command], {
    cwd: folder,
    encoding: 'utf8',
  });
  assert.equal(tracked.status, 0, tracked.stderr);
  const { status, stdout } = spawnSync(command, ['--version'], { encoding: 'utf8' });
  assert.deepEqual([status, /^\d+\.\d+\.\d+\n$/.test(stdout)], [0, true]);
});
