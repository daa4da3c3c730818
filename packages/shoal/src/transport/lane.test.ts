import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createCodec, DecodeError, Envelope } from '../wire/index.ts';
import {
  createLaneMemory,
  doneCode,
  ends,
  failedCode,
  impliedDeadlineMs,
  type LaneBounds,
  LaneProbe,
  LaneReader,
  LaneWriter,
  rankOf,
} from './lane.ts';

const codec = createCodec({ kind: 'bytes', fields: null });
const small: LaneBounds = {
  isOrdered: true,
  slots: 8,
  maxMessages: 8,
  spillBytes: 4_096,
  messageMaxBytes: 2_048,
};
const unordered: LaneBounds = { ...small, isOrdered: false };
const nearWrap = 2 ** 31 - 5;

function header(id: number): Envelope {
  const envelope = new Envelope();
  envelope.id = id;
  envelope.enqueuedAtMs = id;
  return envelope;
}

/** Bytes that name their message, so that a payload of another one is noticed. */
function payload(id: number, length: number): Buffer {
  return Buffer.alloc(length, (id * 31 + length) & 255);
}

test('a message arrives with its whole header and payload', () => {
  const memory = createLaneMemory(small);
  const sent = Object.assign(new Envelope(), {
    kind: 2,
    port: 513,
    id: 2 ** 52 + 1,
    flowKey: 2 ** 53 - 1,
    clientKey: 77,
    sender: 1_000_000,
    origin: 3,
    prior: [4, 5, 6, 7, 8, 9],
    enqueuedAtMs: 123.456,
    deadlineAtMs: Number.POSITIVE_INFINITY,
    priority: -3,
    isTraced: true,
    correlation: -1,
    routedBy: 2 ** 29 - 1,
  });
  assert.equal(new LaneWriter(memory).write(sent, codec, payload(1, 90)), 'accepted');
  const reader = new LaneReader(memory);
  assert.equal(reader.poll(), 1);
  const got = new Envelope();
  const index = reader.take(got);
  assert.deepEqual(got.chain, sent.chain);
  assert.deepEqual({ ...got }, { ...sent });
  assert.deepEqual(reader.payload(index, codec), payload(1, 90));
});

test('every message has the provenance that it was sent with, whatever came before; handlers get a copy', () => {
  const instance = fc.integer({ min: 1, max: 3 });
  const way = fc.record({
    sender: fc.integer({ min: 0, max: 2 }),
    prior: fc.array(instance, { maxLength: 6 }),
  });
  fc.assert(
    fc.property(fc.array(way, { minLength: 1, maxLength: 20 }), (ways) => {
      const memory = createLaneMemory(small);
      const writer = new LaneWriter(memory);
      const reader = new LaneReader(memory);
      for (const each of ways) {
        const sent = Object.assign(header(1), each);
        assert.equal(writer.write(sent, codec, payload(1, 8)), 'accepted');
        reader.poll();
        const got = new Envelope();
        const place = reader.take(got);
        const { sender, prior } = each;
        const expected = sender === 0 ? prior : [...prior, sender].slice(-6);
        assert.deepEqual([got.sender, got.prior, got.provenance], [sender, prior, expected]);
        (got.provenance as unknown as number[]).push(99);
        assert.deepEqual(got.provenance, expected);
        reader.finish(place, doneCode);
      }
    }),
  );
});

test('a sender knows what it has sent that has not ended, and of a message whether it has', () => {
  for (const first of [0, nearWrap]) {
    const memory = createLaneMemory(small, first);
    const writer = new LaneWriter(memory);
    const reader = new LaneReader(memory);
    const sent: number[] = [];
    const pending = (): (readonly [number, number])[] => {
      const found: (readonly [number, number])[] = [];
      writer.eachPending((flowKey, index) => found.push([flowKey, index]));
      return found;
    };
    for (let key = 1; key <= 20; key++) {
      const index = writer.next;
      assert.equal(writer.hasEnded(index), false, 'it is not even sent');
      sent.push(index);
      writer.write(Object.assign(header(key), { flowKey: key }), null, undefined);
      if (key < 4) continue;
      reader.poll();
      const taken = reader.take(new Envelope());
      assert.equal(writer.hasEnded(taken), false, 'it is in service');
      reader.finish(taken, doneCode);
      assert.equal(writer.hasEnded(taken), true);
      assert.deepEqual(
        pending(),
        [2, 1, 0].map((back) => [key - back, sent[key - back - 1]]),
      );
    }
  }
});

