import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { hashKey, type Reply } from '../model/index.ts';
import type { Seen } from './test-apps/features.ts';
import { startApp, type TestRuntime, unaccounted } from './test-apps/start.ts';

let app: TestRuntime;
before(async () => {
  app = await startApp('features');
});
after(() => app.runtime.close());

/** Of 20 requests sent at once to each type, those that were not refused. */
type Accepted = Readonly<Record<'patient' | 'frugal' | 'strict', number>>;

/** The value of a reply that must have come. */
function valueIn<T>(reply: unknown): T {
  const { outcome, value } = reply as { outcome: string; value: T };
  assert.equal(outcome, 'done', JSON.stringify(reply));
  return value;
}

test('a message carries its flow key and client key to the receiver, and knows its origin and sender', async () => {
  const { reply, self } = await app.result('direct');
  const seen = valueIn<Seen>(reply);
  assert.equal(seen.flowKey, hashKey('flow'));
  assert.equal(seen.clientKey, hashKey('client'));
  assert.deepEqual([seen.origin, seen.sender, seen.provenance], [self, self, [self]]);
});

test('a chain goes on with the same keys and origin, and with everybody in its provenance', async () => {
  const { reply, self } = await app.result('chain');
  const seen = valueIn<Seen>(reply);
  const [relay] = app.instances('relay');
  assert.equal(seen.text, 'b');
  assert.equal(seen.flowKey, hashKey('flow'));
  assert.equal(seen.clientKey, hashKey('client'));
  assert.deepEqual([seen.origin, seen.sender], [self, relay?.instanceId]);
  assert.deepEqual(seen.provenance, [self, relay?.instanceId]);
});

test('a message to an instance goes there and nowhere else; to nobody, it is refused', async () => {
  const { to, replies, nobody } = await app.result('address');
  assert.deepEqual(
    replies,
    Array.from({ length: 20 }, () => to),
  );
  assert.deepEqual(nobody, { outcome: 'refused', reason: 'no-endpoint' });
});

test('payloads of every size come back as they were, even when their replies do not fit at once', async () => {
  const { replies, tooLarge } = await app.result('bytes');
  const accepted = (replies as { size: number; outcome: string }[]).filter(
    ({ outcome }) => outcome !== 'refused',
  );
  assert.ok(accepted.length >= 9, JSON.stringify(replies));
  for (const { size, outcome } of accepted) assert.equal(outcome, 'right', `${size} bytes`);
  assert.deepEqual(tooLarge, { outcome: 'refused', reason: 'too-large' });
});

/** Bytes of a port, over all instances of its type. */
function portBytes(msu: string, name: string): { received: number; sent: number } {
  const ports = app.instances(msu).flatMap((sample) => sample.ports.filter((port) => port.name === name));
  const sum = (value: 'receivedBytes' | 'sentBytes'): number =>
    ports.reduce((total, port) => total + port[value], 0);
  return { received: sum('receivedBytes'), sent: sum('sentBytes') };
}

test('bytes of payloads and of replies are counted at both ends, port by port', async () => {
  const { replies } = await app.result('bytes');
  const accepted = (replies as { size: number; outcome: string }[]).filter(
    ({ outcome }) => outcome === 'right',
  );
  const bytes = accepted.reduce((sum, { size }) => sum + size, 0);
  await app.result('end');
  // `sendLater` asks once more on this port, with what cannot be sent.
  await app.until('bytes', () => portBytes('driver', 'blob').received === bytes);
  assert.deepEqual(portBytes('driver', 'blob'), { received: bytes, sent: bytes });
  assert.deepEqual(portBytes('echo', 'blob'), { received: bytes, sent: bytes });
  // Asked by the driver and by the relay; values of other ports are not mixed in.
  const asked = portBytes('echo', 'ask');
  const [driver, relay] = [portBytes('driver', 'echo'), portBytes('relay', 'on')];
  assert.deepEqual(asked, { received: driver.sent + relay.sent, sent: driver.received + relay.received });
  assert.ok(relay.sent > 0 && driver.sent > 0);
});

test('a reply that comes when its request is over is counted', async () => {
  await app.result('slow');
  await app.until('the late reply', () => app.instances('driver')[0]?.orphans === 1);
});

test('an async type has as many events in progress as it declares; a late reply is a timeout', async () => {
  const { naps, late } = await app.result('slow');
  assert.equal(Math.max(...(naps as unknown[]).map((nap) => valueIn<number>(nap))), 3);
  assert.deepEqual(late, { outcome: 'timeout' });
});

test('a full queue refuses, what waited past its deadline is shed, and the rest is done', async () => {
  const { burns } = await app.result('slow');
  const kinds = (burns as Reply<number>[]).map((reply) =>
    'reason' in reply ? `${reply.outcome}: ${reply.reason}` : reply.outcome,
  );
  const count = (kind: string): number => kinds.filter((candidate) => candidate === kind).length;
  assert.equal(count('refused: queue-full'), 22, kinds.join());
  assert.ok(count('done') >= 1 && count('done') <= 4, kinds.join());
  assert.equal(count('shed: expired'), 8 - count('done'), kinds.join());
});

