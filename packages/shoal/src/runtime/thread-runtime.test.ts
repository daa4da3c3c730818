import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  type App,
  connect,
  defineApp,
  defineMsu,
  type RequestPort,
  receives,
  requests,
  type SendPort,
  sends,
  serves,
  value,
} from '../model/index.ts';
import { InstanceFloat, ThreadWord } from './shared-block.ts';
import { type ByHand, startByHand } from './test-support/by-hand.ts';
import { closeMax } from './thread-runtime.ts';

const number = value<number>();
const sinkNames = ['first', 'second', 'third'] as const;
const threads = [['source', ...sinkNames]];

/** `source` sends to three sinks, which say what they took, and asks the first for what it never answers in time. */
function app(taken: number[]): App {
  const sink = (name: string) =>
    defineMsu({
      name,
      execution: 'async',
      concurrency: 1,
      in: { take: receives(number), answer: serves(number, number) },
      create: () => ({
        take: (payload) => {
          taken.push(payload);
        },
        answer: () => new Promise<number>(() => {}),
      }),
    });
  const [first, second, third] = sinkNames.map(sink) as [
    ReturnType<typeof sink>,
    ReturnType<typeof sink>,
    ReturnType<typeof sink>,
  ];
  const source = defineMsu({
    name: 'source',
    out: {
      first: sends(number),
      second: sends(number),
      third: sends(number),
      ask: requests(number, number, { timeoutMs: 50 }),
    },
    create: () => ({}),
  });
  return defineApp({
    name: 'turns',
    msus: [source, first, second, third],
    edges: [
      connect(source.out.first, first.in.take),
      connect(source.out.second, second.in.take),
      connect(source.out.third, third.in.take),
      connect(source.out.ask, first.in.answer),
    ],
  });
}

/** Without another look at the lanes: what is put into an inbox must be noticed by itself. */
const runTurns = ({ threads: [thread] }: ByHand): void => {
  while (thread!.turn());
};

const send = (hands: ByHand, sink: string, payload: number): void => {
  assert.equal(hands.out<SendPort<number>>('source', sink).send(payload), 'accepted');
};

test('a thread serves its instances in the order in which their messages were accepted', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(
        fc.tuple(
          fc.constantFrom(...sinkNames),
          fc.integer({ min: 0, max: 2 }),
          // The longer pauses make a lull, where what is sent is served at once.
          fc.constantFrom(0.001, 0.01, 1),
        ),
        { maxLength: 60 },
      ),
      fc.integer({ min: 1, max: 7 }),
      async (sent, eventsMax) => {
        const taken: number[] = [];
        const hands = await startByHand(app(taken), threads, { turnMaxEvents: eventsMax });
        sent.forEach(([sink, turns, pauseMs], at) => {
          hands.clock.nowMs += pauseMs;
          send(hands, sink, at);
          for (let i = 0; i < turns; i++) hands.threads[0]!.turn();
        });
        runTurns(hands);
        assert.deepEqual(
          taken,
          sent.map((_, at) => at),
        );
      },
    ),
    { numRuns: 60 },
  );
});

test('an instance that is gone is asked for nothing more, and the others go on', async () => {
  const taken: number[] = [];
  const hands = await startByHand(app(taken), threads);
  const thread = hands.threads[0]!;
  send(hands, 'first', 1);
  send(hands, 'second', 2);
  send(hands, 'third', 3);
  const second = hands.instance('second');
  thread.delete(second.id);
  runTurns(hands);
  assert.deepEqual(taken, [1, 3]);
  assert.equal(second.waiting, 1);
  // By a table that is not replaced yet.
  send(hands, 'second', 4);
  runTurns(hands);
  assert.deepEqual(taken, [1, 3]);
  thread.add(second);
  runTurns(hands);
  assert.deepEqual(taken, [1, 3, 2, 4]);
});

test('what an instance may not take yet waits, and is taken when it may', async () => {
  const taken: number[] = [];
  const hands = await startByHand(app(taken), threads);
  const first = hands.instance('first');
  const outcomes: string[] = [];
  const ask = hands.out<RequestPort<number, number>>('source', 'ask');
  ask.ask(1, ({ outcome }) => outcomes.push(outcome));
  runTurns(hands);
  assert.equal(first.inProgress, 1);
  send(hands, 'first', 2);
  for (let i = 0; i < 3; i++) hands.threads[0]!.turn();
  assert.deepEqual(taken, []);
  first.discard();
  runTurns(hands);
  assert.equal(first.inProgress, 0);
  send(hands, 'first', 3);
  runTurns(hands);
  assert.deepEqual(taken, [3]);
});

