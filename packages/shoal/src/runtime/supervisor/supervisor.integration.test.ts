// Real processes, really killed.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import * as fs from 'node:fs';
import * as os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import {
  describeEvent,
  givenUpExitCode,
  type SupervisorEvent,
  type SupervisorOptions,
  startSupervisor,
} from './index.ts';
import type { Supervisor } from './supervisor.ts';

interface Line {
  readonly what: string;
  readonly pid: number;
  readonly cause: { restarts: number; sentence: string; report: { messageId: number } | null } | null;
  readonly isSupervised: boolean;
}

const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
const url = (name: string): URL => new URL(`../test-threads/${name}.${extension}`, import.meta.url);
const waitMaxMs = 20_000;
let folder = '';
let file = '';
let supervisor: Supervisor | null = null;
let events: SupervisorEvent[] = [];

beforeEach(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'shoal-supervisor-'));
  file = path.join(folder, 'lines');
  events = [];
});

afterEach(async () => {
  await supervisor?.close();
  supervisor = null;
  fs.rmSync(folder, { recursive: true });
});

function supervise(behaviour: string, options: Partial<SupervisorOptions> = {}): Supervisor {
  supervisor = startSupervisor({
    module: url('supervised'),
    args: [file, behaviour],
    handlesSignals: false,
    onEvent: (event) => events.push(event),
    ...options,
  });
  return supervisor;
}

function lines(): Line[] {
  if (!fs.existsSync(file)) return [];
  const text = fs.readFileSync(file, 'utf8');
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));
}

async function until(isTrue: () => boolean, what: string): Promise<void> {
  for (let waitedMs = 0; !isTrue(); waitedMs += 20) {
    assert.ok(
      waitedMs < waitMaxMs,
      `${what}; lines ${JSON.stringify(lines())}; events ${JSON.stringify(events)}`,
    );
    await delay(20);
  }
}

const starts = (): Line[] => lines().filter((line) => line.what === 'start');

