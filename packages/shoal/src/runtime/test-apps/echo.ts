// A caller that sends requests to an echo on another thread, and counts what came back.
import {
  type App,
  bytes,
  connect,
  defineApp,
  defineMsu,
  receives,
  record,
  requests,
  sends,
  serves,
} from '../../model/index.ts';

const query = record({ text: 'string', number: 'number' });

const echo = defineMsu({
  name: 'echo',
  in: { ask: serves(query, query), tell: receives(bytes()) },
  create: (context) => ({
    ask: (q) => ({ text: q.text, number: q.number + 1 }),
    tell: (payload) => context.count('told', payload.length),
  }),
});

const caller = defineMsu({
  name: 'caller',
  execution: 'async',
  timers: { begin: { periodMs: 0, delayMs: 1 } },
  out: { ask: requests(query, query), tell: sends(bytes()) },
  create: (context) => ({
    async begin() {
      for (let i = 0; i < 100; i++) {
        const reply = await context.out.ask.request({ text: `hello ${i}`, number: i });
        if (reply.outcome === 'done' && reply.value.number === i + 1 && reply.value.text === `hello ${i}`) {
          context.count('right');
        } else context.count('wrong');
        context.out.tell.send(Buffer.alloc(i * 100));
      }
    },
  }),
});

const app: App = defineApp({
  name: 'echo',
  msus: [caller, echo],
  edges: [connect(caller.out.ask, echo.in.ask), connect(caller.out.tell, echo.in.tell)],
});
export default app;