test('a sender knows of what it has sent and has not ended how large it is, since when, and whether it runs', () => {
  for (const bounds of [small, unordered]) {
    const memory = createLaneMemory(bounds, nearWrap);
    const writer = new LaneWriter(memory);
    const reader = new LaneReader(memory);
    const pending = (): (readonly [number, number, boolean])[] => {
      const found: (readonly [number, number, boolean])[] = [];
      writer.eachPending((_key, _index, bytes, acceptedAtMs, mayRun) => {
        found.push([bytes, acceptedAtMs, mayRun]);
      });
      return found;
    };
    for (let id = 1; id <= 4; id++) {
      const sent = Object.assign(header(id), { enqueuedAtMs: 100 * id });
      assert.equal(writer.write(sent, codec, payload(id, 10 * id)), 'accepted');
    }
    reader.poll();
    // In an unordered lane any may be taken first.
    const aside = bounds.isOrdered ? [] : [reader.advanceNext()];
    const place = reader.take(new Envelope());
    const runs = aside.length;
    assert.deepEqual(
      pending(),
      [1, 2, 3, 4].map((id) => [10 * id, 100 * id, id === 1 + runs]),
    );
    reader.finish(place, doneCode);
    const left = [1, 2, 3, 4].filter((id) => id !== 1 + runs);
    // The next of an ordered lane may have begun by the time that this is looked at.
    assert.deepEqual(
      pending(),
      left.map((id) => [10 * id, 100 * id, bounds.isOrdered && id === 2]),
    );
  }
});

test('a sender knows what has ended also where one that is older has not, however many have come since', () => {
  for (const first of [0, nearWrap]) {
    const memory = createLaneMemory(unordered, first);
    const writer = new LaneWriter(memory);
    const reader = new LaneReader(memory);
    const sent: number[] = [];
    for (let key = 0; key < 30; key++) {
      const index = writer.next;
      assert.equal(writer.hasEnded(index), false, 'it is not even sent');
      sent.push(index);
      writer.write(Object.assign(header(key), { flowKey: key }), null, undefined);
      reader.poll();
      const place = reader.take(new Envelope());
      assert.equal(writer.hasEnded(index), false, 'it is in service');
      const found: (readonly [number, number])[] = [];
      writer.eachPending((flowKey, at) => found.push([flowKey, at]));
      const live = key === 0 ? [0] : [0, key];
      assert.deepEqual(
        found,
        live.map((pending) => [pending, sent[pending]]),
      );
      if (key > 0) reader.finish(place, doneCode);
      assert.deepEqual(
        sent.map((at) => writer.hasEnded(at)),
        sent.map((_, at) => at > 0),
        'the first hangs',
      );
    }
  }
});

test('a full lane refuses, a too large message is refused, and both are accepted elsewhere or later', () => {
  const memory = createLaneMemory(small);
  const writer = new LaneWriter(memory);
  for (let id = 0; id < 8; id++) {
    assert.equal(writer.credit(), 8 - id);
    assert.equal(writer.write(header(id), codec, payload(id, 1)), 'accepted');
  }
  assert.equal(writer.credit(), 0);
  assert.equal(writer.write(header(8), codec, payload(8, 1)), 'queue-full');
  const reader = new LaneReader(memory);
  reader.poll();
  reader.finish(reader.take(new Envelope()), doneCode);
  assert.equal(writer.write(header(8), codec, payload(8, 2_049)), 'too-large');
  assert.equal(writer.write(header(8), codec, payload(8, 2_048)), 'accepted');
  assert.equal(writer.write(header(9), codec, payload(9, 1)), 'queue-full');
});

