import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Envelope } from '../wire/index.ts';
import { DueHeap } from './due-heap.ts';
import { Heap } from './heap.ts';
import { LocalQueue } from './local-queue.ts';

test('a heap gives back what it was given, smallest first', () => {
  fc.assert(
    fc.property(fc.array(fc.oneof(fc.integer(), fc.constant(null)), { maxLength: 60 }), (script) => {
      const heap = new Heap<number>((a, b) => a < b);
      const model: number[] = [];
      for (const step of script) {
        if (step === null) assert.equal(heap.pop(), model.shift());
        else {
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
      fc.array(fc.record({ dueAtMs: fc.nat(20), isCancelled: fc.boolean() }), { maxLength: 30 }),
      fc.nat(20),
      (entries, nowMs) => {
        const heap = new DueHeap();
        const ran: number[] = [];
        entries.forEach(({ dueAtMs, isCancelled }, at) => {
          heap.add(dueAtMs, () => ran.push(at)).isCancelled = isCancelled;
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
        assert.equal(heap.size, entries.length - due.length);
        assert.ok(heap.nextDueAtMs() > nowMs);
      },
    ),
  );
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
