// Handlers that await what does not come, or comes too late; and one that must be removed while it runs away.
import {
  type App,
  connect,
  defineApp,
  defineMsu,
  type Reply,
  receives,
  requests,
  sends,
  serves,
  value,
} from '../../model/index.ts';

const kind = value<string>();
const anything = value<unknown>();
const runLimitMs = 100;

/** What handlers of this thread await: it comes when a message says so. */
function createPeer(): { answer(name: string): unknown } {
  const waiting: (() => void)[] = [];
  return {
    answer(name) {
      if (name === 'fine') return 'fine';
      if (name === 'come late') {
        for (const come of waiting.splice(0)) come();
        return 'fine';
      }
      if (name === 'never') return new Promise(() => {});
      return new Promise((resolve, reject) => {
        waiting.push(() => (name === 'late' ? resolve('late') : reject(new Error('too late'))));
      });
    },
  };
}

const one = defineMsu({
  name: 'one',
  execution: 'async',
  runLimitMs,
  in: { run: serves(kind, anything), tell: receives(kind) },
  create() {
    const peer = createPeer();
    return {
      run: (name) => peer.answer(name),
      tell: async (name) => {
        await peer.answer(name);
      },
    };
  },
});

const several = defineMsu({
  name: 'several',
  execution: 'async',
  concurrency: 3,
  runLimitMs,
  in: { run: serves(kind, anything), tell: receives(kind) },
  create() {
    const peer = createPeer();
    return {
      run: (name) => peer.answer(name),
      tell: async (name) => {
        await peer.answer(name);
      },
    };
  },
});

/** As `isolate` makes of an async function of which one may run at a time. */
const isolated = defineMsu({
  name: 'isolated',
  runLimitMs,
  in: { run: serves(kind, anything) },
  create() {
    const peer = createPeer();
    return { run: (name) => peer.answer(name) };
  },
});

/** Without a run limit, what hangs hangs. */
const patient = defineMsu({
  name: 'patient',
  execution: 'async',
  concurrency: 8,
  queueMaxMessages: 8,
  in: { run: serves(kind, anything) },
  create() {
    const peer = createPeer();
    return { run: (name) => peer.answer(name) };
  },
});

/** Its limit leaves the time to try and remove it. */
const spinner = defineMsu({
  name: 'spinner',
  runLimitMs: 2_000,
  in: { run: serves(kind, kind) },
  create: () => ({
    run: (name) => {
      while (name === 'spin');
      return name;
    },
  }),
});

const run = requests(kind, anything, { timeoutMs: 20_000 });

const client = defineMsu({
  name: 'client',
  execution: 'async',
  timers: { begin: { periodMs: 0, delayMs: 1 } },
  out: {
    one: run,
    several: run,
    isolated: run,
    patient: requests(kind, anything),
    tellOne: sends(kind),
    tellSeveral: sends(kind),
    spinner: requests(kind, kind, { timeoutMs: 20_000 }),
  },
  create: ({ out, log }) => ({
    async begin() {
      const show = (reply: Reply<unknown>): string => {
        if ('reason' in reply) return `${reply.outcome}: ${reply.reason}`;
        return reply.outcome === 'done' ? String(reply.value) : reply.outcome;
      };
      const askAll = async (port: typeof out.one, names: string[]): Promise<string[]> =>
        (await Promise.all(names.map((name) => port.request(name)))).map(show);
      const spun = Promise.all(['spin', 'fine', 'fine'].map((name) => out.spinner.request(name)));
      void spun.then((replies) =>
        log('info', 'result', { name: 'spinner', outcomes: replies.map((reply) => show(reply)) }),
      );
      void out.patient.request('never');
      const served: string[] = [];
      for (let i = 0; i < 50; i++) served.push(show(await out.patient.request('fine')));
      log('info', 'result', { name: 'patient', outcomes: [...new Set(served)] });
      for (const [name, port] of [
        ['one', out.one],
        ['several', out.several],
        ['isolated', out.isolated],
      ] as const) {
        // What comes late comes after every limit: they need not end in one look, and a place is free after the first.
        const outcomes = await askAll(port, ['late', 'late error', 'never', 'fine']);
        outcomes.push(...(await askAll(port, ['come late', 'fine'])));
        log('info', 'result', { name, outcomes });
      }
      for (const name of ['never', 'never', 'never', 'never', 'fine']) {
        out.tellOne.send(name);
        out.tellSeveral.send(name);
      }
      log('info', 'result', { name: 'told' });
    },
  }),
});

const app: App = defineApp({
  name: 'hangs',
  msus: [client, one, several, isolated, patient, spinner],
  edges: [
    connect(client.out.one, one.in.run),
    connect(client.out.several, several.in.run),
    connect(client.out.isolated, isolated.in.run),
    connect(client.out.patient, patient.in.run),
    connect(client.out.tellOne, one.in.tell),
    connect(client.out.tellSeveral, several.in.tell),
    connect(client.out.spinner, spinner.in.run),
  ],
});
export default app;