/**
 * `source` sends a number to `ping`; `ping` and `pong` send each other one less each time; 0 goes from `pong` to `source`.
 * `other`, on another thread, sends to `ping`, too.
 */
async function startPingPong(seen: string[]): Promise<ByHand> {
  const ping = defineMsu({
    name: 'ping',
    in: { take: receives(number) },
    out: { pong: sends(number) },
    create: (context) => ({
      take: (left) => {
        seen.push('ping begins');
        context.out.pong.send(left - 1);
        seen.push('ping ends');
      },
    }),
  });
  const pong = defineMsu({
    name: 'pong',
    in: { take: receives(number) },
    out: { ping: sends(number), back: sends(number) },
    create: (context) => ({
      take: (left) => {
        seen.push('pong');
        if (left > 0) context.out.ping.send(left - 1);
        else context.out.back.send(0);
      },
    }),
  });
  const source = defineMsu({
    name: 'source',
    in: { back: receives(number) },
    out: { ping: sends(number) },
    create: () => ({
      back: () => {
        seen.push('back');
      },
    }),
  });
  const other = defineMsu({ name: 'other', out: { ping: sends(number) }, create: () => ({}) });
  const edges = [
    connect(source.out.ping, ping.in.take),
    connect(other.out.ping, ping.in.take),
    connect(ping.out.pong, pong.in.take),
    connect(pong.out.ping, ping.in.take),
    connect(pong.out.back, source.in.back),
  ];
  const app = defineApp({ name: 'ping-pong', msus: [source, other, ping, pong], edges });
  const hands = await startByHand(app, [['source', 'ping', 'pong'], ['other']]);
  runTurns(hands);
  hands.clock.nowMs += 1;
  return hands;
}

test('in a lull what is sent is served before the send returns, and what that leads to after it', async () => {
  const seen: string[] = [];
  const hands = await startPingPong(seen);
  let turnsWanted = 0;
  hands.threads[0]!.onTurnWanted = () => turnsWanted++;
  send(hands, 'ping', 1);
  assert.deepEqual(seen, ['ping begins', 'ping ends', 'pong']);
  for (const name of ['ping', 'pong']) {
    const { stats } = hands.instance(name);
    assert.equal(stats[InstanceFloat.localAccepted], 1);
    assert.equal(stats[InstanceFloat.localEnds], 1);
    assert.equal(stats[InstanceFloat.runningSince], 0);
  }
  // What comes back to whoever has sent it must not run within its own code.
  assert.equal(hands.instance('source').waiting, 1);
  assert.equal(turnsWanted, 1);
  runTurns(hands);
  assert.deepEqual(seen.slice(3), ['back']);
});

test('what is served at once and awaited may expire: the thread wakes for it', async () => {
  const slow = defineMsu({
    name: 'slow',
    execution: 'async',
    runLimitMs: 50,
    in: { take: receives(number), answer: serves(number, number) },
    create: () => ({ take: () => new Promise<void>(() => {}), answer: () => new Promise<number>(() => {}) }),
  });
  const source = defineMsu({
    name: 'source',
    out: { take: sends(number), ask: requests(number, number, { timeoutMs: 20 }) },
    create: () => ({}),
  });
  const edges = [connect(source.out.take, slow.in.take), connect(source.out.ask, slow.in.answer)];
  const outcomes: string[] = [];
  const sendings = {
    take: (hands: ByHand) => send(hands, 'take', 1),
    ask: (hands: ByHand) =>
      hands.out<RequestPort<number, number>>('source', 'ask').ask(1, ({ outcome }) => outcomes.push(outcome)),
  };
  for (const [name, begin] of Object.entries(sendings)) {
    const hands = await startByHand(defineApp({ name: 'slow', msus: [source, slow], edges }), [
      ['source', 'slow'],
    ]);
    runTurns(hands);
    hands.clock.nowMs += 1;
    const thread = hands.threads[0]!;
    let turnsWanted = 0;
    thread.onTurnWanted = () => turnsWanted++;
    begin(hands);
    assert.equal(hands.instance('slow').inProgress, 1, 'served at once');
    assert.ok(turnsWanted > 0);
    const limits = { take: 50, ask: 20 };
    assert.equal(thread.nextDueAtMs(), hands.clock.nowMs + limits[name as keyof typeof limits]);
    hands.clock.nowMs += 60;
    runTurns(hands);
    assert.equal(hands.instance('slow').inProgress, 0, 'ended by its run limit');
  }
  assert.deepEqual(outcomes, ['timeout']);
});