test('what is reserved stays free for those that do not reserve', () => {
  const writer = new LaneWriter(createLaneMemory(small));
  for (let id = 0; id < 5; id++) assert.equal(writer.write(header(id), codec, payload(id, 1), 3), 'accepted');
  assert.equal(writer.write(header(5), codec, payload(5, 1), 3), 'queue-full');
  assert.equal(writer.write(header(5), codec, payload(5, 1)), 'accepted');
});

test('a full spill area refuses large messages only, and gives way when they end', () => {
  const memory = createLaneMemory(small);
  const writer = new LaneWriter(memory);
  assert.equal(writer.write(header(0), codec, payload(0, 2_048)), 'accepted');
  assert.equal(writer.write(header(1), codec, payload(1, 2_048)), 'accepted');
  assert.equal(writer.write(header(2), codec, payload(2, 200)), 'queue-full');
  assert.equal(writer.write(header(2), codec, payload(2, 100)), 'accepted');
  const reader = new LaneReader(memory);
  reader.poll();
  reader.finish(reader.take(new Envelope()), doneCode);
  assert.equal(writer.write(header(3), codec, payload(3, 2_000)), 'accepted');
});

test('where its memory is corrupt, a payload is another one or a DecodeError', () => {
  const record = createCodec({
    kind: 'record',
    fields: { text: 'string', bytes: 'bytes', number: 'number' },
  });
  const memory = createLaneMemory(small);
  const value = { text: 'some text', bytes: payload(1, 200), number: 1 };
  assert.equal(new LaneWriter(memory).write(header(1), record, value), 'accepted');
  const reader = new LaneReader(memory);
  reader.poll();
  const index = reader.take(new Envelope());
  const words = new Int32Array(memory.buffer);
  let refused = 0;
  for (let at = 0; at < words.length; at++) {
    const right = words[at] as number;
    for (const wrong of [-(2 ** 31), -1, 0, 1, 2_048, 4_000, 2 ** 31 - 1]) {
      words[at] = wrong;
      try {
        reader.payload(index, record);
      } catch (error) {
        if (!(error instanceof DecodeError)) throw error;
        refused++;
      }
    }
    words[at] = right;
  }
  assert.ok(refused > 10, `${refused}`);
  assert.deepEqual(reader.payload(index, record), value);
});

test('a payload that its codec refuses leaves the lane as it was', () => {
  const memory = createLaneMemory(small);
  const writer = new LaneWriter(memory);
  assert.throws(() => writer.write(header(0), codec, 'not bytes'), TypeError);
  assert.equal(writer.pending(), 0);
  assert.equal(writer.write(header(1), codec, payload(1, 1_000)), 'accepted');
  const reader = new LaneReader(memory);
  assert.equal(reader.poll(), 1);
  assert.deepEqual(reader.payload(reader.take(new Envelope()), codec), payload(1, 1_000));
});

test('a payload that is not admitted, for its size, leaves the lane as it was', () => {
  const memory = createLaneMemory(small);
  const writer = new LaneWriter(memory);
  for (const length of [20, 2_000]) {
    for (let i = 0; i < 10; i++) {
      const asked: number[] = [];
      const refuse = (bytes: number): boolean => {
        asked.push(bytes);
        return false;
      };
      assert.equal(writer.write(header(i), codec, payload(i, length), 0, refuse), 'queue-full');
      assert.deepEqual(asked, [length]);
    }
  }
  assert.equal(writer.pending(), 0);
  assert.equal(
    writer.write(header(1), codec, payload(1, 2_000), 0, () => true),
    'accepted',
  );
  assert.equal(writer.write(header(2), codec, payload(2, 2_000)), 'accepted');
});

