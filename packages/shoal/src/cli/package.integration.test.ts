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
  for (const entry of [bin.shoal, './dist/cli/main.js', './dist/cli/run-main.js', ...entries]) {
    assert.ok(packed.includes(path.normalize(entry as string)), `${entry} is in the package\n${stderr}`);
  }
  assert.deepEqual(
    packed.filter((file) =>
      /\.test\.|test-support|tsbuildinfo|cli\/test-command|controller\/fixture/.test(file),
    ),
    [],
  );
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