/** Whether a process runs (one that has ended and waits to be noticed does not). */
function isRunning(pid: number): boolean {
  try {
    return !/^State:\s+[ZX]/m.test(fs.readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

/** The end of the first life, after the second has begun. */
async function firstEnd(): Promise<Extract<SupervisorEvent, { kind: 'ended' }>['end']> {
  await until(() => starts().length === 2, 'it is started again');
  const ended = events.find((event) => event.kind === 'ended');
  assert.ok(ended?.kind === 'ended');
  const second = starts()[1];
  assert.equal(second?.cause?.restarts, 1);
  assert.equal(second?.cause?.sentence, ended.end.sentence);
  return ended.end;
}

test('a heap overflow by a growing Map aborts the runtime, and the next one knows why and by which message', async () => {
  supervise('grow-map');
  const end = await firstEnd();
  assert.equal(end.kind, 'heap-overflow');
  assert.equal(end.code, 134);
  assert.match(end.sentence, /ran out of JavaScript heap .*SIGABRT.*MSU search, instance 7, message 4711/);
  assert.equal(starts()[1]?.cause?.report?.messageId, 4_711);
});

test('an abnormal exit code is a reason to start again', async () => {
  supervise('exit-3');
  const end = await firstEnd();
  assert.deepEqual([end.kind, end.code], ['failed', 3]);
});

test('a runtime that is killed from outside is started again', async () => {
  const { runtimePid } = supervise('serve');
  await until(() => starts().length === 1, 'it is started');
  process.kill(runtimePid, 'SIGKILL');
  const end = await firstEnd();
  assert.deepEqual([end.kind, end.signal, end.code], ['killed', 'SIGKILL', 137]);
});

test('an agent whose event loop hangs gives no heartbeat, is killed and started again', async () => {
  supervise('hang', { heartbeatMs: 50, heartbeatsMissedMax: 4 });
  const end = await firstEnd();
  assert.equal(end.kind, 'hung');
  assert.match(end.sentence, /no sign of life for \d+ ms/);
});

test('a runtime that never says anything is killed when its time to start is over', async () => {
  const silent = path.join(folder, 'silent.mjs');
  fs.writeFileSync(silent, 'setInterval(() => {}, 1000);\n');
  const { finished } = supervise('', {
    module: silent,
    heartbeatMs: 20,
    startMaxMs: 400,
    restart: { intensity: 0 },
  });
  assert.equal(await finished, givenUpExitCode);
  const ended = events.find((event) => event.kind === 'ended');
  assert.equal(ended?.kind === 'ended' && ended.end.kind, 'hung');
});

test('a runtime that cannot stop one of its threads has itself killed, and its words are kept', async () => {
  supervise('die');
  const end = await firstEnd();
  assert.equal(end.kind, 'gave-up');
  assert.match(end.sentence, /a thread cannot be stopped, MSU search/);
});

test('a runtime that ends too often is given up, with an exit code that is not 0 and a sentence that says so', async () => {
  const { finished } = supervise('exit-3-always', { restart: { intensity: 2, periodMs: 60_000 } });
  assert.equal(await finished, givenUpExitCode);
  assert.equal(starts().length, 3);
  const last = events.at(-1);
  assert.ok(last !== undefined);
  assert.match(
    describeEvent(last),
    /giving up: the runtime process ended more than 2 times within 60000 ms; the last time .* exit code 3/,
  );
});

test('a runtime that ends by itself with exit code 0 is not started again, nor a temporary one at all', async () => {
  assert.equal(await supervise('finish').finished, 0);
  assert.equal(starts().length, 1);
  assert.equal(await supervise('exit-3', { restart: { kind: 'temporary' } }).finished, 3);
  assert.equal(starts().length, 2);
});

test('a module that does not exist is given up with an error, not started for ever', async () => {
  const { finished } = supervise('', { module: path.join(folder, 'missing.mjs'), restart: { intensity: 1 } });
  assert.equal(await finished, givenUpExitCode);
  assert.equal(events.filter((event) => event.kind === 'started').length, 2);
});

/** A supervisor in a process of its own. */
async function superviseApart(behaviour: string): Promise<{ child: ChildProcess; runtimePid: number }> {
  const child = spawn(
    process.execPath,
    [...process.execArgv, fileURLToPath(url('supervise')), file, behaviour],
    {
      stdio: ['ignore', 'ignore', 'ignore'],
    },
  );
  await until(() => starts().length === 1, 'it is started');
  return { child, runtimePid: starts()[0]?.pid ?? 0 };
}

test('SIGTERM drains the runtime; the supervisor ends with its exit code 0', async () => {
  const { child, runtimePid } = await superviseApart('serve');
  child.kill('SIGTERM');
  const [code] = await once(child, 'exit');
  assert.equal(code, 0);
  assert.deepEqual(
    lines().map((line) => line.what),
    ['start', 'drain'],
  );
  assert.equal(isRunning(runtimePid), false);
});

test('a second SIGTERM stops at once a runtime that would drain for ever', async () => {
  const { child, runtimePid } = await superviseApart('never-drain');
  child.kill('SIGTERM');
  await until(() => lines().some((line) => line.what === 'drain'), 'it drains');
  child.kill('SIGTERM');
  const [code] = await once(child, 'exit');
  assert.equal(code, 1);
  assert.equal(starts().length, 1);
  assert.equal(isRunning(runtimePid), false);
});

for (const behaviour of ['serve', 'hang']) {
  test(`a supervisor that is killed takes its runtime along (${behaviour})`, async () => {
    const { child, runtimePid } = await superviseApart(behaviour);
    assert.equal(isRunning(runtimePid), true);
    child.kill('SIGKILL');
    await once(child, 'exit');
    await until(() => !isRunning(runtimePid), 'the runtime is gone');
  });
}

test('a process that no supervisor started runs without one', async () => {
  const args = [...process.execArgv, fileURLToPath(url('supervised')), file, 'serve'];
  const child = spawn(process.execPath, args, { stdio: 'ignore' });
  await until(() => starts().length === 1, 'it is started');
  assert.equal(starts()[0]?.isSupervised, false);
  child.kill('SIGTERM');
  const [, signal] = await once(child, 'exit');
  assert.equal(signal, 'SIGTERM');
});
