import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startApp, type TestRuntime, unaccounted } from './test-apps/start.ts';

let app: TestRuntime;

before(async () => {
  app = await startApp('hangs');
});
after(() => app.runtime.close());

test('an instance is removed while it runs away and its thread is killed for it: all that it had is told', async () => {
  const { instanceId, threadId } = await app.until('requests', () =>
    app.instances('spinner').find(({ accepted, inService }) => accepted === 3 && inService === 1),
  );
  const drained = await app.command({ kind: 'drain-instance', instanceId, drainMaxMs: 50 });
  assert.equal(!drained.isOk && drained.reason, 'not-drained');
  assert.deepEqual(
    app.events.filter((event) => event.threadId === threadId),
    [],
    'it is killed only afterwards, or this shows nothing',
  );
  const removed = await app.command({ kind: 'remove-instance', instanceId });
  assert.ok(removed.isOk, JSON.stringify(removed));
  const { outcomes } = await app.result('spinner');
  assert.deepEqual(outcomes, ['failed: run-limit', 'failed: thread-lost', 'failed: thread-lost']);
  await app.until('a report without it', () => app.instances('spinner').length === 0);
  const given = app.events.filter(({ kind }) => kind === 'instance-given-up');
  assert.deepEqual(given, [], 'what is removed is not given up');
});

for (const name of ['one', 'several', 'isolated']) {
  test(`${name}: what is awaited beyond the run limit fails, its place is free, and what comes late is ignored`, async () => {
    const limit = 'failed: run-limit';
    const { outcomes } = await app.result(name);
    assert.deepEqual(outcomes, [limit, limit, limit, 'fine', 'fine', 'fine']);
  });
}

test('one that hangs takes one place of a queue of eight, however many follow it', async () => {
  const { outcomes } = await app.result('patient');
  assert.deepEqual(outcomes, ['fine']);
});

test('all of it ends once, on threads that live on; messages that nobody waits for too', async () => {
  for (const [name, failed, done] of [
    ['one', 7, 4],
    ['several', 7, 4],
    ['isolated', 3, 3],
  ] as const) {
    // One error for each message that failed, and one for the handler that threw when its message had ended.
    const sample = await app.until(`ends of ${name}`, () =>
      app.instances(name).find(({ errors, ...last }) => errors === failed + 1 && last.done === done),
    );
    assert.equal(sample.failed['run-limit'], failed);
    assert.equal(sample.inService, 0);
    const events = app.events.filter(({ msu }) => msu === name);
    assert.deepEqual(events, [], 'no thread was killed for it');
  }
  await app.runtime.close();
  assert.deepEqual(unaccounted(app.last()), []);
});
