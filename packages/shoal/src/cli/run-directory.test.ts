import assert from 'node:assert/strict';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { ShoalError } from '../model/index.ts';
import { defaultRunDirectory } from './default-run-directory.ts';
import { createToken, findRun, listRuns, writeRunFile } from './run-directory.ts';

const folder = mkdtempSync(path.join(os.tmpdir(), 'shoal-run-'));
after(() => rmSync(folder, { recursive: true }));
const fresh = (): string => path.join(folder, createToken());
const run = (app: string, pid: number = process.pid) => ({ app, pid, port: 4_000, token: createToken() });
const control = (message: RegExp) => (error: unknown) =>
  error instanceof ShoalError && error.code === 'SHOAL_CONTROL' && message.test(error.message);

test('a running app is found without arguments; its file and directory are for its user alone', () => {
  const directory = fresh();
  const written = run('web');
  const remove = writeRunFile(directory, written);
  assert.equal(statSync(directory).mode & 0o777, 0o700);
  assert.equal(statSync(path.join(directory, `web-${process.pid}.json`)).mode & 0o777, 0o600);
  assert.deepEqual(findRun(directory, undefined), { version: 1, ...written });
  remove();
  assert.deepEqual(readdirSync(directory), []);
  assert.throws(() => findRun(directory, undefined), control(/No app runs.*shoal run APP/));
});

test('of several apps one is to be named, by its name or its process', () => {
  const directory = fresh();
  writeRunFile(directory, run('web'));
  writeRunFile(directory, run('mail', process.ppid));
  assert.throws(() => findRun(directory, undefined), control(/More than one app runs: .*"web".* --app/));
  assert.equal(findRun(directory, 'web').app, 'web');
  assert.equal(findRun(directory, String(process.ppid)).app, 'mail');
  assert.throws(() => findRun(directory, 'wbe'), control(/No app "wbe" runs/));
});

test('files of processes that are gone are removed, and files that are not ours are left alone', () => {
  const directory = fresh();
  writeRunFile(directory, run('web', 2 ** 22 + 1));
  writeFileSync(path.join(directory, 'other.json'), '{"app": 5}');
  writeFileSync(path.join(directory, 'broken.json'), '{');
  assert.deepEqual(listRuns(directory), []);
  assert.deepEqual(readdirSync(directory).sort(), ['broken.json', 'other.json']);
});

test('a directory that others can read, a link, or a file in its place is not trusted', () => {
  const open = fresh();
  mkdirSync(open);
  chmodSync(open, 0o755);
  assert.throws(() => writeRunFile(open, run('web')), control(/can be read by other users/));
  assert.throws(() => listRuns(open), control(/can be read by other users/));
  const target = fresh();
  mkdirSync(target, { mode: 0o700 });
  const link = fresh();
  symlinkSync(target, link);
  assert.throws(() => writeRunFile(link, run('web')), control(/is not a directory/));
  const file = fresh();
  writeFileSync(file, '');
  assert.throws(() => writeRunFile(file, run('web')), control(/cannot be made|is not a directory/));
  assert.deepEqual(readdirSync(target), []);
});

test('a directory that cannot be written to is an error that names it, and leaves nothing behind', () => {
  // Ours alone, and nobody can make a file in it, not even root.
  const readOnly = '/proc/self/fd';
  const before = readdirSync(readOnly).length;
  assert.throws(
    () => writeRunFile(readOnly, run('web')),
    control(/^The run directory \/proc\/self\/fd cannot be written to: .*--run DIRECTORY\.$/),
  );
  assert.equal(readdirSync(readOnly).length, before);
});

test('the directory is in XDG_RUNTIME_DIR where there is one, else in the folder for temporary files', () => {
  assert.equal(defaultRunDirectory({ XDG_RUNTIME_DIR: folder }), path.join(folder, 'shoal'));
  for (const given of [undefined, '', 'relative', path.join(folder, 'absent')]) {
    const directory = defaultRunDirectory(given === undefined ? {} : { XDG_RUNTIME_DIR: given });
    assert.equal(directory, path.join(os.tmpdir(), `shoal-${process.getuid?.()}`));
  }
  assert.ok(!existsSync(path.join(folder, 'absent')));
});

test('tokens have 256 bits, and no two are the same', () => {
  const tokens = new Set(Array.from({ length: 1_000 }, createToken));
  assert.equal(tokens.size, 1_000);
  for (const token of tokens) assert.match(token, /^[\w-]{43}$/);
});