test('ranks: fifo by time, priority by time less a second a step, edf by deadline or an implied one', () => {
  assert.equal(rankOf('fifo', 50, 9, 3), 50);
  assert.ok(rankOf('priority', 1_500, 1, 0) < rankOf('priority', 600, 0, 0));
  assert.ok(rankOf('priority', 1_500, 1, 0) > rankOf('priority', 499, 0, 0), 'waiting overtakes priority');
  assert.ok(rankOf('edf', 0, 0, 10) < rankOf('edf', 0, 0, 11));
  const none = Number.POSITIVE_INFINITY;
  assert.ok(rankOf('edf', 50, 0, 49 + impliedDeadlineMs) < rankOf('edf', 50, 0, none));
  assert.ok(rankOf('edf', 50, 0, none) < rankOf('edf', 50, 0, 51 + impliedDeadlineMs));
});

test('a message that does not end costs its own place and no other, in messages and in bytes', () => {
  for (const bounds of [unordered, { ...unordered, maxMessages: 3 }]) {
    const memory = createLaneMemory(bounds);
    const writer = new LaneWriter(memory);
    let reader = new LaneReader(memory);
    const envelope = new Envelope();
    assert.equal(writer.write(header(1), codec, payload(1, 10)), 'accepted');
    reader.poll();
    const stuck = reader.take(envelope);
    for (let id = 2; id < 100; id++) {
      assert.equal(writer.credit(), bounds.maxMessages - 1);
      assert.equal(writer.write(header(id), codec, payload(id, 1_500)), 'accepted', `message ${id}`);
      reader.poll();
      const place = reader.take(envelope);
      assert.equal(envelope.id, id);
      assert.deepEqual(reader.payload(place, codec), payload(id, 1_500));
      reader.finish(place, doneCode);
    }
    assert.equal(writer.pending(), 1);
    // Nor is it forgotten, whatever has gone past it.
    reader = new LaneReader(memory);
    assert.deepEqual(reader.recover(), [stuck]);
    reader.readHeader(stuck, envelope);
    assert.equal(envelope.id, 1);
    assert.deepEqual(reader.payload(stuck, codec), payload(1, 10));
    reader.finishRecovered(stuck, failedCode('thread-lost'));
    assert.equal(writer.pending(), 0);
  }
});

test('what waits out of order is found by the next reader, however much has overtaken it, oldest first', () => {
  const memory = createLaneMemory(unordered);
  const writer = new LaneWriter(memory);
  let reader = new LaneReader(memory);
  for (const id of [1, 2, 3]) writer.write(header(id), codec, payload(id, 1));
  reader.poll();
  for (let kept = 0; kept < 3; kept++) reader.advanceNext();
  for (let id = 4; id < 50; id++) {
    writer.write(header(id), codec, payload(id, 1));
    reader.poll();
    reader.finish(reader.take(new Envelope()), doneCode);
  }
  writer.write(header(50), codec, payload(50, 1));
  reader = new LaneReader(memory);
  assert.deepEqual(reader.recover(), []);
  writer.write(header(51), codec, payload(51, 1));
  assert.equal(reader.poll(), 5);
  const found: number[] = [];
  while (reader.waiting > 0) {
    const envelope = new Envelope();
    reader.take(envelope);
    found.push(envelope.id);
  }
  assert.deepEqual(found, [1, 2, 3, 50, 51]);
});

type Step =
  | { kind: 'write'; length: number }
  | { kind: 'poll' }
  | { kind: 'take' }
  | { kind: 'keep' }
  | { kind: 'startKept' }
  | { kind: 'finish'; which: number; end: number };

const length = fc.oneof(
  fc.nat(300),
  fc.constantFrom(0, 159, 160, 161, 1_024, 2_047, 2_048, 2_049),
  fc.nat(2_060),
);
const steps = fc.array(
  fc.oneof(
    { weight: 4, arbitrary: fc.record({ kind: fc.constant('write' as const), length }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('poll' as const) }) },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant('take' as const) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('keep' as const) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('startKept' as const) }) },
    {
      weight: 4,
      arbitrary: fc.record({
        kind: fc.constant('finish' as const),
        which: fc.nat(7),
        end: fc.nat(ends.length - 1),
      }),
    },
  ),
  { maxLength: 120 },
);

