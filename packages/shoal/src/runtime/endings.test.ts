import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type App,
  bytes,
  connect,
  defineApp,
  defineMsu,
  type ErrorNotice,
  keptNoticesMax,
  type Reply,
  type RequestPort,
  receives,
  requests,
  type SendPort,
  sends,
  serves,
  value,
} from '../model/index.ts';
import { failedCode } from '../transport/index.ts';
import { bucketOf, histogramBuckets } from '../wire/index.ts';
import { InstanceFloat, sojournHistogramFloat } from './shared-block.ts';
import { type ByHand, startByHand } from './test-support/by-hand.ts';

const number = value<number>();

test('a failure whose detail finds no room reaches its requester without it', async () => {
  const server = defineMsu({
    name: 'server',
    in: { fill: serves(number, bytes()), fail: serves(number, number) },
    create: () => ({
      fill: (size) => Buffer.alloc(size),
      fail: () => {
        throw new Error('x'.repeat(180));
      },
    }),
  });
  const asker = defineMsu({
    name: 'asker',
    out: { fill: requests(number, bytes()), fail: requests(number, number) },
    create: () => ({}),
  });
  const app = defineApp({
    name: 'details',
    msus: [asker, server],
    edges: [connect(asker.out.fill, server.in.fill), connect(asker.out.fail, server.in.fail)],
  });
  const hand = await startByHand(app, [['asker'], ['server']], {
    laneMaxBytes: 4_096,
    messageMaxBytes: 2_048,
  });
  const replies: Reply<unknown>[] = [];
  const fill = hand.out<RequestPort<number, Buffer>>('asker', 'fill');
  const fail = hand.out<RequestPort<number, number>>('asker', 'fail');
  const onReply = (reply: Reply<unknown>): void => void replies.push(reply);
  fail.ask(0, onReply);
  fill.ask(1_900, onReply);
  fill.ask(1_900, onReply);
  fail.ask(0, onReply);
  // All of it before the asker has a turn: what was replied is still in the lane.
  hand.run(1);
  hand.run(0);
  assert.deepEqual(
    replies.map(({ outcome }) => outcome),
    ['failed', 'done', 'done', 'failed'],
  );
  const details = replies.flatMap((reply) => (reply.outcome === 'failed' ? [reply.detail] : []));
  assert.deepEqual(details, [`Error: ${'x'.repeat(180)}`, '']);
});

/** What `source` sends fails in `thrower`; what it is told of that is in `told`. */
function failing(told: ErrorNotice[]): App {
  const thrower = defineMsu({
    name: 'thrower',
    in: { take: receives(number) },
    create: () => ({
      take: () => {
        throw new Error('on purpose');
      },
    }),
  });
  const source = defineMsu({
    name: 'source',
    out: { on: sends(number) },
    create: () => ({ onError: (notice) => void told.push(notice) }),
  });
  return defineApp({
    name: 'failing',
    msus: [source, thrower],
    edges: [connect(source.out.on, thrower.in.take)],
  });
}

function send(hand: ByHand, flowKey: number): void {
  assert.equal(hand.out<SendPort<number>>('source', 'on').send(0, { flowKey }), 'accepted');
}

const keys = Array.from({ length: 50 }, (_, i) => i + 1);
const elsewhere = [['source'], ['thrower']];

for (const [where, placement] of [
  ['on another thread', elsewhere],
  ['on the same thread', [['source', 'thrower']]],
] as const) {
  test(`upstream ${where} hears of every key that failed, however little room there is for notices`, async () => {
    const told: ErrorNotice[] = [];
    const hand = await startByHand(failing(told), placement, { requestsMax: 4 });
    for (let round = 0; round < 4; round++) for (const key of keys) send(hand, key);
    hand.run(placement.length - 1);
    const { stats } = hand.instance('thrower');
    // Four are on their way; of the others, one of each key is kept.
    const coalesced = stats[InstanceFloat.noticesCoalesced];
    if (placement.length > 1) assert.equal(coalesced, 4 * 50 - 4 - 50);
    for (let i = 0; i < 100 && !hand.instance('thrower').isIdle; i++) {
      hand.clock.nowMs += 5;
      hand.run();
    }
    hand.run();
    assert.deepEqual(
      [...new Set(told.map(({ flowKey }) => flowKey))].sort((a, b) => a - b),
      keys,
    );
    assert.equal(told.length + (stats[InstanceFloat.noticesCoalesced] as number), 4 * 50);
    assert.equal(stats[InstanceFloat.noticesLost], 0);
    // The newest of each key has come.
    const newest = Math.max(...told.map(({ messageId }) => messageId));
    assert.deepEqual(
      keys.filter((key) => !told.some((n) => n.flowKey === key && n.messageId > newest - keys.length)),
      [],
    );
  });
}

