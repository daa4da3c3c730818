// A type that fills a pool of ten, and never gives back what it holds; and who makes it do so.
import { type App, bytes, connect, defineApp, defineMsu, receives, sends } from '../../model/index.ts';

const limit = 10;

const holder = defineMsu({
  name: 'holder',
  execution: 'async',
  concurrency: 64,
  resources: [{ name: 'sessions', limit }, 'memory'],
  in: { hold: receives(bytes()) },
  create: ({ use, log }) => {
    for (const [resource, amount] of [
      ['session', 1],
      ['sessions', -1],
      ['sessions', Number.NaN],
    ] as const) {
      try {
        use(resource, amount);
      } catch (error) {
        log('info', (error as Error).message);
      }
    }
    use('memory', 4_096);
    let held = 0;
    return {
      async hold() {
        if (held === limit) return;
        held++;
        use('sessions', 1);
        await new Promise(() => {});
      },
    };
  },
});

const driver = defineMsu({
  name: 'driver',
  timers: { tick: { periodMs: 10 } },
  out: { hold: sends(bytes()) },
  create: ({ out }) => ({
    tick: () => {
      out.hold.send(Buffer.alloc(1));
    },
  }),
});

const app: App = defineApp({
  name: 'pool',
  msus: [driver, holder],
  edges: [connect(driver.out.hold, holder.in.hold)],
});
export default app;
