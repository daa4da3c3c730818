import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  type App,
  connect,
  connection,
  defineApp,
  defineMsu,
  type InstanceId,
  instanceId,
  type Message,
  type MsuOptions,
  type PublishPort,
  publishes,
  type RequestPort,
  type RoutingPolicy,
  receives,
  refusalReasons,
  requests,
  type SendPort,
  sends,
  serves,
  value,
} from '../model/index.ts';
import { doneCode, shedCode } from '../transport/index.ts';
import { InstanceFloat, sizeMeanFloat } from './shared-block.ts';
import { type ByHand, startByHand } from './test-support/by-hand.ts';

const number = value<number>();

interface Taken {
  readonly instance: InstanceId;
  readonly payload: number;
  readonly message: Message;
}

/** `source` sends, asks and publishes to `sink`, which says what it took. */
function app(
  taken: { push(one: Taken): unknown },
  options: Partial<MsuOptions> = {},
  routing: RoutingPolicy = 'shortest-queue',
): App {
  const sink = defineMsu({
    ...options,
    name: 'sink',
    in: { take: receives(number), answer: serves(number, number), news: receives(number) },
    create: ({ instanceId: instance }) => {
      const take = (payload: number, message: Message): void => {
        taken.push({ instance, payload, message });
      };
      return { take, news: take, answer: (payload) => payload };
    },
  });
  const source = defineMsu({
    name: 'source',
    out: { on: sends(number), ask: requests(number, number), news: publishes(number) },
    create: () => ({}),
  });
  return defineApp({
    name: 'ports',
    msus: [source, sink],
    edges: [
      connect(source.out.on, sink.in.take, { routing }),
      connect(source.out.ask, sink.in.answer),
      connect(source.out.news, sink.in.news, { routing: 'all' }),
    ],
  });
}

const sameThread = [['source', 'sink']];
const otherThread = [['source'], ['sink']];
const on = (hand: ByHand): SendPort<number> => hand.out('source', 'on');
const news = (hand: ByHand): PublishPort<number> => hand.out('source', 'news');

const refused = (hand: ByHand, reason: (typeof refusalReasons)[number]): number | undefined =>
  hand.instance('source').stats[InstanceFloat.refused + refusalReasons.indexOf(reason)];

/** Time goes by, and every thread does what there is to do. */
async function pass(hand: ByHand, ms: number): Promise<void> {
  hand.clock.nowMs += ms;
  hand.run();
  await new Promise((resolve) => setImmediate(resolve));
}

test('credit is the number of messages that are accepted before one is refused, by whichever bound', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(sameThread, otherThread),
      fc.constantFrom(0, 1, 5),
      fc.constantFrom(0, 1, 25, 60),
      fc.constantFrom(0, 10, 30),
      fc.nat(3),
      async (placement, queueMaxMessages, queueMaxWorkMs, serviceMeanMs, before) => {
        const options = { queueMaxMessages, queueMaxWorkMs };
        const hand = await startByHand(app([], options), placement, { laneMaxMessages: 8 });
        hand.instance('sink').stats[InstanceFloat.serviceMeanMs] = serviceMeanMs;
        for (let i = 0; i < before; i++) on(hand).send(i);
        const credit = on(hand).credit();
        assert.equal(
          Math.min(credit, hand.out<RequestPort<number, number>>('source', 'ask').credit()),
          credit,
        );
        let accepted = 0;
        while (on(hand).send(0) === 'accepted') accepted++;
        assert.equal(accepted, credit);
        assert.equal(on(hand).credit(), 0);
      },
    ),
    { numRuns: 60 },
  );
});

/** One byte and nine, encoded. */
const short = 1;
const long = 2 ** 40;

test('work that waits counts by what messages of its size took there, whatever the mean', async () => {
  const costMs = (payload: number): number => (payload === long ? 100 : 1);
  const hand: ByHand = await startByHand(
    app({ push: ({ payload }) => (hand.clock.nowMs += costMs(payload)) }, { queueMaxWorkMs: 250 }),
    otherThread,
  );
  for (let i = 0; i < 20; i++) {
    on(hand).send(short);
    on(hand).send(long);
    hand.run();
  }
  const mean = hand.instance('sink').stats[InstanceFloat.serviceMeanMs] as number;
  assert.ok(mean > 20 && mean < 80, `${mean}`);
  const acceptedOf = (payload: number): number => {
    let accepted = 0;
    while (on(hand).send(payload) === 'accepted') accepted++;
    return accepted;
  };
  assert.equal(acceptedOf(long), 2);
  // Where there is no room for an expensive one, there is for cheap ones.
  assert.equal(acceptedOf(short), 50);
  hand.run();
  assert.equal(acceptedOf(short), 250);
  hand.run();

  // What runs has done some of its work.
  const { stats } = hand.instance('sink');
  assert.equal(acceptedOf(long), 2);
  stats[InstanceFloat.runningSince] = hand.clock.nowMs;
  hand.clock.nowMs += 40;
  assert.equal(on(hand).send(long), 'queue-full');
  hand.clock.nowMs += 20;
  assert.equal(on(hand).send(long), 'accepted');
  assert.equal(on(hand).send(long), 'queue-full');
  hand.clock.nowMs += 1_000;
  assert.equal(on(hand).send(long), 'queue-full', 'no more is done than the running one needed');
});