test('messages without a key are told of one by one', async () => {
  const told: ErrorNotice[] = [];
  const hand = await startByHand(failing(told), elsewhere, { requestsMax: 4 });
  for (let i = 0; i < 20; i++) send(hand, 0);
  hand.run(1);
  for (let i = 0; i < 10; i++) {
    hand.run();
    hand.clock.nowMs += 5;
  }
  assert.equal(new Set(told.map(({ messageId }) => messageId)).size, 20);
});

test('an instance is not idle while it keeps notices; those that it leaves behind are counted as lost', async () => {
  const told: ErrorNotice[] = [];
  const hand = await startByHand(failing(told), elsewhere, { requestsMax: 4 });
  const thrower = hand.instance('thrower');
  for (const key of keys) send(hand, key);
  hand.run(1);
  assert.equal(thrower.isIdle, false);
  thrower.discard();
  assert.equal(thrower.stats[InstanceFloat.noticesLost], keys.length - 4);
  assert.equal(thrower.isIdle, true);
});

test('notices that a thread kept when it died are counted as lost', async () => {
  const hand = await startByHand(failing([]), elsewhere, { requestsMax: 4 });
  const thrower = hand.instance('thrower');
  for (const key of keys) send(hand, key);
  hand.run(1);
  thrower.endings.recover(failedCode('thread-lost'));
  assert.equal(thrower.stats[InstanceFloat.noticesLost], keys.length - 4);
});

test('an instance keeps a bounded number of notices; those beyond it are counted as lost', async () => {
  const hand = await startByHand(failing([]), elsewhere, { requestsMax: 4 });
  const thrower = hand.instance('thrower');
  for (let sent = 0; sent < keptNoticesMax + 4 + 10; ) {
    for (let i = 0; i < 1_000 && sent < keptNoticesMax + 4 + 10; i++) send(hand, ++sent);
    hand.run(1);
  }
  assert.equal(thrower.stats[InstanceFloat.noticesLost], 10);
});

test('sojourn times are those of messages that were handled without an error, whether at once or after a while', async () => {
  const worker = (name: 'sync' | 'async') =>
    defineMsu({
      name,
      execution: name,
      in: { take: receives(number) },
      create: () => ({
        take: (n) => {
          if (name === 'async') return n === 0 ? Promise.resolve() : Promise.reject(new Error('on purpose'));
          if (n !== 0) throw new Error('on purpose');
          return undefined;
        },
      }),
    });
  const workers = [worker('sync'), worker('async')] as const;
  const source = defineMsu({
    name: 'source',
    out: { sync: sends(number), async: sends(number) },
    create: () => ({}),
  });
  const app = defineApp({
    name: 'sojourns',
    msus: [source, ...workers],
    edges: [connect(source.out.sync, workers[0].in.take), connect(source.out.async, workers[1].in.take)],
  });
  const hand = await startByHand(app, [['source'], ['sync', 'async']]);
  for (const name of ['sync', 'async']) {
    for (const n of [0, 1, 0, 2, 3]) hand.out<SendPort<number>>('source', name).send(n);
    hand.clock.nowMs += 7;
    for (let i = 0; i < 5; i++) {
      hand.run();
      await new Promise((resolve) => setImmediate(resolve));
    }
    const { stats } = hand.instance(name);
    const recorded = stats.subarray(sojournHistogramFloat, sojournHistogramFloat + histogramBuckets);
    assert.deepEqual(
      recorded.reduce((sum, count) => sum + count, 0),
      2,
      name,
    );
    assert.equal(recorded[bucketOf(7)], 2);
  }
});
