import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type QueueOrder, queueOrders } from '../model/index.ts';
import {
  createLaneMemory,
  doneCode,
  impliedDeadlineMs,
  LaneReader,
  LaneWriter,
  priorityAgeMs,
} from '../transport/index.ts';
import { createCodec, Envelope, EnvelopeKind } from '../wire/index.ts';
import { yieldMaxMs } from './expected-work.ts';
import { Inbox } from './inbox.ts';

interface Arrival {
  /** 0 and 1: lanes from other threads; 2: the same thread. */
  readonly way: number;
  readonly gapMs: number;
  readonly priority: number;
  readonly deadlineMs: number;
  readonly bytes: number;
}

const arrivals: fc.Arbitrary<Arrival[]> = fc.array(
  fc.record({
    way: fc.nat(2),
    gapMs: fc.nat(800),
    priority: fc.nat(4),
    deadlineMs: fc.constantFrom(50, 500, 5_000, Number.POSITIVE_INFINITY),
    bytes: fc.constantFrom(0, 1, 9, 30, 100, 120),
  }),
  { maxLength: 40 },
);

/** What comes from other threads takes as many milliseconds as it has bytes; by reference, ten. */
const codec = createCodec({ kind: 'bytes', fields: null });
const expectedMs = (bytes: number): number => (bytes < 0 ? 10 : bytes);

/** An inbox with two lanes, and everything that arrives in it. */
class Rig {
  readonly writers: LaneWriter[] = [];
  readonly inbox: Inbox;
  #replies: LaneWriter | null = null;
  #siblings: LaneWriter | null = null;

  constructor(order: QueueOrder) {
    this.inbox = new Inbox(order, 64, 64, expectedMs);
    for (let way = 0; way < 2; way++) this.writers.push(this.#lane(this.inbox.lanes, order === 'fifo'));
  }

  #lane(lanes: LaneReader[], isOrdered: boolean): LaneWriter {
    const bounds = { slots: 64, maxMessages: 64, spillBytes: 8_192, messageMaxBytes: 512 };
    const memory = createLaneMemory({ isOrdered, ...bounds });
    lanes.push(new LaneReader(memory));
    return new LaneWriter(memory);
  }

