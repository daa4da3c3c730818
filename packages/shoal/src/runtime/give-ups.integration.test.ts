import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { machineId, processId } from '../model/index.ts';
import { id, startApp } from './test-apps/start.ts';
import type { ThreadRequest } from './thread-messages.ts';

/** Lanes that threads read from: those they were given, but for those that they were told to forget. */
function watchLanes(): { count(): number; stop(): void } {
  const lanes = new Map<Worker, Set<number>>();
  const { postMessage } = Worker.prototype;
  Worker.prototype.postMessage = function (this: Worker, ...args: Parameters<typeof postMessage>): void {
    const { body } = args[0] as ThreadRequest;
    if (!lanes.has(this)) this.once('exit', () => lanes.delete(this));
    const own = lanes.get(this) ?? new Set();
    lanes.set(this, own);
    if (body.kind === 'attach' || (body.kind === 'host' && !body.isBuried))
      for (const { lane } of body.lanes) own.add(lane.id);
    if (body.kind === 'forget') for (const laneId of body.laneIds) own.delete(laneId);
    postMessage.apply(this, args);
  };
  return {
    count: () => [...lanes.values()].reduce((sum, own) => sum + own.size, 0),
    stop: () => Object.assign(Worker.prototype, { postMessage }),
  };
}

test('types that are given up again and again leave no lanes behind, and the event says why they are', async (t) => {
  const watch = watchLanes();
  t.after(() => watch.stop());
  const app = await startApp('give-ups');
  t.after(() => app.runtime.close());
  const whys: Readonly<Record<string, string>> = {
    used: "restart intensity of 'used' is used up: more than 0 within 60000 ms",
    ended: "'ended' is transient, and its thread ended normally: it is not started again",
    once: "'once' is temporary: it is not started again",
  };
  const counts: number[] = [];
  let nextId = 100;
  let version = 10;
  for (let round = 1; round <= 4; round++) {
    const events = await app.until('give-ups', () => {
      const given = app.events.filter(({ kind }) => kind === 'instance-given-up');
      return given.length === 3 * round ? given.slice(-3) : undefined;
    });
    for (const { msu, detail, instanceId } of events) {
      assert.equal(detail, whys[msu]);
      const added = id(nextId++);
      const target = { kind: 'own' } as const;
      const isAdded = await app.command({ kind: 'add-instance', instanceId: added, msu, target, nice: 0 });
      assert.ok(isAdded.isOk, JSON.stringify(isAdded));
      assert.ok((await app.command({ kind: 'remove-instance', instanceId })).isOk);
    }
    await app.until('their threads to be gone', () => app.last().threads.length === 5);
    counts.push(watch.count());
    const tables = events.map(({ msu }, at) => {
      const endpoint = {
        machine: machineId('local'),
        process: processId('main'),
        weight: 1,
        isDraining: false,
      };
      const endpoints = [{ instanceId: id(nextId - 3 + at), ...endpoint }];
      return { edgeId: Object.keys(whys).indexOf(msu), version: version++, endpoints };
    });
    await app.command({ kind: 'set-tables', tables });
  }
  assert.ok((counts[0] as number) > 0);
  assert.deepEqual(new Set(counts).size, 1, `lanes after each round: ${counts}`);
});