/** Runs steps against a lane and against a plain queue. */
class LaneModel {
  readonly memory;
  writer: LaneWriter;
  reader: LaneReader;
  readonly probe;
  readonly isOrdered: boolean;
  nextId = 1;
  readonly accepted: { id: number; length: number }[] = [];
  /** Positions in `accepted`. */
  taken = 0;
  readonly kept: { index: number; at: number }[] = [];
  readonly running: { index: number; at: number }[] = [];
  readonly endedAt = new Set<number>();
  readonly counts = ends.map(() => 0);

  constructor(isOrdered: boolean, first: number, bounds: LaneBounds = small) {
    this.isOrdered = isOrdered;
    this.memory = createLaneMemory({ ...bounds, isOrdered }, first);
    this.writer = new LaneWriter(this.memory);
    this.reader = new LaneReader(this.memory);
    this.probe = new LaneProbe(this.memory);
  }

  run(step: Step): void {
    switch (step.kind) {
      case 'write':
        return this.write(step.length);
      case 'poll':
        assert.equal(this.reader.poll(), this.accepted.length - this.taken);
        return;
      case 'take':
        return this.take();
      case 'keep':
        return this.keep();
      case 'startKept':
        return this.startKept();
      case 'finish':
        return this.finish(step.which, step.end);
    }
  }

  /** Messages that still need their slot, in whatever order the others end. */
  get held(): number {
    return this.accepted.length - this.endedAt.size;
  }

  write(length: number): void {
    const id = this.nextId++;
    const result = this.writer.write(header(id), codec, payload(id, length));
    if (this.held >= this.memory.maxMessages) assert.equal(result, 'queue-full');
    else if (length > this.memory.messageMaxBytes) assert.equal(result, 'too-large');
    else if (length < 100 || this.held === 0) assert.equal(result, 'accepted');
    if (result === 'accepted') this.accepted.push({ id, length });
    assert.equal(this.writer.pending(), this.held);
  }

  check(envelope: Envelope, index: number, at: number): void {
    const expected = this.accepted[at];
    assert.equal(envelope.id, expected?.id);
    assert.deepEqual(this.reader.payload(index, codec), payload(expected?.id ?? 0, expected?.length ?? 0));
  }

  take(): void {
    if (this.isOrdered && this.running.length > 0) return;
    this.reader.poll();
    if (this.reader.waiting === 0) return;
    assert.equal(this.reader.nextEnqueuedAtMs(), this.accepted[this.taken]?.id);
    const envelope = new Envelope();
    const index = this.reader.take(envelope);
    this.check(envelope, index, this.taken);
    this.running.push({ index, at: this.taken++ });
  }

  keep(): void {
    if (this.isOrdered) return;
    this.reader.poll();
    if (this.reader.waiting > 0) this.kept.push({ index: this.reader.advanceNext(), at: this.taken++ });
  }

  startKept(): void {
    const next = this.kept.pop();
    if (next === undefined) return;
    const envelope = new Envelope();
    this.reader.start(next.index);
    this.reader.readHeader(next.index, envelope);
    this.check(envelope, next.index, next.at);
    this.running.push(next);
  }

  finish(which: number, end: number): void {
    const [ending] = this.running.splice(which % Math.max(1, this.running.length), 1);
    if (ending === undefined) return;
    this.reader.finish(ending.index, end);
    this.endedAt.add(ending.at);
    (this.counts[end] as number)++;
  }

  checkCounts(): void {
    const { accepted, waiting, ended } = this.probe.read();
    assert.equal(accepted, this.accepted.length);
    assert.equal(waiting, this.accepted.length - this.endedAt.size);
    assert.deepEqual(ended, this.counts);
  }
}