  /** What an instance of the type on another thread passes on. */
  passOn(fields: Partial<Envelope>): void {
    if (this.#siblings === null) {
      const lanes: LaneReader[] = [];
      this.#siblings = this.#lane(lanes, this.inbox.order === 'fifo');
      this.inbox.addSiblingLane(lanes[0] as LaneReader);
    }
    const envelope = Object.assign(new Envelope(), fields);
    assert.equal(this.#siblings.write(envelope, null, undefined), 'accepted');
  }

  send(way: number, fields: Partial<Envelope>, bytes = 0): void {
    const envelope = Object.assign(new Envelope(), fields);
    if (way === 2) assert.ok(this.inbox.accept(envelope));
    else assert.equal(this.writers[way]?.write(envelope, codec, new Uint8Array(bytes)), 'accepted');
  }

  reply(fields: Partial<Envelope>): void {
    this.#replies ??= this.#lane(this.inbox.replyLanes, true);
    const envelope = Object.assign(new Envelope(), { kind: EnvelopeKind.reply }, fields);
    assert.equal(this.#replies.write(envelope, null, undefined), 'accepted');
  }

  takeAndEnd(): Envelope {
    const envelope = this.inbox.take();
    this.inbox.lane?.finish(this.inbox.index, doneCode);
    return envelope;
  }

  /** Takes and ends everything, in the inbox's order; looks at the lanes before each event, or only once. */
  drain(takesMessages = true, pollsOnce = false): Envelope[] {
    const order: Envelope[] = [];
    if (pollsOnce) this.inbox.poll();
    for (;;) {
      if (!pollsOnce) this.inbox.poll();
      if (this.inbox.chooseNext(takesMessages) === Number.POSITIVE_INFINITY) return order;
      order.push(this.takeAndEnd());
    }
  }
}

function arrive(rig: Rig, script: readonly Arrival[]): Envelope[] {
  let now = 1_000;
  return script.map(({ way, gapMs, priority, deadlineMs, bytes }, at) => {
    now += gapMs + 0.001;
    const fields = { id: at + 1, enqueuedAtMs: now, priority, deadlineAtMs: now + deadlineMs };
    rig.send(way, fields, bytes);
    return Object.assign(new Envelope(), fields);
  });
}

const ids = (envelopes: readonly Envelope[]): number[] => envelopes.map(({ id }) => id);

test('fifo: messages come out in the order of their acceptance, over all ways in', () => {
  fc.assert(
    fc.property(arrivals, (script) => {
      const rig = new Rig('fifo');
      const sent = arrive(rig, script);
      assert.equal(rig.inbox.poll(), script.length);
      assert.equal(rig.inbox.length, script.length);
      assert.deepEqual(ids(rig.drain()), ids(sent));
      assert.equal(rig.inbox.poll(), 0);
    }),
  );
});

test('what one look at the lanes has found is taken without another, replies included, in every order', () => {
  fc.assert(
    fc.property(arrivals, fc.constantFrom(...queueOrders), fc.boolean(), (script, order, replies) => {
      const rig = new Rig(order);
      const sent = arrive(rig, script);
      if (replies) rig.reply({ id: 1_000, enqueuedAtMs: 1_500 });
      const taken = ids(rig.drain(true, true));
      const expected = [...ids(sent), ...(replies ? [1_000] : [])];
      assert.deepEqual(
        taken.toSorted((a, b) => a - b),
        expected,
      );
      assert.equal(rig.inbox.chooseNext(true), Number.POSITIVE_INFINITY);
    }),
  );
});

test('edf: the earliest deadline first; a message without one has that of a second after its acceptance', () => {
  fc.assert(
    fc.property(arrivals, (script) => {
      const rig = new Rig('edf');
      const sent = arrive(rig, script);
      assert.equal(rig.inbox.poll(), script.length);
      const by = ({ deadlineAtMs, enqueuedAtMs }: Envelope): number =>
        Math.min(
          deadlineAtMs,
          deadlineAtMs === Number.POSITIVE_INFINITY ? enqueuedAtMs + impliedDeadlineMs : deadlineAtMs,
        );
      const expected = [...sent].sort((a, b) => by(a) - by(b));
      assert.deepEqual(ids(rig.drain()), ids(expected));
    }),
  );
});

test('a single message is ordered among those that come from the same thread after the inbox was looked at', () => {
  for (const order of ['priority', 'edf'] as const) {
    const rig = new Rig(order);
    rig.send(0, { id: 1, enqueuedAtMs: 1, priority: 1, deadlineAtMs: 100 });
    assert.equal(rig.inbox.poll(), 1);
    rig.send(2, { id: 2, enqueuedAtMs: 2, priority: 0, deadlineAtMs: 200 });
    rig.send(2, { id: 3, enqueuedAtMs: 3, priority: 2, deadlineAtMs: 50 });
    const taken: number[] = [];
    while (rig.inbox.chooseNext(true) !== Number.POSITIVE_INFINITY) taken.push(rig.takeAndEnd().id);
    assert.deepEqual(taken, [3, 1, 2], order);
  }
});

test('priority: larger first, but a step of priority is worth no more than a second of waiting', () => {
  fc.assert(
    fc.property(arrivals, (script) => {
      const rig = new Rig('priority');
      const sent = arrive(rig, script);
      const order = rig.drain();
      assert.equal(order.length, sent.length);
      order.forEach((first, at) => {
        for (const later of order.slice(at + 1)) {
          const waitedMore = later.enqueuedAtMs - first.enqueuedAtMs;
          assert.ok((first.priority - later.priority) * priorityAgeMs + waitedMore >= -1e-6);
        }
      });
    }),
  );
});

test('sjf: a message lets pass what comes within ten times as long as it will take itself, a second at most', () => {
  fc.assert(
    fc.property(arrivals, (script) => {
      const rig = new Rig('sjf');
      const sent = arrive(rig, script);
      const rankOf = ({ id, enqueuedAtMs }: Envelope): number => {
        const { way, bytes } = script[id - 1] as Arrival;
        return enqueuedAtMs + Math.min(1_000, 10 * (way === 2 ? 10 : bytes));
      };
      const expected = [...sent].sort((a, b) => rankOf(a) - rankOf(b));
      assert.deepEqual(ids(rig.drain()), ids(expected));
    }),
  );
});

test('sjf is starvation-free: under an endless stream of short messages, a long one has its turn', () => {
  const rig = new Rig('sjf');
  rig.send(0, { id: 1, enqueuedAtMs: 0 }, 500);
  for (let now = 1; ; now += 20) {
    assert.ok(now <= yieldMaxMs + 20, 'it starves');
    rig.send(1, { id: 2, enqueuedAtMs: now }, 1);
    rig.inbox.poll();
    rig.inbox.chooseNext(true);
    if (rig.takeAndEnd().id === 1) return assert.ok(now > yieldMaxMs - 40, 'it let nothing pass');
  }
});

test('priority is starvation-free: under an endless stream of urgent messages, a plain one has its turn', () => {
  const rig = new Rig('priority');
  const priority = 5;
  rig.send(0, { id: 1, enqueuedAtMs: 0, priority: 0 });
  for (let now = 1; ; now += 100) {
    assert.ok(now <= priority * priorityAgeMs + 200, 'it starves');
    rig.send(1, { id: 2, enqueuedAtMs: now, priority });
    rig.inbox.poll();
    rig.inbox.chooseNext(true);
    if (rig.takeAndEnd().id === 1) return;
  }
});

test('edf is starvation-free: messages with deadlines hold up one without, or a timer, for a second at most', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(0, 2),
      fc.array(fc.record({ gapMs: fc.integer({ min: 1, max: 50 }), deadlineMs: fc.nat(400) }), {
        minLength: 1,
      }),
      (way, script) => {
        // Among the messages of an instance, and among the instances of a thread that is busy with one.
        const rig = new Rig('edf');
        const other = new Rig('fifo');
        rig.send(way, { id: 1, enqueuedAtMs: 0 });
        other.send(way, { id: 1, enqueuedAtMs: 0 });
        other.inbox.poll();
        let now = 0;
        let isServed = false;
        let isOtherServed = false;
        for (let at = 0; now <= impliedDeadlineMs + 50; at++) {
          const { gapMs, deadlineMs } = script[at % script.length] as (typeof script)[number];
          now += gapMs;
          rig.send(1, { id: 2, enqueuedAtMs: now, deadlineAtMs: now + deadlineMs });
          rig.inbox.poll();
          const rank = rig.inbox.chooseNext(true, 'edf');
          isOtherServed ||= other.inbox.chooseNext(true, 'edf') < rank;
          if (rig.takeAndEnd().id === 1) isServed = true;
        }
        assert.ok(isServed, 'a message starves among its own');
        assert.ok(isOtherServed, 'an instance starves on its thread');
      },
    ),
  );
});