test('a queue can be bounded by the work in it, by its type or by the deployment', async (t) => {
  const bounded = await startApp('features', { limits: { queueMaxWorkMs: 15 } });
  t.after(() => bounded.runtime.close());
  const [free, limited] = (await Promise.all([app.result('slow'), bounded.result('slow')])).map(
    ({ accepted }) => accepted as Accepted,
  );
  assert.equal(free?.patient, 20);
  // Of 6 ms each three may wait, and another is taken at once; more get in while a busy machine keeps the sender waiting.
  // Where one is more than may wait, as it is for whichever type on a busy machine, an instance that ends one takes the next.
  for (const count of [free?.frugal, limited?.frugal, limited?.patient, free?.strict, limited?.strict]) {
    assert.ok(count !== undefined && count >= 1 && count <= 14, `${count} were accepted`);
  }
});

test('a blocking type may block its thread', async () => {
  const { blocked } = await app.result('slow');
  assert.equal(valueIn(blocked), 'timed-out');
});

test('a key stays with its instance and its state; states are counted; an instance keeps its own', async () => {
  const { counts, totals } = await app.result('states');
  const replies = (counts as unknown[]).map((reply) => valueIn<{ instance: number; total: number }>(reply));
  replies.forEach((reply, at) => {
    assert.equal(reply.total, 1 + Math.floor(at / 40));
    assert.equal(reply.instance, replies[at % 40]?.instance);
  });
  assert.equal(new Set(replies.map(({ instance }) => instance)).size, 2, 'both instances have keys');
  const states = await app.until('states', () => {
    const all = app.instances('counter').reduce((sum, sample) => sum + sample.states, 0);
    return all === 40 ? all : undefined;
  });
  assert.equal(states, 40);
  assert.deepEqual((totals as unknown[]).map(valueIn), [1, 3, 6, 10]);
});

test('a handler that throws fails its message, with the reason for its requester; the thread lives', async () => {
  const { thrown, badReply } = await app.result('fail');
  assert.deepEqual(thrown, { outcome: 'failed', reason: 'handler-error', detail: 'RangeError: on purpose' });
  const bad = badReply as { outcome: string; reason: string };
  assert.deepEqual([bad.outcome, bad.reason], ['failed', 'reply-lost']);
});

test('error notices reach everybody upstream with an error handler, once each, and nobody else', async () => {
  const { notices } = await app.result('fail');
  const [thrower] = app.instances('thrower');
  const expected = { flowKey: 4711, failedIn: thrower?.instanceId, reason: 'handler-error' };
  const own = (notices as { flowKey: number }[]).filter(({ flowKey }) => flowKey === 4711);
  assert.equal(own.length, 3);
  for (const notice of own) {
    const { messageId: _, ...rest } = notice as unknown as Record<string, unknown>;
    assert.deepEqual(rest, expected);
  }
  await app.result('end');
  const passers = await app.until('counters', () => {
    const samples = app.instances('passer');
    return samples.some(({ counters }) => counters.told === 3) ? samples : undefined;
  });
  // Routed by one key: one passer had all three, and was told of all three.
  assert.deepEqual(passers.map(({ counters }) => [counters.passed ?? 0, counters.told ?? 0]).sort(), [
    [0, 0],
    [3, 3],
  ]);
});

test('delayed messages come when they are due, requests too', async () => {
  const { tookMs } = await app.result('later');
  assert.ok((tookMs as number) >= 30 && (tookMs as number) < 1_000, `${tookMs} ms`);
});

test('a publication reaches every subscribing type; with routing "all", every instance', async () => {
  await app.result('end');
  await app.until('news', () =>
    [...app.instances('left'), ...app.instances('right')].every(({ counters }) => counters.news === 2),
  );
});

test('timers fire periodically and once, and can be started and stopped', async () => {
  const counters = await app.until('ticks', () => {
    const [ticker] = app.instances('ticker');
    return ticker !== undefined && (ticker.counters.often ?? 0) >= 5 ? ticker.counters : undefined;
  });
  assert.equal(counters.once, 1);
  assert.equal(counters.restarted, 1);
  assert.equal(counters.never, undefined);
});

test('nothing threw on the way, no thread was lost, and at the end every count adds up', async () => {
  await app.result('end');
  assert.deepEqual(
    app.logged.filter(({ text, fields }) => text === 'result' && fields.name === 'threw'),
    [],
  );
  assert.deepEqual(
    app.events.map(({ kind }) => kind),
    [],
  );
  await app.runtime.close();
  assert.deepEqual(unaccounted(app.last()), []);
  const driver = app.instances('driver')[0];
  assert.equal(driver?.shed.undeliverable, 2, 'delayed messages that could not be delivered are counted');
});
