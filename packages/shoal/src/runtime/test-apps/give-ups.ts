// A type whose first death is its last: every restart policy that does not restart, between two that live on.
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

const kind = value<string>();
const fall = (name: string, restart: { kind: 'permanent' | 'transient' | 'temporary'; intensity: number }) =>
  defineMsu({
    name,
    restart: { ...restart, periodMs: 60_000 },
    in: { run: serves(kind, kind) },
    out: { said: sends(kind) },
    create: ({ out }) => ({
      run: (text) => {
        out.said.send(text);
        return process.exit(0);
      },
    }),
  });
const used = fall('used', { kind: 'permanent', intensity: 0 });
const ended = fall('ended', { kind: 'transient', intensity: 10 });
const once = fall('once', { kind: 'temporary', intensity: 10 });

const client = defineMsu({
  name: 'client',
  timers: { tick: { periodMs: 10 } },
  out: { used: requests(kind, kind), ended: requests(kind, kind), once: requests(kind, kind) },
  create: ({ out, count }) => ({
    tick() {
      for (const port of [out.used, out.ended, out.once]) port.ask('go', ({ outcome }) => count(outcome));
    },
  }),
});
const sink = defineMsu({
  name: 'sink',
  in: { said: receives(kind) },
  create: ({ count }) => ({ said: () => count('said') }),
});

const app: App = defineApp({
  name: 'give-ups',
  msus: [client, used, ended, once, sink],
  edges: [
    connect(client.out.used, used.in.run),
    connect(client.out.ended, ended.in.run),
    connect(client.out.once, once.in.run),
    connect(used.out.said, sink.in.said),
    connect(ended.out.said, sink.in.said),
    connect(once.out.said, sink.in.said),
  ],
});
export default app;
