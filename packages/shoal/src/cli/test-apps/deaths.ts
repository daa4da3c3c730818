// Types whose only instance ends its thread when it is told to, each with a restart policy of its own; and who tells them.
import {
  type App,
  connect,
  defineApp,
  defineMsu,
  type RestartPolicy,
  record,
  requests,
  serves,
} from '../../model/index.ts';

const order = record({ exitCode: 'number' });
/** Ends nothing. */
const stay = -1;

function mortal(name: string, restart: Partial<RestartPolicy>) {
  return defineMsu({
    name,
    restart,
    // With a run limit it has a thread of its own: they are not to die of each other.
    runLimitMs: 60_000,
    in: { order: serves(order, order) },
    create: () => ({
      order: (told) => (told.exitCode === stay ? told : process.exit(told.exitCode)),
    }),
  });
}

const longMs = 600_000;
const permanent = mortal('permanent', { intensity: 3, periodMs: longMs });
const transient = mortal('transient', { kind: 'transient', intensity: 3, periodMs: longMs });
const temporary = mortal('temporary', { kind: 'temporary' });
const fatal = mortal('fatal', { intensity: 0, periodMs: longMs });
/** May be killed once in a while; the period is long for a restart, and short for a test. */
const fragile = mortal('fragile', { intensity: 1, periodMs: 3_000 });

const ask = requests(order, order);
const driver = defineMsu({
  name: 'driver',
  execution: 'async',
  timers: { begin: { periodMs: 0, delayMs: 1 } },
  out: { permanent: ask, transient: ask, temporary: ask, fatal: ask, fragile: ask },
  create: ({ out, log }) => {
    const tell = async (name: keyof typeof out, exitCode: number): Promise<string> => {
      const reply = await out[name].request({ exitCode });
      return 'reason' in reply ? `${reply.outcome}: ${reply.reason}` : reply.outcome;
    };
    const untilServed = async (name: keyof typeof out): Promise<void> => {
      while ((await tell(name, stay)) !== 'done') await new Promise((resolve) => setTimeout(resolve, 20));
    };
    return {
      async begin() {
        const names = ['permanent', 'transient', 'temporary', 'fatal', 'fragile'] as const;
        for (const name of names) await untilServed(name);
        for (const exitCode of [1, 0]) {
          const died = await tell('permanent', exitCode);
          log('info', `permanent after ${exitCode}`, { died, outcome: await tell('permanent', stay) });
        }
        await tell('transient', 1);
        log('info', 'transient after 1', { outcome: await tell('transient', stay) });
        await tell('transient', 0);
        await tell('temporary', 1);
        await tell('fatal', 1);
        await tell('fragile', 1);
        await tell('fragile', 1);
        await untilServed('fragile');
        log('info', 'fragile again', {});
      },
    };
  },
});

const app: App = defineApp({
  name: 'deaths',
  msus: [driver, permanent, transient, temporary, fatal, fragile],
  edges: [
    connect(driver.out.permanent, permanent.in.order),
    connect(driver.out.transient, transient.in.order),
    connect(driver.out.temporary, temporary.in.order),
    connect(driver.out.fatal, fatal.in.order),
    connect(driver.out.fragile, fragile.in.order),
  ],
});
export default app;
