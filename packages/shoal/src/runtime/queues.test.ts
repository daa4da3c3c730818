import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Envelope } from '../wire/index.ts';
import { DueHeap } from './due-heap.ts';
import { Heap } from './heap.ts';
import { LocalQueue } from './local-queue.ts';

test('a heap gives back what it was given, smallest first', () => {
  const step = fc.oneof(
    { weight: 6, arbitrary: fc.integer() },
    { weight: 3, arbitrary: fc.constant(null) },
    { weight: 1, arbitrary: fc.constant('keep even' as const) },
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (script) => {
      const heap = new Heap<number>((a, b) => a < b);
      const model: number[] = [];
      for (const step of script) {
        if (step === null) assert.equal(heap.pop(), model.shift());
        else if (typeof step === 'string') {
          heap.keep((n) => n % 2 === 0);
          model.splice(0, model.length, ...model.filter((n) => n % 2 === 0));
        } else {
          heap.push(step);
          model.push(step);
          model.sort((a, b) => a - b);
        }
        assert.equal(heap.peek(), model[0]);
        assert.equal(heap.size, model.length);
      }
    }),
  );
});

test('what is due runs once, by time and then by order; what is cancelled does not', () => {
  fc.assert(
    fc.property(
      fc.array(fc.record({ dueAtMs: fc.nat(20), isCancelled: fc.boolean() }), { maxLength: 80 }),
      fc.nat(20),
      (entries, nowMs) => {
        const heap = new DueHeap();
        const ran: number[] = [];
        entries.forEach(({ dueAtMs, isCancelled }, at) => {
          const entry = heap.add(dueAtMs, () => ran.push(at));
          if (isCancelled) heap.cancel(entry);
        });
        heap.runDue(nowMs);
        const due = entries
          .map((entry, at) => ({ ...entry, at }))
          .filter(({ dueAtMs }) => dueAtMs <= nowMs)
          .sort((a, b) => a.dueAtMs - b.dueAtMs || a.at - b.at);
        assert.deepEqual(
          ran,
          due.filter(({ isCancelled }) => !isCancelled).map(({ at }) => at),
        );
        const waiting = entries.filter((entry) => entry.dueAtMs > nowMs && !entry.isCancelled).length;
        assert.ok(heap.size >= waiting && heap.size <= 2 * waiting + 18, `${heap.size} for ${waiting}`);
        assert.ok(heap.nextDueAtMs() > nowMs);
      },
    ),
  );
});

test('what is started anew again and again does not pile up until it is due, and what waits is not lost', () => {
  const heap = new DueHeap();
  let runs = 0;
  for (let i = 0; i < 100; i++) heap.add(50_000 + i, () => runs++);
  let timer = heap.add(60_000, () => runs++);
  for (let i = 0; i < 10_000; i++) {
    heap.cancel(timer);
    heap.cancel(timer);
    timer = heap.add(60_000 + i, () => runs++);
    assert.ok(heap.size <= 210, `${heap.size} entries for 101 that wait`);
  }
  heap.runDue(70_000);
  assert.equal(runs, 101);
  assert.equal(heap.size, 0);
  // What has run is not there to be cancelled.
  heap.cancel(timer);
  heap.add(1, () => {});
  assert.equal(heap.size, 1);
});

test('what is added while others run waits for the next time, so that a timer of 0 ms cannot stop the rest', () => {
  const heap = new DueHeap();
  let runs = 0;
  const again = (): void => {
    runs++;
    heap.add(0, again);
  };
  heap.add(0, again);
  heap.runDue(5);
  heap.runDue(5);
  assert.equal(runs, 2);
  assert.equal(new DueHeap().nextDueAtMs(), Number.POSITIVE_INFINITY);
});

test('a local queue is a bounded FIFO; what must always fit does', () => {
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom('push', 'always', 'shift'), { maxLength: 200 }),
      fc.constantFrom(1, 5, 16, 40),
      (script, max) => {
        const queue = new LocalQueue(max);
        const model: Envelope[] = [];
        for (const step of script) {
          if (step === 'shift') {
            if (model.length > 0) assert.equal(queue.shift(), model.shift());
          } else {
            const envelope = new Envelope();
            if (step === 'always') queue.pushAlways(envelope);
            const isIn = step === 'always' || queue.push(envelope);
            assert.equal(isIn, step === 'always' || model.length < max);
            if (isIn) model.push(envelope);
          }
          assert.equal(queue.length, model.length);
          assert.equal(queue.peek(), model[0]);
        }
      },
    ),
  );
});
