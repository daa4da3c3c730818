// The controller over a real runtime: what only both together can show.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startControlled } from './test-apps/start-controlled.ts';

test('what its restart policy does not bring back, the controller does not bring back either', async (t) => {
  const app = await startControlled('deaths', { windowMs: 600_000 });
  t.after(app.close);
  const { controller, logged, until, last } = app;
  await until('end of the script', () => logged.some(({ text }) => text === 'fragile again'), 60_000);
  const outcome = (line: string): unknown => logged.find(({ text }) => text === line)?.fields.outcome;
  assert.equal(outcome('permanent after 1'), 'done');
  assert.equal(outcome('permanent after 0'), 'done');
  assert.equal(outcome('transient after 1'), 'done');
  // Were one of them missed, it would be placed anew with the report that shows it gone.
  const seen = last().sequence;
  await until('ten more reports', () => last().sequence >= seen + 10);
  const instances = (msu: string): number => last().instances.filter((sample) => sample.msu === msu).length;
  const decided = (msu: string): string[] =>
    controller
      .decisions()
      .filter((decision) => decision.msu === msu)
      .map(({ operator, cause, outcome: end }) => {
        const why =
          cause.kind === 'instance-lost' ? cause.detail.replace(/.* on local\/main/, '') : cause.kind;
        return `${operator} ${end}${why.startsWith(',') || why.startsWith(':') ? '' : ' '}${why}`;
      });
  assert.deepEqual(
    ['permanent', 'transient', 'temporary', 'fatal', 'fragile'].map((msu) => [
      msu,
      instances(msu),
      decided(msu),
    ]),
    [
      ['permanent', 1, []],
      ['transient', 0, ['remove done, and its restart policy is transient: it is not replaced']],
      ['temporary', 0, ['remove done, and its restart policy is temporary: it is not replaced']],
      ['fatal', 0, ['remove done: it is not replaced']],
      ['fragile', 1, ['remove done: it is tried again after 3000 ms', 'add done below-count']],
    ],
  );
  for (const type of controller
    .view()
    .types.filter(({ msu }) => ['transient', 'temporary', 'fatal'].includes(msu)))
    assert.equal(type.committed, 0, type.msu);
});

test('a pool that its type fills is seen as overload; in one process no clone can help, and the log says so', async (t) => {
  const app = await startControlled('pool');
  t.after(app.close);
  const { controller, last, logged, until } = app;
  const decision = await until('decision', () => controller.decisions()[0]);
  assert.equal(decision.cause.kind === 'overload' && decision.cause.overload.rule, 'limited-resource');
  assert.equal(decision.outcome, 'refused');
  assert.match(
    decision.detail,
    /a clone shares the limits of its process, and local\/main uses \d+ % of its 10 sessions/,
  );
  const { processSample, machineSample, instances } = await until('full pool', () => {
    const pool = last().processSample.resources.find(({ name }) => name === 'sessions');
    return pool?.used === 10 && pool.limit === 10 ? last() : undefined;
  });
  assert.deepEqual(instances.find(({ msu }) => msu === 'holder')?.resources, { sessions: 10, memory: 4_096 });
  const memory = processSample.resources.find(({ name }) => name === 'memory');
  assert.deepEqual(memory, {
    name: 'memory',
    used: processSample.residentBytes,
    limit: machineSample.memoryBytes,
  });
  assert.equal(last().instances.filter(({ msu }) => msu === 'holder').length, 1);
  assert.deepEqual(
    logged.map(({ text }) => text).filter((text) => text.startsWith("'holder'")),
    [
      "'holder' does not declare the resource 'session': add it to its resources.",
      "'holder' gives back 1 of 'sessions', and uses only 0: give back what was used, once.",
      "'holder' uses NaN of 'sessions': give a finite number.",
    ],
  );
});
