import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { instanceId } from '../../model/index.ts';
import type { RoutingTable } from '../../wire/index.ts';
import { deployment, graph, msu, report, sample } from '../fixture.ts';
import { Monitor } from './monitor.ts';
import { Outbox } from './outbox.ts';
import { Tables } from './tables.ts';

const app = graph([msu('io', { isEntry: true }), msu('work'), msu('out')], ['io>work', 'work>out']);

function make(epoch = 1): { monitor: Monitor; outbox: Outbox; tables: Tables } {
  const monitor = new Monitor(app, deployment({ a: { main: [['io'], ['work']] } }));
  const outbox = new Outbox(epoch);
  const tables = new Tables(app, outbox);
  tables.isOpen = true;
  monitor.accept(report(1, [sample(1)]), 0);
  const process = monitor.processes.get('a/main');
  if (process !== undefined) tables.join(process);
  return { monitor, outbox, tables };
}

function take(outbox: Outbox): { commandId: string; tables: readonly RoutingTable[] }[] {
  const commands = outbox.ready;
  outbox.ready = [];
  return commands.flatMap(({ commandId, body }) =>
    body.kind === 'set-tables' ? [{ commandId, tables: body.tables }] : [],
  );
}

test('whatever is answered, lost or refused, a process ends up with the newest table, and versions only grow', () => {
  const step = fc.record({
    change: fc.constantFrom('add', 'drain', 'remove', 'none'),
    id: fc.integer({ min: 1, max: 4 }),
    answer: fc.constantFrom('ok', 'lost', 'refused', 'twice'),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const { monitor, outbox, tables } = make();
      const process = monitor.processes.get('a/main');
      assert.ok(process !== undefined);
      const { machine, process: name } = process;
      const inForce = new Map<number, RoutingTable>();
      let nowMs = 0;
      const deliver = (answer: string): void => {
        outbox.tick(nowMs);
        tables.flush(nowMs);
        for (const { commandId, tables: sent } of take(outbox)) {
          if (answer === 'lost') continue;
          if (answer === 'refused') {
            outbox.answer({ commandId, isOk: false, reason: 'start-failed', detail: '' }, nowMs);
            continue;
          }
          for (const table of sent) {
            const before = inForce.get(table.edgeId)?.version ?? 0;
            if (table.version > before) inForce.set(table.edgeId, table);
          }
          outbox.answer({ commandId, isOk: true, tookMs: 1 }, nowMs);
          if (answer === 'twice')
            assert.equal(outbox.answer({ commandId, isOk: true, tookMs: 1 }, nowMs), false);
        }
      };
      for (const { change, id, answer } of steps) {
        nowMs += 300;
        if (change === 'add') {
          tables.add('work', {
            instanceId: instanceId(id),
            machine,
            process: name,
            weight: 1,
            isDraining: false,
          });
        } else if (change === 'drain') tables.drain(instanceId(id));
        else if (change === 'remove') tables.remove(instanceId(id));
        deliver(answer);
      }
      for (let i = 0; i < 8; i++) {
        nowMs += 1_100;
        deliver('ok');
      }
      assert.deepEqual(tables.lagging(tables.mark('work', 'to')), []);
      const wanted = tables.endpoints('work').toSorted((a, b) => a.instanceId - b.instanceId);
      assert.deepEqual(inForce.get(0)?.endpoints, wanted);
    }),
  );
});

test('tables left by an earlier controller are exceeded, not restarted at 1', () => {
  const { monitor, outbox, tables } = make(7);
  monitor.accept(report(2, [sample(1)], { epoch: 3, tables: [{ edgeId: 0, version: 41 }] }), 100);
  const process = monitor.processes.get('a/main');
  assert.ok(process !== undefined);
  tables.reported(process, 7);
  tables.flush(100);
  const sent = take(outbox)[0]?.tables ?? [];
  assert.deepEqual(
    sent.map(({ edgeId, version }) => [edgeId, version]),
    [
      [0, 42],
      [1, 1],
    ],
  );
});

test('a process that starts anew is sent all tables again', () => {
  const { monitor, outbox, tables } = make();
  tables.flush(0);
  const first = take(outbox);
  assert.equal(first[0]?.tables.length, 2);
  outbox.answer({ commandId: first[0]?.commandId ?? '', isOk: true, tookMs: 1 }, 0);
  tables.flush(10);
  assert.deepEqual(take(outbox), []);
  const process = monitor.processes.get('a/main');
  assert.ok(process !== undefined);
  tables.join(process);
  tables.flush(20);
  assert.equal(take(outbox)[0]?.tables.length, 2);
});

test('a command without an answer is sent again under the same id, five times in all', () => {
  const { monitor, outbox } = make();
  const process = monitor.processes.get('a/main');
  assert.ok(process !== undefined);
  const answers: string[] = [];
  outbox.send(process, { kind: 'remove-instance', instanceId: instanceId(1) }, 0, (answer) =>
    answers.push(answer.isOk ? 'ok' : answer.reason),
  );
  const ids: string[] = [];
  for (let nowMs = 0; nowMs <= 10_000; nowMs += 100) {
    outbox.tick(nowMs);
    for (const { commandId } of outbox.ready) ids.push(commandId);
    outbox.ready = [];
  }
  assert.equal(ids.length, 5);
  assert.equal(new Set(ids).size, 1);
  assert.deepEqual(answers, ['unanswered']);
  assert.equal(
    outbox.answer({ commandId: ids[0] ?? '', isOk: true, tookMs: 1 }, 0),
    false,
    'an answer that comes too late',
  );
});
