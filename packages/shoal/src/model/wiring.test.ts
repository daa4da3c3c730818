// The compiler itself is asked: fixtures/wiring/right.ts compiles, and of wrong.ts exactly the marked lines do not.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';

const packageFolder = path.resolve(import.meta.dirname, '../..');
const folder = path.join(packageFolder, 'fixtures/wiring');
const compiler = path.resolve(packageFolder, '../../node_modules/typescript/bin/tsc');

test('wiring ports of the same message type compiles, any other wiring is an error at its own line', () => {
  const { stdout, stderr } = spawnSync(process.execPath, [compiler, '-p', folder, '--pretty', 'false'], {
    encoding: 'utf8',
  });
  const errors = [...stdout.matchAll(/^(\S+?)\((\d+),\d+\): error TS/gm)].map((match) => {
    return `${path.basename(match[1] ?? '')}:${match[2]}`;
  });
  const lines = readFileSync(path.join(folder, 'wrong.ts'), 'utf8').split('\n');
  const marked = lines.flatMap((line, index) => (line.includes('// ✗') ? [`wrong.ts:${index + 2}`] : []));
  assert.ok(marked.length >= 15, 'wrong.ts marks its errors');
  assert.deepEqual([...new Set(errors)], marked, `${stdout}${stderr}`);
});
