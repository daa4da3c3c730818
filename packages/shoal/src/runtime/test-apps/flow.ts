// A source that sends whenever it can, workers that take a moment, and a sink that counts: for tests of commands.
import {
  type App,
  connect,
  defineApp,
  defineMsu,
  receives,
  requests,
  sends,
  serves,
  value,
} from '../../model/index.ts';

const number = value<number>();

const source = defineMsu({
  name: 'source',
  timers: { tick: { periodMs: 1 } },
  out: { work: sends(number), ask: requests(number, number) },
  create: (context) => {
    let next = 0;
    return {
      tick: () => {
        for (let i = 0; i < 5; i++) {
          context.count(context.out.work.send(next++, { flowKey: next }) === 'accepted' ? 'sent' : 'refused');
          context.out.ask.ask(next, (reply) => context.count(reply.outcome));
        }
      },
    };
  },
});

const worker = defineMsu({
  name: 'worker',
  execution: 'async',
  concurrency: 2,
  in: { work: receives(number), ask: serves(number, number) },
  out: { on: sends(number) },
  create: (context) => ({
    async work(n) {
      if (n % 50 === 0) await new Promise((resolve) => setTimeout(resolve, 5));
      context.count(
        context.out.on.send(n, { delayMs: n % 20 === 0 ? 20 : 0 }) === 'accepted' ? 'passed' : 'refused',
      );
    },
    ask: (n) => n,
  }),
});

const sink = defineMsu({
  name: 'sink',
  in: { take: receives(number) },
  create: (context) => ({ take: () => context.count('taken') }),
});

/** Neither ends its event nor ever lets go. */
const stubborn = defineMsu({
  name: 'stubborn',
  execution: 'async',
  in: { hold: serves(number, number) },
  create: () => ({ hold: () => new Promise<number>(() => {}) }),
});

const asker = defineMsu({
  name: 'asker',
  timers: { begin: { periodMs: 0, delayMs: 1 } },
  out: { hold: requests(number, number, { timeoutMs: 60_000 }) },
  create: (context) => ({
    begin: () => {
      for (let i = 0; i < 3; i++)
        context.out.hold.ask(i, (reply) => context.log('info', 'result', { name: `held ${i}`, reply }));
    },
  }),
});

const app: App = defineApp({
  name: 'flow',
  msus: [source, worker, sink, asker, stubborn],
  edges: [
    connect(source.out.work, worker.in.work, { routing: 'round-robin' }),
    connect(source.out.ask, worker.in.ask),
    connect(worker.out.on, sink.in.take),
    connect(asker.out.hold, stubborn.in.hold),
  ],
});
export default app;