test('what is served at once rings for what it sends, and needs no turn for that', async () => {
  const there = defineMsu({
    name: 'there',
    in: { take: receives(number) },
    create: () => ({ take: () => {} }),
  });
  const here = defineMsu({
    name: 'here',
    in: { take: receives(number) },
    out: { on: sends(number) },
    create: ({ out }) => ({ take: (payload) => void out.on.send(payload) }),
  });
  const source = defineMsu({ name: 'source', out: { take: sends(number) }, create: () => ({}) });
  const edges = [connect(source.out.take, here.in.take), connect(here.out.on, there.in.take)];
  const hands = await startByHand(defineApp({ name: 'rings', msus: [source, here, there], edges }), [
    ['source', 'here'],
    ['there'],
  ]);
  runTurns(hands);
  const [near, far] = hands.threads;
  let turnsWanted = 0;
  near!.onTurnWanted = () => turnsWanted++;
  const bell = far!.block.words[ThreadWord.bell] as number;

  hands.clock.nowMs += 1;
  send(hands, 'take', 1);
  assert.equal(far!.block.words[ThreadWord.bell], bell + 1);
  assert.equal(turnsWanted, 0);

  for (let close = 0; close < closeMax; close++) send(hands, 'take', 2);
  const rung = bell + 1 + closeMax;
  assert.equal(far!.block.words[ThreadWord.bell], rung);
  assert.equal(turnsWanted, 0);

  send(hands, 'take', 3);
  assert.equal(far!.block.words[ThreadWord.bell], rung, 'it waits for its turn');
  assert.equal(turnsWanted, 1);
  runTurns(hands);
  assert.equal(far!.block.words[ThreadWord.bell], rung + 1);
});

test('who waits for a reply hears of it before an event that may be long', async () => {
  const seen: number[] = [];
  let hands: ByHand;
  let bell = 0;
  const server = (name: string, runLimitMs: number) =>
    defineMsu({
      name,
      runLimitMs,
      in: { answer: serves(number, number) },
      create: () => ({
        answer: (payload) => {
          seen.push((hands.threads[0]!.block.words[ThreadWord.bell] as number) - bell);
          return payload;
        },
      }),
    });
  const limited = server('limited', 1_000);
  const free = server('free', 0);
  const source = defineMsu({
    name: 'source',
    out: { limited: requests(number, number), free: requests(number, number) },
    create: () => ({}),
  });
  const edges = [connect(source.out.limited, limited.in.answer), connect(source.out.free, free.in.answer)];
  hands = await startByHand(defineApp({ name: 'heard', msus: [source, limited, free], edges }), [
    ['source'],
    ['limited', 'free'],
  ]);
  const [near, far] = hands.threads;
  const ask = (port: string, times: number): void => {
    for (let i = 0; i < times; i++) hands.out<RequestPort<number, number>>('source', port).ask(i, () => {});
    while (near!.turn());
    seen.length = 0;
    bell = near!.block.words[ThreadWord.bell] as number;
    while (far!.turn());
    while (near!.turn());
  };
  ask('limited', 4);
  assert.deepEqual(seen, [0, 1, 2, 3]);
  // By and by they are known to be short: time stands still.
  ask('free', 200);
  assert.equal(seen[1], 1, 'at first it is taken to be long');
  ask('free', 4);
  assert.deepEqual(seen, [0, 0, 0, 0]);
});

test('one send does not have messages served for ever', async () => {
  const seen: string[] = [];
  const hands = await startPingPong(seen);
  send(hands, 'ping', 99);
  const served = seen.length;
  assert.ok(served < 20, `${served}`);
  runTurns(hands);
  assert.deepEqual(seen, [...Array(50)].flatMap(() => ['ping begins', 'ping ends', 'pong']).concat('back'));
});