test('messages from the same thread are bounded in every order, whether the inbox has looked at them or not', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...queueOrders),
      fc.array(fc.constantFrom('accept', 'accept', 'poll', 'take'), { minLength: 60, maxLength: 120 }),
      (order, script) => {
        const max = 5;
        const inbox = new Inbox(order, max, 64, expectedMs);
        let waiting = 0;
        for (const step of script) {
          if (step === 'accept') {
            assert.equal(inbox.accept(new Envelope()), waiting < max);
            waiting = Math.min(max, waiting + 1);
            assert.equal(inbox.localCredit, max - waiting);
          } else if (step === 'poll') assert.equal(inbox.poll(), waiting);
          else if (inbox.chooseNext(true) !== Number.POSITIVE_INFINITY) {
            inbox.take();
            waiting--;
          }
        }
      },
    ),
  );
});

test('replies are taken while no message may be, and messages wait', () => {
  for (const order of queueOrders) {
    const rig = new Rig(order);
    rig.send(0, { id: 1, enqueuedAtMs: 1 });
    rig.send(2, { id: 2, enqueuedAtMs: 2 });
    rig.reply({ id: 3, enqueuedAtMs: 3 });
    assert.deepEqual(ids(rig.drain(false)), [3]);
    assert.deepEqual(ids(rig.drain()), [1, 2]);
  }
});

