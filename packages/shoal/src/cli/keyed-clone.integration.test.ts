// A real controller over a real runtime: clones of a keyed type get keys, and give them back.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createController } from '../controller/index.ts';
import { createSeededRandom, deriveDeployment } from '../model/index.ts';
import { thread } from '../runtime/test-apps/keyed-type.ts';
import { startApp, unaccounted } from '../runtime/test-apps/start.ts';

test('a controller clones a keyed type and takes the clone back, and no key notices', async (t) => {
  const app = await startApp('keyed', {
    threads: [thread('f', 'feeder'), thread('k', 'sessions', 'counters')],
  });
  t.after(() => app.runtime.close());
  const { bus, clock, graph } = app.runtime;
  const derived = deriveDeployment(graph, { cores: 2 });
  const deployment = { ...derived, policy: { ...derived.policy, isActive: false } };
  const controller = createController({
    graph,
    deployment,
    bus,
    clock,
    epoch: 1,
    random: createSeededRandom(1),
  });
  t.after(() => controller.close());
  const ofCounters = (): number => app.instances('counters').reduce((sum, sample) => sum + sample.states, 0);
  await app.until('load', () => ofCounters() > 100);
  const first = app.instances('counters')[0]?.instanceId;
  const cloned = await controller.clone('counters');
  assert.equal(cloned.outcome, 'done', JSON.stringify(cloned));
  const clone = app.instances('counters').find(({ instanceId }) => instanceId !== first)?.instanceId;
  await app.until('keys at the clone', () => {
    const sample = app.instances('counters').find(({ instanceId }) => instanceId === clone);
    return sample !== undefined && (sample.counters.imported ?? 0) > 30 && sample.done > 100;
  });
  // The one that was there first: it is as good as any.
  assert.ok(first !== undefined && clone !== undefined);
  const removed = await controller.remove(first);
  assert.equal(removed.outcome, 'done', JSON.stringify(removed));
  assert.ok(
    removed.steps.every(({ text }) => !/still holds|is ended/.test(text)),
    JSON.stringify(removed.steps),
  );
  const taken = await app.until('the report without it', () => {
    const [only, ...others] = app.instances('counters');
    return others.length === 0 && only?.instanceId === clone && only;
  });
  assert.ok(taken.states > 100, `${taken.states} states are at the clone`);
  await controller.close();
  await app.runtime.drain();
  await app.runtime.close();
  assert.deepEqual(unaccounted(app.last()), []);
  const [last] = app.instances('counters');
  assert.deepEqual(
    [last?.counters.disorder, last?.counters.fresh, last?.counters.twice],
    [undefined, undefined, undefined],
  );
  assert.deepEqual([last?.failed, last?.shed], [{}, {}]);
});
