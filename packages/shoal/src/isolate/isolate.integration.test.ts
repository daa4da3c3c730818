import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import type { Worker } from 'node:worker_threads';
import { ShoalError } from '../model/index.ts';
import { type Isolated, isolate } from './isolate.ts';
import type { IsolateOptions } from './options.ts';
import type * as Functions from './test-support/functions.ts';

const isSource = import.meta.filename.endsWith('.ts');
const functionsUrl = new URL(`./test-support/functions.${isSource ? 'ts' : 'js'}`, import.meta.url);

const opened: { close(): Promise<void> }[] = [];
after(() => Promise.all(opened.map((isolated) => isolated.close())));

type Name = Exclude<keyof typeof Functions, 'setting'>;

/** An isolated function of the test's module; closed when all tests are over. */
async function open<N extends Name>(
  name: N,
  options: IsolateOptions = {},
): Promise<Isolated<Parameters<(typeof Functions)[N]>, ReturnType<(typeof Functions)[N]>>> {
  const isolated = await isolate<(typeof Functions)[N]>(functionsUrl, { export: name, ...options });
  opened.push(isolated);
  return isolated;
}

/** The error that a promise is rejected with: one of Shoal's. */
async function errorOf(promise: Promise<unknown>): Promise<ShoalError> {
  const error = await promise.then(
    (value) => assert.fail(`it came to ${String(value)}`),
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof ShoalError, String(error));
  return error;
}

/** Code and reason of it. */
async function failure(promise: Promise<unknown>): Promise<string> {
  const { code, facts } = await errorOf(promise);
  return `${code} ${facts.reason}`;
}

const module = (source: string): string => `data:text/javascript,${encodeURIComponent(source)}`;

// It takes as long as a module may take; the other tests run meanwhile.
const neverLoaded = errorOf(isolate(module('for (;;);')));

test('what cannot be isolated is one error that says which function of which module, and why', async () => {
  const cases: [string | URL, string, RegExp][] = [
    [functionsUrl, 'nothing', /'nothing' of file:.*no export of that name; the functions it exports: .*echo/],
    [functionsUrl, 'setting', /'setting' of file:.*is not a function; the functions of its module: .*echo/],
    [
      new URL('./missing.js', functionsUrl),
      'f',
      /'f' of file:.*missing\.js.*cannot be loaded: .*MODULE_NOT_FOUND/,
    ],
    [
      module('\nthrow new RangeError("no such table")'),
      'f',
      /cannot be loaded: RangeError: no such table\n +at .*:2:7$/,
    ],
    [module('const a ='), 'f', /cannot be loaded: SyntaxError/],
    [module('process.exit(3)'), 'f', /'f' of data:.*the thread ended/],
  ];
  for (const [url, name, message] of cases) {
    const error = await errorOf(isolate(url, { export: name }));
    assert.equal(error.code, 'SHOAL_START_FAILED');
    assert.match(error.message, message);
    assert.doesNotMatch(error.message, /isolate-app|node:internal/, 'it shows nothing of ours');
  }
});

