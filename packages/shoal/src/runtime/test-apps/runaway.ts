// Code that runs away or falls over in every way there is, and a client that asks for it.
import { createHash, pbkdf2Sync, scryptSync } from 'node:crypto';
import * as fs from 'node:fs';
import { gunzipSync, gzipSync } from 'node:zlib';
import {
  type App,
  connect,
  defineApp,
  defineMsu,
  type RequestPort,
  requests,
  serves,
  value,
} from '../../model/index.ts';

const kind = value<string>();

/** Set by the test: a named pipe that nobody writes to. */
export const pipeVariable = 'SHOAL_TEST_PIPE';

const forever = (run: () => void): void => {
  for (;;) run();
};

/** In a handler that returns nothing but later, or never. */
export const syncKinds: Readonly<Record<string, () => unknown>> = {
  regex: () => /^(?:a+)+$/.test(`${'a'.repeat(45)}!`),
  'endless loop': () => {
    let n = 0;
    while (n >= 0) n = (n + 1) % 1_000;
  },
  'empty for': () => {
    for (;;);
  },
  'JSON.parse': () => {
    const text = JSON.stringify(Array.from({ length: 200_000 }, (_, i) => ({ i })));
    forever(() => JSON.parse(text));
  },
  'gunzipSync of a bomb': () => {
    const bomb = gzipSync(Buffer.alloc(2 ** 26));
    forever(() => gunzipSync(bomb));
  },
  'arrays filled in a loop': () => {
    const kept: unknown[] = [];
    forever(() => {
      kept[0] = new Array(1_000).fill(kept.length);
    });
  },
  'string that grows': () => {
    let text = '';
    forever(() => {
      text += 'x';
      if (text.length > 2 ** 22) text = '';
    });
  },
  'sort with a bad comparator': () => {
    const numbers = Array.from({ length: 100_000 }, (_, i) => i);
    forever(() => numbers.sort(() => Math.random() - 0.5));
  },
  'BigInt power': () => 7n ** 30_000_000n,
  'Atomics.wait': () => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0),
  'deep recursion that tries again': () => {
    const recurse = (): void => {
      try {
        recurse();
      } finally {
        recurse();
      }
    };
    recurse();
  },
  structuredClone: () => {
    const object = { list: Array.from({ length: 10_000 }, (_, i) => [i]) };
    forever(() => structuredClone(object));
  },
  generator: () => {
    function* count(): Generator<number> {
      for (let i = 0; ; i++) yield i;
    }
    for (const i of count()) if (i < 0) return;
  },
  'Proxy traps': () => {
    const proxy: Record<string, number> = new Proxy({}, { get: () => 1 });
    forever(() => proxy.x);
  },
  'Array.from': () => forever(() => Array.from({ length: 2 ** 20 }, (_, i) => i)),
  TextDecoder: () => {
    const bytes = Buffer.alloc(2 ** 20, 'ä');
    forever(() => new TextDecoder().decode(bytes));
  },
  Intl: () => forever(() => new Intl.NumberFormat('de').format(Math.random())),
  hash: () => {
    const bytes = Buffer.alloc(2 ** 20);
    forever(() => createHash('sha256').update(bytes).digest());
  },
  pbkdf2Sync: () => pbkdf2Sync('password', 'salt', 500_000, 64, 'sha512'),
  scryptSync: () => scryptSync('password', 'salt', 64, { N: 2 ** 17, r: 8, p: 1, maxmem: 2 ** 30 }),
  'read of a pipe': () => fs.readFileSync(process.env[pipeVariable] ?? '/dev/null'),
};

/** In a handler that has returned a promise. */
export const asyncKinds: Readonly<Record<string, () => Promise<unknown>>> = {
  // Not a chain of promises: that grows, and may reach the limit of the heap first.
  microtasks: () =>
    new Promise(() => {
      const again = (): void => queueMicrotask(again);
      again();
    }),
  'async loop': async () => {
    for (;;) await null;
  },
  'loop after an await': async () => {
    await new Promise((resolve) => setTimeout(resolve, 1));
    for (;;);
  },
};

/** Not runaways but crashes; what their message comes to. */
export const crashes: Readonly<Record<string, { run: () => unknown; outcome: string }>> = {
  throws: {
    run: () => {
      throw new Error('on purpose');
    },
    outcome: 'failed: handler-error',
  },
  'stack overflow': {
    run: () => {
      const recurse = (): number => recurse() + 1;
      return recurse();
    },
    outcome: 'failed: handler-error',
  },
  'process.exit': { run: () => process.exit(7), outcome: 'failed: thread-lost' },
  'exit with 0': { run: () => process.exit(0), outcome: 'failed: thread-lost' },
  'heap overflow': {
    run: () => {
      const hoard: unknown[] = [];
      forever(() => hoard.push(new Array(1_000).fill(hoard.length)));
    },
    outcome: 'failed: thread-lost',
  },
  'unhandled rejection': {
    run: () => {
      void Promise.reject(new Error('nobody looks'));
      return 'fine';
    },
    outcome: 'done',
  },
};

