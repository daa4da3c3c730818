import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { crashes, pipeVariable, ranAsync, ranSync } from './test-apps/runaway.ts';
import { startApp, type TestRuntime, unaccounted } from './test-apps/start.ts';

const runLimitMs = 100;
/** Promised is 500 ms on a machine that is not overloaded; tests run on any. */
const overrunMaxMs = 1_500;

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'shoal-pipe-'));
const pipe = path.join(folder, 'pipe');
const fatal: { atMs: number; detail: string }[] = [];
let app: TestRuntime;
/** Beats of a timer of this thread, like the one of `pulse`: they meet the same load of the machine. */
let ownBeats = 0;
const ownPulse = setInterval(() => ownBeats++, 5);

before(async () => {
  execFileSync('mkfifo', [pipe]);
  process.env[pipeVariable] = pipe;
  app = await startApp('runaway', {
    limits: { threadHeapMaxMiB: 64 },
    // In service this ends the process. Here it is noted, and what can be ended is.
    onFatal: ({ detail }) => {
      fatal.push({ atMs: app.runtime.clock.now(), detail });
      try {
        fs.closeSync(fs.openSync(pipe, fs.constants.O_WRONLY | fs.constants.O_NONBLOCK));
      } catch {
        // Nobody reads the pipe: it is another one of them.
      }
    },
  });
});

after(async () => {
  clearInterval(ownPulse);
  await app.runtime.close();
  fs.rmSync(folder, { recursive: true });
});

test('a thread that ends while several messages are in progress fails all of them, and goes on', async () => {
  const { outcomes } = await app.result('several');
  assert.deepEqual(
    outcomes,
    Array.from({ length: 4 }, () => 'failed: thread-lost'),
  );
  assert.equal((await app.result('after several')).outcome, 'done');
});

test('a type that dies more often than its restart intensity is given up, and everything that waits is told', async () => {
  const { outcomes } = await app.result('many');
  assert.deepEqual(
    outcomes,
    Array.from({ length: 10 }, () => 'failed: thread-lost'),
  );
  const event = await app.until('event', () => app.events.find(({ kind }) => kind === 'instance-given-up'));
  assert.equal(event.msu, 'fragile');
  const [sample] = await app.until('counts', () => {
    const samples = app.instances('fragile');
    return samples[0]?.failed['thread-lost'] === 10 ? samples : undefined;
  });
  assert.equal(sample?.phase, 'lost');
  assert.equal(
    app.events.filter(({ kind, msu }) => kind === 'thread-replaced' && msu === 'fragile').length,
    2,
  );
});

for (const [name, { outcome }] of Object.entries(crashes)) {
  test(`crash: ${name}: the message ends as ${outcome}, and the inbox goes on`, async () => {
    const result = await app.result(name);
    assert.equal(result.outcome, outcome);
    assert.equal(result.behind, 'done');
  });
}

const overruns: Record<string, number> = {};

for (const name of [...ranAsync, ...ranSync]) {
  test(`runaway: ${name}: stopped, its requester told, and the inbox goes on in the replacement`, async () => {
    const result = await app.until(
      `result '${name}'`,
      () => app.logged.find(({ fields }) => fields.name === name)?.fields,
      30_000,
    );
    assert.equal(result.outcome, 'failed: run-limit');
    assert.equal(result.behind, 'done');
    const sentAtMs = result.sentAtMs as number;
    const killed = app.events.find(({ kind, atMs }) => kind === 'run-limit-kill' && atMs > sentAtMs);
    const lost = app.events.find(
      ({ kind, atMs, threadId }) =>
        kind === 'thread-lost' && threadId === killed?.threadId && atMs > sentAtMs,
    );
    // What cannot be stopped, its process is stopped with.
    const ended = fatal.find(({ atMs }) => atMs > sentAtMs && atMs < (lost?.atMs ?? 0));
    if (name === 'read of a pipe') assert.ok(ended !== undefined, 'the process was not told to end');
    const overrunMs = (ended?.atMs ?? lost?.atMs ?? Number.NaN) - sentAtMs - runLimitMs;
    assert.ok(overrunMs >= 0, `it was stopped ${-overrunMs} ms before its limit`);
    overruns[name] = Math.round(overrunMs);
    assert.ok(overrunMs < overrunMaxMs, `it ran ${overrunMs} ms beyond its limit`);
  });
}

test('all the while other threads went on, and at the end every count adds up', async (t) => {
  await app.result('end');
  await app.runtime.close();
  assert.deepEqual(unaccounted(app.last()), []);
  const own = ownBeats;
  const beats = app.instances('pulse')[0]?.counters.beats ?? 0;
  const gap = app.instances('pulse')[0]?.counters['longest gap'] ?? Number.NaN;
  t.diagnostic(`milliseconds beyond the limit: ${JSON.stringify(overruns)}`);
  t.diagnostic(
    `a 5 ms timer on another thread: ${beats} beats, longest gap ${gap.toFixed(1)} ms; here: ${own}`,
  );
  assert.ok(beats > own * 0.7, `${beats} beats where this thread had ${own}`);
  const victims = app.instances('victim')[0];
  assert.equal(victims?.failed['run-limit'], ranSync.length);
  assert.equal(victims?.done, ranSync.length);
});
