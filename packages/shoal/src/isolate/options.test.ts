import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { ShoalError } from '../model/index.ts';
import { defaultIsolateOptions, type IsolateOptions, resolveIsolateOptions } from './options.ts';

const url = new URL('./functions.js', import.meta.url);

/** What is said to be wrong. */
function wrongIn(options: unknown, module: unknown = url): unknown {
  try {
    resolveIsolateOptions(module as URL, options as IsolateOptions, 4);
  } catch (error) {
    assert.ok(error instanceof ShoalError);
    assert.equal(error.code, 'SHOAL_BAD_CALL');
    return error.facts.wrong;
  }
  return [];
}

test('an option of isolate that is undefined is one that is not given', () => {
  const names = ['export', 'runLimitMs', 'deadlineMs', 'timeoutMs', 'instances', 'instancesMax'] as const;
  const options = Object.fromEntries(
    [...names, 'concurrency', 'heapMaxMiB'].map((name) => [name, undefined]),
  );
  assert.deepEqual(resolveIsolateOptions(url, options, 2), resolveIsolateOptions(url, {}, 2));
});

test('whatever is wrong is in one error, each with what it must be', () => {
  const options = {
    runLimit: 200,
    runLimitMs: '200',
    timeoutMs: Number.POSITIVE_INFINITY,
    instances: 63,
    instancesMax: 2,
    concurrency: 1.5,
    export: '',
    onLog: 'console',
  };
  assert.deepEqual(wrongIn(options, './search.js'), [
    "the first argument must be the URL of a module: new URL('./search.js', import.meta.url)",
    "there is no option 'runLimit' (did you mean 'runLimitMs'?)",
    'runLimitMs must be a number of milliseconds from 0 to 2,147,483,647 (0: no run limit)',
    'timeoutMs must be a number of milliseconds from 0 to 2,147,483,647 (0: waits for ever)',
    'instances must be a whole number of threads from 1 to 62',
    'concurrency must be a whole number of events from 1 to 65,536',
    'export must be the name of an exported function',
    'onLog must be a function of a level and a text',
    'instancesMax must not be smaller than instances',
  ]);
});

test('no options are the defaults; what is not an object, or no URL, is an error', () => {
  assert.deepEqual(wrongIn({}), []);
  assert.deepEqual(wrongIn({ runLimitMs: undefined }), []);
  assert.deepEqual(wrongIn(null), ['the second argument must be an object of options']);
  for (const module of [null, 5, {}, '/search.js']) assert.equal((wrongIn({}, module) as string[]).length, 1);
});

test('the default number of threads is that of the cores, as far as there may be so many', () => {
  assert.equal(resolveIsolateOptions(url, {}, 4).instancesMax, 4);
  assert.equal(resolveIsolateOptions(url, { instances: 6 }, 4).instancesMax, 6);
  assert.equal(resolveIsolateOptions(url, {}, 128).instancesMax, 62);
});

test('the default time limit of a call leaves the other limits the time to show', () => {
  assert.equal(resolveIsolateOptions(url, {}, 4).timeoutMs, 5_000);
  assert.equal(resolveIsolateOptions(url, { runLimitMs: 10_000 }, 4).timeoutMs, 21_500);
  assert.equal(resolveIsolateOptions(url, { runLimitMs: 10_000, timeoutMs: 100 }, 4).timeoutMs, 100);
});

test('the guide and the comments have every option with its default', () => {
  const root = path.resolve(import.meta.dirname, '../../../..');
  const guide = readFileSync(path.join(root, 'docs/guides/isolate.md'), 'utf8');
  const source = readFileSync(path.join(root, 'packages/shoal/src/isolate/options.ts'), 'utf8');
  for (const [name, value] of Object.entries(defaultIsolateOptions)) {
    const figure = typeof value === 'number' ? value.toLocaleString('en-US') : value;
    const row = guide.split('\n').find((line) => line.startsWith(`| \`${name}\` |`)) ?? '';
    assert.ok(row.split('|')[2]?.includes(figure), `${name}: ${row}`);
    const comment = new RegExp(`Default \`?${figure}\\b[^/]*\\*/\\n +readonly ${name}\\?:`);
    assert.match(source, comment);
  }
  for (const name of ['instancesMax', 'onLog']) assert.ok(guide.includes(`| \`${name}\` |`), name);
});