test('fifo holds between replies and messages too: neither starves the other', () => {
  const rig = new Rig('fifo');
  rig.send(0, { id: 1, enqueuedAtMs: 1 });
  rig.reply({ id: 2, enqueuedAtMs: 2 });
  rig.send(1, { id: 3, enqueuedAtMs: 3 });
  rig.reply({ id: 4, enqueuedAtMs: 4 });
  assert.deepEqual(ids(rig.drain()), [1, 2, 3, 4]);
});

test('a lane whose sender is gone is served until it is empty, and then dropped', () => {
  const rig = new Rig('fifo');
  rig.send(0, { id: 1, enqueuedAtMs: 1 });
  rig.send(1, { id: 2, enqueuedAtMs: 2 });
  const [first] = rig.inbox.lanes;
  // What the agent posts is another object for the same memory: only the id tells.
  rig.inbox.closeLanes(new Set([first?.memory.id ?? 0]));
  rig.inbox.poll();
  assert.equal(rig.inbox.lanes.length, 2);
  assert.deepEqual(ids(rig.drain()), [1, 2]);
  rig.inbox.poll();
  assert.equal(rig.inbox.lanes.length, 1);
});

test('what other instances have passed on goes before all other messages, in any order, but not before older replies', () => {
  for (const order of queueOrders) {
    const rig = new Rig(order);
    rig.send(0, { id: 1, enqueuedAtMs: 10, priority: 9, deadlineAtMs: 20 });
    rig.send(2, { id: 2, enqueuedAtMs: 11, priority: 9, deadlineAtMs: 20 });
    // Seen, and in an order of their own, before anything is passed on.
    rig.inbox.poll();
    rig.passOn({ id: 3, enqueuedAtMs: 50 });
    rig.passOn({ id: 4, enqueuedAtMs: 40 });
    assert.ok(rig.inbox.acceptPassedOn(Object.assign(new Envelope(), { id: 5, enqueuedAtMs: 45 })));
    rig.reply({ id: 6, enqueuedAtMs: 47 });
    assert.deepEqual(
      rig.drain().map(({ id }) => id),
      [5, 6, 3, 4, 1, 2],
      order,
    );
  }
});

test('a lane that is made later is looked at before those of other instances of the type', () => {
  const rig = new Rig('fifo');
  rig.passOn({ id: 1, enqueuedAtMs: 1 });
  const memory = createLaneMemory({
    isOrdered: true,
    slots: 8,
    maxMessages: 8,
    spillBytes: 64,
    messageMaxBytes: 32,
  });
  const reader = new LaneReader(memory);
  rig.inbox.addLane(reader);
  assert.deepEqual(rig.inbox.lanes.slice(-2), [reader, ...rig.inbox.siblingLanes]);
  rig.inbox.closeLanes(new Set([rig.inbox.siblingLanes[0]?.memory.id ?? 0]));
  assert.equal(rig.drain().length, 1);
  rig.inbox.poll();
  assert.deepEqual([rig.inbox.siblingLanes.length, rig.inbox.lanes.length], [0, 3]);
});
