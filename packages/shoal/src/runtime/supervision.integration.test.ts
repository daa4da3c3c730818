import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { asyncKinds, crashes, kindsOf, syncKinds } from './test-apps/runaway.ts';
import { type Runaways, startRunaways } from './test-apps/runaways.ts';
import { appUrl, type TestRuntime, unaccounted } from './test-apps/start.ts';

/**
 * All kinds run from dist, in the same `npm test`. From source a third of them must do: every kill costs a start of a
 * thread there that takes five times as long, and what is tested is the same.
 */
const few = import.meta.url.endsWith('.ts');
let runaways: Runaways;
let app: TestRuntime;
/** Beats of a timer of this thread, like the one of `pulse`: they meet the same load of the machine. */
let ownBeats = 0;
const ownPulse = setInterval(() => ownBeats++, 5);

before(async () => {
  runaways = await startRunaways(few);
  app = runaways.app;
});

after(async () => {
  clearInterval(ownPulse);
  await runaways.close();
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

const url = appUrl('runaway');
if (few) url.search = 'few';
const kinds = kindsOf(url);

test('there are twenty kinds of code that runs away and more', () => {
  assert.ok(Object.keys(syncKinds).length + Object.keys(asyncKinds).length >= 20);
});

// How soon they are stopped is measured by `npm run bench -- runaways`: here, that they are.
for (const name of [...kinds.async, ...kinds.sync]) {
  test(`runaway: ${name}: stopped, its requester told, and the inbox goes on in the replacement`, async () => {
    const { outcome, behind, overrunMs, endedWith } = await runaways.end(name);
    assert.equal(outcome, 'failed: run-limit');
    assert.equal(behind, 'done');
    assert.ok(overrunMs >= 0, `it was stopped ${-overrunMs} ms before its limit`);
    if (name === 'read of a pipe') assert.equal(endedWith, 'process', 'the process was not told to end');
  });
}

test('all the while other threads went on, and at the end every count adds up', async (t) => {
  await app.result('end');
  await app.runtime.close();
  assert.deepEqual(unaccounted(app.last()), []);
  const own = ownBeats;
  const beats = app.instances('pulse')[0]?.counters.beats ?? 0;
  const gap = app.instances('pulse')[0]?.counters['longest gap'] ?? Number.NaN;
  t.diagnostic(
    `a 5 ms timer on another thread: ${beats} beats, longest gap ${gap.toFixed(1)} ms; here: ${own}`,
  );
  assert.ok(beats > own * 0.7, `${beats} beats where this thread had ${own}`);
  const victims = app.instances('victim')[0];
  assert.equal(victims?.failed['run-limit'], kinds.sync.length);
  assert.equal(victims?.done, kinds.sync.length);
});