export const runLimitMs = 100;

/** Which kinds the app at this URL runs: all, or a third of them where its query says `few`. */
export function kindsOf(url: URL): { async: readonly string[]; sync: readonly string[] } {
  const some = (names: string[]): string[] =>
    names.filter((_, at) => !url.searchParams.has('few') || at % 3 === names.length % 3);
  return { async: some(Object.keys(asyncKinds)), sync: some(Object.keys(syncKinds)) };
}
const kinds = kindsOf(new URL(import.meta.url));

const restart = { intensity: 1_000, periodMs: 1_000 };

const victim = defineMsu({
  name: 'victim',
  runLimitMs,
  restart,
  in: { run: serves(kind, kind) },
  create: () => ({ run: (name) => String(syncKinds[name]?.() ?? 'fine') }),
});

const asyncVictim = defineMsu({
  name: 'async-victim',
  execution: 'async',
  runLimitMs,
  restart,
  in: { run: serves(kind, kind) },
  create: () => ({ run: async (name) => String((await asyncKinds[name]?.()) ?? 'fine') }),
});

const faller = defineMsu({
  name: 'faller',
  restart,
  in: { run: serves(kind, kind) },
  create: () => ({ run: (name) => String(crashes[name]?.run() ?? 'fine') }),
});

/** Three deaths, and no more of it. */
const fragile = defineMsu({
  name: 'fragile',
  restart: { intensity: 2, periodMs: 60_000 },
  in: { run: serves(kind, kind) },
  create: () => ({ run: () => process.exit(1) }),
});

const holder = defineMsu({
  name: 'holder',
  execution: 'async',
  concurrency: 5,
  restart,
  in: { run: serves(kind, kind) },
  create: () => ({
    run: async (name) => {
      if (name === 'fine') return 'fine';
      await new Promise((resolve) => setTimeout(resolve, name === 'exit' ? 30 : 60_000));
      return process.exit(2);
    },
  }),
});

const run = requests(kind, kind, { timeoutMs: 30_000 });

const client = defineMsu({
  name: 'client',
  execution: 'async',
  timers: { begin: { periodMs: 0, delayMs: 1 } },
  out: { victim: run, asyncVictim: run, faller: run, fragile: run, holder: run },
  create: (context) => {
    const { out } = context;
    const ask = async (port: RequestPort<string, string>, name: string): Promise<string> => {
      const reply = await port.request(name);
      return 'reason' in reply ? `${reply.outcome}: ${reply.reason}` : reply.outcome;
    };
    /** Asks for trouble, and at once for something that waits behind it. */
    const provoke = async (port: RequestPort<string, string>, names: readonly string[]): Promise<void> => {
      for (const name of names) {
        const sentAtMs = context.now();
        const [outcome, behind] = await Promise.all([ask(port, name), ask(port, 'fine')]);
        context.log('info', 'result', { name, sentAtMs, outcome, behind });
      }
    };
    return {
      async begin() {
        const several = Promise.all(['hold', 'hold', 'hold', 'exit'].map((name) => ask(out.holder, name)));
        const many = Promise.all(Array.from({ length: 10 }, () => ask(out.fragile, 'exit')));
        context.log('info', 'result', { name: 'several', outcomes: await several });
        context.log('info', 'result', { name: 'after several', outcome: await ask(out.holder, 'fine') });
        context.log('info', 'result', { name: 'many', outcomes: await many });
        await provoke(out.faller, Object.keys(crashes));
        await provoke(out.asyncVictim, kinds.async);
        await provoke(out.victim, kinds.sync);
        context.log('info', 'result', { name: 'end' });
      },
    };
  },
});

/** Looks how long others keep it waiting. */
const pulse = defineMsu({
  name: 'pulse',
  timers: { beat: { periodMs: 5 } },
  create: (context) => {
    let last = 0;
    let longest = 0;
    return {
      beat: () => {
        const now = context.now();
        context.count('beats');
        if (last > 0 && now - last > longest) {
          context.count('longest gap', now - last - longest);
          longest = now - last;
        }
        last = now;
      },
    };
  },
});

const app: App = defineApp({
  name: 'runaway',
  msus: [client, victim, asyncVictim, faller, fragile, holder, pulse],
  edges: [
    connect(client.out.victim, victim.in.run),
    connect(client.out.asyncVictim, asyncVictim.in.run),
    connect(client.out.faller, faller.in.run),
    connect(client.out.fragile, fragile.in.run),
    connect(client.out.holder, holder.in.run),
  ],
});
export default app;