test('exports of a CommonJS module are found, those that Node cannot read off its source too', async (t) => {
  const folder = mkdtempSync(path.join(tmpdir(), 'shoal-isolate-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = path.join(folder, 'search.cjs');
  writeFileSync(file, 'module.exports = { search: (x) => x + 1 };');
  const search = await isolate<(x: number) => number>(pathToFileURL(file), { export: 'search' });
  opened.push(search);
  assert.equal(await search(1), 2);
});

test('without any option a function that runs for ever is stopped, and the next call is answered', async () => {
  const url = module('export default (n) => { while (n === 0); return n; }');
  const dangerous = await isolate<(n: number) => number>(url);
  opened.push(dangerous);
  assert.equal(await dangerous(1), 1);
  const runaway = dangerous(0);
  // The caller's event loop turns meanwhile.
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(await failure(runaway), 'SHOAL_CALL_FAILED run-limit');
  assert.equal(await dangerous(2), 2);
});

test('arguments and results are carried as they are, whatever data they are', async () => {
  const echo = await open('echo');
  const values = [
    undefined,
    null,
    -1.5,
    'é€😀',
    2n ** 600n,
    new Date(0),
    new Set([1, 'a']),
    Buffer.from('ab'),
    new Float32Array([1, 2]),
    { deep: [{ x: 1 }], list: [] },
    'x'.repeat(200_000),
  ];
  for (const value of values) assert.deepEqual(await echo(value), [value]);
  assert.deepEqual(await echo(), []);
  assert.deepEqual(await echo(1, 2, 3), [1, 2, 3]);
});

test('arguments that cannot be carried are a mistake of the caller, not overload, and the next call works', async () => {
  const echo = await open('echo');
  const cycle: Record<string, unknown> = {};
  cycle.self = cycle;
  const cases: [unknown, RegExp][] = [
    [() => {}, /a function/],
    [{ deep: { run() {} } }, /a function/],
    [Symbol('s'), /symbol/],
    [cycle, /contains itself/],
    ['x'.repeat(300_000), /more than 256 KiB/],
  ];
  for (const [value, message] of cases) {
    const error = await errorOf(echo(value));
    assert.equal(error.code, 'SHOAL_BAD_CALL');
    assert.match(error.message, /^The arguments of 'echo' cannot be carried/);
    assert.match(error.message, message);
    assert.deepEqual(await echo('next'), ['next']);
  }
});

test('a result that cannot be carried fails its call, and says so', async () => {
  const give = await open('give');
  const cases = {
    function: /a function/,
    symbol: /symbol/,
    cycle: /contains itself/,
    large: /at most 256 KiB/,
  };
  for (const [kind, message] of Object.entries(cases)) {
    const error = await errorOf(give(kind as keyof typeof cases));
    assert.equal(error.code, 'SHOAL_CALL_FAILED');
    assert.equal(error.facts.reason, 'reply-lost');
    assert.match(error.message, message);
  }
});

test('what the function throws is the cause: its name, message, code and place', async () => {
  const long = 'x'.repeat(1_000);
  for (const name of ['refuse', 'refuseLater'] as const) {
    const refuse = await open(name);
    const error = await errorOf(refuse(long));
    const message = `no ${long} here`;
    assert.equal(error.code, 'SHOAL_CALL_FAILED');
    assert.equal(error.facts.reason, 'handler-error');
    assert.equal(error.message, `'${name}' failed (handler-error): QueryError: ${message}`);
    const cause = error.cause as Error & { code: string };
    assert.deepEqual([cause.name, cause.message, cause.code], ['QueryError', message, 'E_QUERY']);
    assert.match(cause.stack ?? '', /at refuse \(.*functions\.[tj]s:\d+:\d+\)/);
    assert.doesNotMatch(cause.stack ?? '', /isolate-app|runtime/, 'it ends where our code begins');
  }
  const error = await errorOf((await open('throwText'))('just text'));
  assert.equal((error.cause as Error).message, 'just text');
});

test('calls are in progress together, as many on a thread as `concurrency` says', async () => {
  const one = await open('together', { instancesMax: 1, deadlineMs: 0 });
  assert.deepEqual(await Promise.all(Array.from({ length: 4 }, () => one(5))), [1, 1, 1, 1]);
  const three = await open('together', { instancesMax: 1, deadlineMs: 0, concurrency: 3 });
  const counts = await Promise.all(Array.from({ length: 9 }, () => three(20)));
  assert.equal(Math.max(...counts), 3);
});

test('a call that has waited past the deadline is not begun', async () => {
  const burn = await open('burn', { instancesMax: 1, deadlineMs: 50 });
  const [first, second] = await Promise.allSettled([burn(200), burn(1)]);
  assert.equal(first?.status, 'fulfilled');
  const error = await errorOf(Promise.reject((second as PromiseRejectedResult).reason));
  assert.equal(error.code, 'SHOAL_OVERLOADED');
  assert.match(error.message, /shed \(expired\)/);
});

test('a call passes those that will be stopped, once one of their size has been', async () => {
  const count = await open('foreverIfLong', {
    runLimitMs: 100,
    deadlineMs: 0,
    timeoutMs: 0,
    instancesMax: 1,
  });
  const long = 'x'.repeat(100);
  assert.equal(await failure(count(long)), 'SHOAL_CALL_FAILED run-limit');
  const settled: string[] = [];
  const note = (text: string) => (): void => void settled.push(text);
  await Promise.all(
    [long, long, long, long, 'short'].map((text) => count(text).then(note(text), note(text))),
  );
  // One of the others may have begun.
  assert.ok(settled.indexOf('short') <= 1, settled.map((text) => text.length).join());
});

test('a call is answered within `timeoutMs`, whatever its function does', async () => {
  const never = await open('never', { timeoutMs: 100, runLimitMs: 0 });
  assert.equal(await failure(never()), 'SHOAL_CALL_FAILED timeout');
});

test('a call whose thread is lost fails, and each of the others ends too', async () => {
  const exit = await open('exit', { deadlineMs: 0 });
  const [first, ...others] = await Promise.all([failure(exit()), failure(exit()), failure(exit())]);
  assert.equal(first, 'SHOAL_CALL_FAILED thread-lost');
  // Where threads take seconds to start, the controller has put another instance in place of this one meanwhile, and
  // what still waits here is refused when it is removed.
  const ends = ['SHOAL_CALL_FAILED thread-lost', 'SHOAL_OVERLOADED stopping'];
  for (const other of others) assert.ok(ends.includes(other), other);
});

test('of more calls than can wait each is answered or refused, once', async () => {
  const echo = await open('echo', { deadlineMs: 0, timeoutMs: 0 });
  const calls = Array.from({ length: 3_000 }, (_, i) =>
    echo(i).then(
      ([value]) => assert.equal(value, i),
      (error) => String(error.code),
    ),
  );
  const codes = (await Promise.all(calls)).filter((code) => code !== undefined);
  assert.deepEqual([...new Set(codes)], ['SHOAL_OVERLOADED']);
  assert.ok(codes.length > 0 && codes.length < calls.length, `${codes.length} were refused`);
  assert.deepEqual(await echo('after'), ['after']);
});

test('where calls queue, the function is cloned, up to `instancesMax` threads, and the clones serve', async () => {
  const log: string[] = [];
  const waitOn = await open('waitOn', {
    instancesMax: 2,
    concurrency: 2,
    deadlineMs: 0,
    timeoutMs: 0,
    onLog: (_, text) => log.push(text),
  });
  const threads = new Set<number>();
  // Its calls wait, so that no core need be free for a clone. So many would take 20 s on one thread.
  let callsLeft = 2_000;
  const call = async (): Promise<void> => {
    while (threads.size < 2 && callsLeft-- > 0) threads.add(await waitOn(20));
    for (let i = 0; i < 20; i++) threads.add(await waitOn(20));
  };
  await Promise.all(Array.from({ length: 24 }, call));
  assert.equal(threads.size, 2);
  assert.match(log.join('\n'), /clone function function#\d+ on .* → serving after/);
});

test('there are as many threads as `instances` says from the beginning', async () => {
  const waitOn = await open('waitOn', { instances: 3, instancesMax: 3 });
  const threads = await Promise.all(Array.from({ length: 3 }, () => waitOn(50)));
  assert.equal(new Set(threads).size, 3);
});

test('close() rejects the calls in progress and all after it, whatever the function is doing', async () => {
  for (const name of ['forever', 'never'] as const) {
    const isolated = await open(name, { runLimitMs: 0, deadlineMs: 0, timeoutMs: 0, instancesMax: 1 });
    const calls = [isolated(), isolated()];
    const closing = isolated.close();
    const after = isolated();
    for (const call of [...calls, after])
      assert.equal(await failure(call), 'SHOAL_CALL_FAILED closed', `${name} was called`);
    await closing;
    assert.equal(await failure(isolated()), 'SHOAL_CALL_FAILED closed');
  }
});

test('close() may be called again, also by leaving the block of an `await using`', async () => {
  const twice = await open('default');
  const first = twice.close();
  await Promise.all([first, twice.close(), twice[Symbol.asyncDispose]()]);
  await twice.close();
});

test('one that is closed leaves no descriptor behind', async () => {
  const descriptors = (): number => readdirSync('/proc/self/fd').length;
  const openAndClose = async (): Promise<void> => {
    const isolated = await open('default');
    await isolated.close();
    await isolated.close();
  };
  // The first one loads what stays for the process.
  await openAndClose();
  const before = descriptors();
  for (let i = 0; i < 3; i++) await openAndClose();
  const endsAt = Date.now() + 2_000;
  while (descriptors() > before && Date.now() < endsAt)
    await new Promise((resolve) => setTimeout(resolve, 20));
  assert.equal(descriptors(), before);
});

test('when the thread behind it dies for good, every call is rejected, and the log says why', async () => {
  const log: string[] = [];
  let host: Worker | undefined;
  process.once('worker', (worker) => {
    host = worker;
  });
  const never = await open('never', {
    deadlineMs: 0,
    runLimitMs: 0,
    timeoutMs: 0,
    onLog: (level, text) => log.push(`${level}: ${text}`),
  });
  const call = never();
  await host?.terminate();
  assert.equal(await failure(call), 'SHOAL_CALL_FAILED thread-lost');
  assert.equal(await failure(never()), 'SHOAL_CALL_FAILED thread-lost');
  assert.match(log.at(-1) ?? '', /^error: the thread that looks after its threads has ended with code 1/);
  await never.close();
});

/** What a program of `test-support/program.ts` prints until it ends by itself. */
async function run(what: string): Promise<string> {
  const args = process.execArgv.filter((arg) => !arg.startsWith('--test'));
  const file = path.join(import.meta.dirname, 'test-support', `program.${isSource ? 'ts' : 'js'}`);
  const child = spawn(process.execPath, [...args, file, what], { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
  let text = '';
  for await (const chunk of child.stdout) text += chunk;
  assert.equal(await ended, 0);
  return text;
}

const programs = {
  idle: '42\n',
  waiting: 'answered\n',
  refused: 'SHOAL_BAD_CALL\n',
  closed: 'SHOAL_CALL_FAILED\n',
  failed: 'SHOAL_START_FAILED\n',
  worker: '42\n',
  'ended-worker': 'ended\n',
  cluster: 'run-limit\nrun-limit\n',
};
for (const [what, printed] of Object.entries(programs)) {
  test(`a program ends by itself when nothing is in progress: ${what}`, { timeout: 60_000 }, async () => {
    assert.equal(await run(what), printed);
  });
}

test('a module that does not finish loading is not waited for without end', async () => {
  const error = await neverLoaded;
  assert.equal(error.code, 'SHOAL_START_FAILED');
  assert.match(error.message, /its module is not loaded after 10,000 ms/);
});