test('what is sent waits for a turn after another service, behind what waits, and where a bell has rung', async () => {
  const seen: string[] = [];
  const hands = await startPingPong(seen);
  const [thread] = hands.threads;
  const servesAtOnce = (): boolean => {
    seen.length = 0;
    send(hands, 'ping', 1);
    const isServed = seen.length > 0;
    runTurns(hands);
    assert.deepEqual(seen, ['ping begins', 'ping ends', 'pong', 'back']);
    return isServed;
  };
  assert.equal(servesAtOnce(), true);
  for (let close = 0; close < closeMax; close++) assert.equal(servesAtOnce(), true, 'a few may come close');
  for (let more = 0; more < 10; more++) assert.equal(servesAtOnce(), false, 'just after a turn');
  hands.clock.nowMs += 1;
  assert.equal(servesAtOnce(), true);

  hands.clock.nowMs += 1;
  thread!.lanesChanged();
  assert.equal(servesAtOnce(), false, 'lanes are to be looked at');
  hands.clock.nowMs += 1;
  Atomics.add(thread!.block.words, ThreadWord.bell, 1);
  assert.equal(servesAtOnce(), false, 'the bell has rung');

  hands.clock.nowMs += 1;
  hands.instance('pong').enqueueTimer(() => undefined, 0);
  assert.equal(servesAtOnce(), false, 'something waits');

  // It is in a lane, its sender has not rung yet, and somebody has looked: as is done before a key goes another way.
  hands.clock.nowMs += 1;
  hands.out<SendPort<number>>('other', 'ping').send(1);
  hands.instance('ping').poll();
  seen.length = 0;
  send(hands, 'ping', 1);
  assert.deepEqual(seen, [], 'something waits in a lane');
  runTurns(hands);
  const once = ['ping begins', 'ping ends', 'pong', 'back'];
  assert.deepEqual([...seen].sort(), [...once, ...once].sort());
});

test('replies, notices and timers are noticed as soon as they are in an inbox', async () => {
  const seen: string[] = [];
  const sink = defineMsu({
    name: 'sink',
    in: { double: serves(number, number), fail: receives(number) },
    create: () => ({
      double: (payload) => payload * 2,
      fail: () => {
        throw new Error('as asked');
      },
    }),
  });
  const source = defineMsu({
    name: 'source',
    out: { ask: requests(number, number), fail: sends(number) },
    timers: { once: { periodMs: 0, delayMs: 5 } },
    create: () => ({
      once: () => {
        seen.push('timer');
      },
      onError: ({ reason }) => {
        seen.push(reason);
      },
    }),
  });
  const edges = [connect(source.out.ask, sink.in.double), connect(source.out.fail, sink.in.fail)];
  const hands = await startByHand(defineApp({ name: 'noticed', msus: [source, sink], edges }), [
    ['source', 'sink'],
  ]);
  runTurns(hands);

  hands.out<RequestPort<number, number>>('source', 'ask').ask(21, (reply) => {
    seen.push(reply.outcome === 'done' ? `reply ${reply.value}` : reply.outcome);
  });
  runTurns(hands);
  assert.deepEqual(seen, ['reply 42']);
  send(hands, 'fail', 1);
  runTurns(hands);
  assert.deepEqual(seen, ['reply 42', 'handler-error']);
  hands.context('source').timers.once!.start();
  hands.clock.nowMs += 5;
  runTurns(hands);
  assert.deepEqual(seen, ['reply 42', 'handler-error', 'timer']);
});

test('a thread wakes for what is due, and for what may expire only while something may', async () => {
  // Whom it asks is elsewhere, and has no turn.
  const hands = await startByHand(app([]), [['source', 'second', 'third'], ['first']]);
  const thread = hands.threads[0]!;
  runTurns(hands);
  assert.equal(thread.nextDueAtMs(), Number.POSITIVE_INFINITY);

  const ran: string[] = [];
  thread.after(30, () => ran.push('late'));
  thread.after(20, () => ran.push('early'));
  assert.equal(thread.nextDueAtMs(), hands.clock.nowMs + 20);
  hands.clock.nowMs += 20;
  runTurns(hands);
  assert.deepEqual(ran, ['early']);
  assert.equal(thread.nextDueAtMs(), hands.clock.nowMs + 10);
  hands.clock.nowMs += 10;
  runTurns(hands);
  assert.deepEqual(ran, ['early', 'late']);
  assert.equal(thread.nextDueAtMs(), Number.POSITIVE_INFINITY);

  const outcomes: string[] = [];
  const ask = (): void =>
    hands.out<RequestPort<number, number>>('source', 'ask').ask(1, ({ outcome }) => outcomes.push(outcome));
  ask();
  const expiresAt = hands.clock.nowMs + 50;
  runTurns(hands);
  assert.equal(thread.nextDueAtMs(), expiresAt);
  hands.clock.nowMs += 1;
  ask();
  runTurns(hands);
  assert.equal(thread.nextDueAtMs(), expiresAt, 'the first of both');
  hands.clock.nowMs = expiresAt;
  runTurns(hands);
  assert.deepEqual(outcomes, ['timeout']);
  assert.equal(thread.nextDueAtMs(), expiresAt + 10, 'not for each that follows closely');
  hands.clock.nowMs += 10;
  runTurns(hands);
  assert.deepEqual(outcomes, ['timeout', 'timeout']);
  assert.equal(thread.nextDueAtMs(), Number.POSITIVE_INFINITY);
});