test('by sjf, what will let a message pass does not count for it; what runs, and what is sooner, does', async () => {
  const costMs = (payload: number): number => (payload === long ? 100 : 1);
  const taken: number[] = [];
  const push = ({ payload }: { readonly payload: number }): void => {
    taken.push(payload);
    hand.clock.nowMs += costMs(payload);
  };
  const hand: ByHand = await startByHand(app({ push }, { queueMaxWorkMs: 250, order: 'sjf' }), otherThread);
  for (const payload of [short, long]) {
    on(hand).send(payload);
    hand.run();
  }
  const acceptedOf = (payload: number): number => {
    let accepted = 0;
    while (on(hand).send(payload) === 'accepted') accepted++;
    return accepted;
  };
  taken.length = 0;
  assert.equal(acceptedOf(long), 2);
  assert.equal(acceptedOf(short), 250);
  assert.equal(acceptedOf(long), 0, 'those count that go before it');
  hand.run();
  assert.deepEqual(taken, [...Array.from({ length: 250 }, () => short), long, long]);
});

test('where work is bounded, the shorter queue is that with less work', async () => {
  const taken: Taken[] = [];
  const hand = await startByHand(app(taken, { queueMaxWorkMs: 1_000 }), [['source'], ['sink'], ['sink']]);
  const [first, second] = [2, 3].map(instanceId) as [InstanceId, InstanceId];
  for (const [at, id] of [
    [1, first],
    [2, second],
  ] as const) {
    const { stats } = hand.threads[at]!.instances.get(id)!;
    stats[InstanceFloat.serviceMeanMs] = 50;
    stats[sizeMeanFloat(1)] = 1;
    stats[sizeMeanFloat(9)] = 100;
  }
  on(hand).send(long, { to: first });
  for (let i = 0; i < 5; i++) on(hand).send(short, { to: second });
  for (let i = 0; i < 90; i++) on(hand).send(short);
  hand.run();
  const count = (id: InstanceId): number => taken.filter(({ instance }) => instance === id).length;
  assert.deepEqual([count(first), count(second)], [1, 95]);
});

for (const [where, placement] of [
  ['its own thread', sameThread],
  ['another thread', otherThread],
] as const) {
  for (const [what, options] of [
    ['messages', { queueMaxMessages: 3 }],
    ['work', { queueMaxWorkMs: 25 }],
  ] as const) {
    test(`who tries again after ready() lets a receiver on ${where} run that is full by its bound of ${what}`, async () => {
      const taken: Taken[] = [];
      const hand = await startByHand(app(taken, options), placement);
      hand.instance('sink').stats[InstanceFloat.serviceMeanMs] = 10;
      let attempts = 0;
      const sending = (async () => {
        for (let sent = 0; sent < 20; sent++) {
          while (on(hand).send(sent) !== 'accepted') {
            assert.ok(++attempts < 100, 'it spins');
            await on(hand).ready();
          }
        }
      })();
      for (let i = 0; i < 100 && taken.length < 20; i++) await pass(hand, 5);
      await sending;
      assert.deepEqual(
        taken.map(({ payload }) => payload),
        Array.from({ length: 20 }, (_, i) => i),
      );
      assert.ok(attempts > 0, 'nothing was refused');
    });
  }
}