for (const isOrdered of [true, false]) {
  test(`a lane is a bounded queue, whatever is done to it (${isOrdered ? 'ordered' : 'unordered'} reader)`, () => {
    fc.assert(
      fc.property(steps, fc.constantFrom(0, nearWrap, 2 ** 30 - 3), (script, first) => {
        const model = new LaneModel(isOrdered, first);
        for (const step of script) {
          model.run(step);
          model.checkCounts();
        }
      }),
      { numRuns: 400 },
    );
  });
}

// ── death at every store ───────────────────────────────────────────────────────────────────────────────────

class Death extends Error {}

/** Makes a lane's view die right before its `n`-th store. Reading goes on as before. */
class Fuse {
  left = Number.POSITIVE_INFINITY;

  burn(): void {
    if (this.left-- <= 0) throw new Death();
  }

  arm(view: LaneWriter | LaneReader): void {
    for (const name of ['words', 'floats'] as const) {
      const real = Reflect.get(view, name) as Int32Array | Float64Array;
      const burn = (): void => this.burn();
      const proxy = new Proxy(real, {
        get: (target, key) => Reflect.get(target, key, target),
        set(target, key, value) {
          burn();
          return Reflect.set(target, key, value, target);
        },
      });
      realOf.set(proxy, { real: real as Int32Array, burn });
      Object.defineProperty(view, name, { value: proxy });
    }
  }
}

const realOf = new WeakMap<object, { real: Int32Array; burn: () => void }>();

/** `Atomics` takes no proxies: it is led to what is behind them, for as long as a test runs. */
function withFuses(run: () => void): void {
  const { store, load } = Atomics;
  const patched = Atomics as { store: unknown; load: unknown };
  patched.store = (view: Int32Array, at: number, value: number): number => {
    realOf.get(view)?.burn();
    return store(realOf.get(view)?.real ?? view, at, value);
  };
  patched.load = (view: Int32Array, at: number): number => load(realOf.get(view)?.real ?? view, at);
  try {
    run();
  } finally {
    patched.store = store;
    patched.load = load;
  }
}

/**
 * A life of a lane whose ends die again and again; answers how many deaths there were. In an unordered lane the reader
 * keeps one message in service, and one aside, while others go past them, for as long as it lives.
 */
function liveAndDie(isOrdered: boolean, first: number, lengths: readonly number[], fuses: number[]): number {
  const memory = createLaneMemory({ ...small, isOrdered }, first);
  const probe = new LaneProbe(memory);
  const handled = new Map<number, number>();
  const told = new Set<number>();
  const acceptedIds: number[] = [];
  const fuse = new Fuse();
  let deaths = 0;
  const revive = <T extends LaneWriter | LaneReader>(view: T): T => {
    fuse.arm(view);
    return view;
  };
  const die = (error: unknown): void => {
    if (!(error instanceof Death)) throw error;
    deaths++;
    fuse.left = fuses.shift() ?? Number.POSITIVE_INFINITY;
  };
  fuse.left = fuses.shift() ?? Number.POSITIVE_INFINITY;
  let writer = revive(new LaneWriter(memory));
  let next = 0;
  const writeAll = (): boolean => {
    while (next < lengths.length) {
      const id = next + 1;
      const before = probe.read().accepted;
      let result: string;
      try {
        result = writer.write(header(id), codec, payload(id, lengths[next] as number));
      } catch (error) {
        die(error);
        writer = revive(new LaneWriter(memory));
        result = probe.read().accepted > before ? 'accepted' : 'died';
        assert.equal(
          result,
          'died',
          'a message is there only when its head is stored, the last store of all',
        );
      }
      if (result === 'queue-full') return false;
      if (result === 'accepted') acceptedIds.push(id);
      next++;
    }
    return true;
  };
  let reader = revive(new LaneReader(memory));
  let running: { place: number; id: number }[] = [];
  let aside: number[] = [];
  const begin = (place: number, envelope: Envelope): void => {
    const { id } = envelope;
    assert.deepEqual(reader.payload(place, codec), payload(id, lengths[id - 1] as number));
    handled.set(id, (handled.get(id) ?? 0) + 1);
    running.push({ place, id });
  };
  const serve = (isLast: boolean): void => {
    const envelope = new Envelope();
    const concurrency = isOrdered ? 1 : 3;
    const held = isOrdered || isLast ? 0 : 1;
    while (reader.poll() > 0 || running.length > held || (isLast && aside.length > 0)) {
      if (held > 0 && running.length === 1 && aside.length === 0 && reader.waiting > 0)
        aside.push(reader.advanceNext());
      if (isLast) {
        for (const place of aside.splice(0)) {
          reader.start(place);
          reader.readHeader(place, envelope);
          begin(place, envelope);
        }
      }
      while (reader.waiting > 0 && running.length < concurrency) begin(reader.take(envelope), envelope);
      // Last in, first out: the awkward order.
      const ending = running.length > held ? running.pop() : undefined;
      if (ending !== undefined) {
        told.add(ending.id);
        reader.finish(ending.place, doneCode);
      }
    }
  };
  const recover = (): void => {
    running = [];
    aside = [];
    for (;;) {
      reader = revive(new LaneReader(memory));
      try {
        for (const place of reader.recover()) {
          const envelope = new Envelope();
          reader.readHeader(place, envelope);
          told.add(envelope.id);
          reader.finishRecovered(place, failedCode('thread-lost'));
        }
        return;
      } catch (again) {
        die(again);
      }
    }
  };
  const drain = (isLast: boolean): void => {
    for (;;) {
      try {
        return serve(isLast);
      } catch (error) {
        die(error);
        // The other end lives on meanwhile, and finds slots that have ended.
        writeAll();
        recover();
      }
    }
  };
  let refused = -1;
  while (!writeAll()) {
    // What is held may hold the bytes that the next one needs.
    drain(refused === next);
    refused = next;
  }
  drain(true);
  const { accepted, waiting, ended } = probe.read();
  assert.equal(accepted, acceptedIds.length);
  assert.equal(waiting, 0, 'every accepted message ended once');
  assert.equal(
    ended.reduce((sum, count) => sum + count, 0),
    accepted,
  );
  for (const [id, times] of handled) assert.equal(times, 1, `message ${id} was handled ${times} times`);
  // A message that died right after it was marked as running was never seen by the handler: it is poison too.
  assert.deepEqual(
    [...told].sort((a, b) => a - b),
    acceptedIds,
  );
  assert.equal(new LaneWriter(memory).pending(), 0);
  return deaths;
}

for (const isOrdered of [true, false]) {
  const reader = isOrdered ? 'ordered' : 'unordered';
  test(`death before any store of either end loses nothing and repeats nothing (${reader} reader)`, () => {
    withFuses(() => {
      const lengths = [1, 300, 2_000, 0, 1_500, 900, 10, 10, 10, 2_048, 10, 700, 5, 1_200, 0, 900, 30, 200];
      for (const first of [0, nearWrap]) {
        let deaths = 0;
        while (liveAndDie(isOrdered, first, lengths, [deaths]) === 1) deaths++;
        assert.ok(deaths > 150, `the whole life has only ${deaths} stores`);
      }
    });
  });

  test(`deaths that follow upon each other, recoveries included, lose nothing (${reader} reader)`, () => {
    withFuses(() => {
      let deaths = 0;
      fc.assert(
        fc.property(
          fc.array(fc.oneof(fc.nat(200), fc.nat(2_048)), { minLength: 1, maxLength: 30 }),
          fc.array(fc.nat(60), { maxLength: 25 }),
          fc.constantFrom(0, nearWrap),
          (lengths, fuses, first) => {
            deaths += liveAndDie(isOrdered, first, lengths, [...fuses]);
          },
        ),
        { numRuns: 700 },
      );
      assert.ok(deaths > 1_000, `${deaths} deaths`);
    });
  });
}