test('after a refusal by key, ready() waits for the instance of that key, though another has room', async () => {
  const taken: Taken[] = [];
  const options = { state: 'keyed', queueMaxMessages: 2 } as const;
  const hand = await startByHand(app(taken, options, 'keyed'), [['source'], ['sink'], ['sink']]);
  while (on(hand).send(1, { flowKey: 77 }) === 'accepted');
  assert.equal(on(hand).credit(), 2, 'the other instance has room');
  let isReady = false;
  const ready = on(hand)
    .ready()
    .then(() => {
      isReady = true;
    });
  // Neither sink has a turn.
  for (let i = 0; i < 5; i++) {
    hand.clock.nowMs += 5;
    hand.run(0);
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.equal(isReady, false);
  await pass(hand, 5);
  await pass(hand, 5);
  await ready;
  assert.equal(on(hand).send(1, { flowKey: 77 }), 'accepted');
});

test('ready() waits where nobody is there to send to', async () => {
  const hand = await startByHand(app([]), [['source']]);
  assert.equal(on(hand).send(1), 'no-endpoint');
  let isReady = false;
  void on(hand)
    .ready()
    .then(() => {
      isReady = true;
    });
  for (let i = 0; i < 5; i++) await pass(hand, 5);
  assert.equal(isReady, false);
});

test('a publication to all reaches every instance, or one that is named; to nobody, it is refused and counted', async () => {
  const taken: Taken[] = [];
  const hand = await startByHand(app(taken), [['source'], ['sink'], ['sink', 'sink']]);
  assert.equal(news(hand).publish(1), 'accepted');
  hand.run();
  assert.deepEqual(taken.map(({ instance }) => instance).sort(), [2, 3, 4]);
  assert.equal(news(hand).publish(2, { to: instanceId(3) }), 'accepted');
  hand.run();
  assert.deepEqual(
    taken.slice(3).map(({ instance }) => instance),
    [3],
  );
  const alone = await startByHand(app([]), [['source']]);
  assert.equal(news(alone).publish(1), 'no-endpoint');
  assert.equal(refused(alone, 'no-endpoint'), 1);
});

test('a delayed publication is one message until it is due; then it goes to whoever is there', async () => {
  const taken: Taken[] = [];
  const hand = await startByHand(app(taken), [['source'], ['sink'], ['sink']]);
  const { stats } = hand.instance('source');
  assert.equal(news(hand).publish(1, { delayMs: 20 }), 'accepted');
  assert.equal(news(hand).publish(2, { delayMs: 30 }), 'accepted');
  await pass(hand, 19);
  assert.deepEqual([taken.length, stats[InstanceFloat.localAccepted]], [0, 2]);
  const route = [...hand.threads[0]!.routes.values()].find(({ edge }) => edge.routing === 'all')!;
  route.install(
    2,
    route.endpoints.slice(1),
    () => 0,
    () => 0,
  );
  await pass(hand, 1);
  assert.deepEqual(
    taken.map(({ instance, payload }) => [instance, payload]),
    [[3, 1]],
  );
  assert.equal(stats[InstanceFloat.localEnds + doneCode], 1);
  route.install(
    3,
    [],
    () => 0,
    () => 0,
  );
  await pass(hand, 10);
  assert.equal(stats[InstanceFloat.localEnds + shedCode('undeliverable')], 1);
  assert.equal(taken.length, 1);
});

for (const [where, placement] of [
  ['within a thread', [['source', 'middle', 'sink']]],
  ['between threads', [['source'], ['middle'], ['sink']]],
] as const) {
  test(`what is sent with trace is traced ${where} to the end of its chain, unless somebody says otherwise`, async () => {
    const seen: boolean[] = [];
    const sink = defineMsu({
      name: 'sink',
      in: { take: receives(number) },
      create: () => ({ take: (_, { isTraced }) => void seen.push(isTraced) }),
    });
    const middle = defineMsu({
      name: 'middle',
      in: { pass: receives(number) },
      out: { on: sends(number) },
      create: ({ out }) => ({
        pass: (payload, { isTraced }) => {
          seen.push(isTraced);
          out.on.send(payload, payload === 3 ? { trace: false } : {});
        },
      }),
    });
    const source = defineMsu({ name: 'source', out: { on: sends(number) }, create: () => ({}) });
    const chain = defineApp({
      name: 'chain',
      msus: [source, middle, sink],
      edges: [connect(source.out.on, middle.in.pass), connect(middle.out.on, sink.in.take)],
    });
    const hand = await startByHand(chain, placement);
    for (const [payload, options] of [
      [1, {}],
      [2, { trace: true }],
      [3, { trace: true }],
    ] as const) {
      on(hand).send(payload, options);
      hand.run();
    }
    assert.deepEqual(seen, [false, false, true, true, true, false]);
  });
}

test('a connection is not sent with a delay: while it waited, nobody would own it', async () => {
  const reader = defineMsu({
    name: 'reader',
    state: 'pinned',
    in: { take: receives(connection()) },
    create: () => ({ take: () => {} }),
  });
  const door = defineMsu({ name: 'door', out: { on: sends(connection()) }, create: () => ({}) });
  const listening = defineApp({
    name: 'listening',
    msus: [door, reader],
    edges: [connect(door.out.on, reader.in.take)],
  });
  const hand = await startByHand(listening, [['door'], ['reader']]);
  assert.throws(() => hand.out<SendPort<object>>('door', 'on').send({}, { delayMs: 5 }), {
    code: 'SHOAL_BAD_CALL',
    message: /'door' sends a connection with delayMs/,
  });
});
