// A type whose states move in awkward ways, asked from outside through a channel.
import {
  type App,
  connect,
  defineApp,
  defineMsu,
  type Key,
  requests,
  serves,
  value,
} from '../../model/index.ts';

/** Questions to, and answers from, the driver. */
export const movingChannel = 'shoal-test-moving';

/** `exit`: the thread of the instance that gets it ends. */
export type What = 'put' | 'get' | 'drop' | 'exit';
export interface Question {
  readonly id: number;
  readonly key: Key;
  readonly what: What;
}
export interface Answer {
  readonly answers: number;
  readonly outcome: string;
  readonly instance: number;
  readonly state: string | null;
}

/** What becomes of the state of a key: by the remainder of its division by 10. */
export const fates = [
  'moves',
  'moves',
  'moves',
  'moves',
  'throws',
  'awaits',
  'large',
  'cyclic',
  'taken',
  'lost',
] as const;
export const fateOf = (key: Key): (typeof fates)[number] => fates[key % fates.length] ?? 'moves';

const kept = value<{ instance: number; state: string | null }>();

const driver = defineMsu({
  name: 'driver',
  execution: 'async',
  timers: { begin: { periodMs: 0, delayMs: 1 } },
  out: { ask: requests(value<What>(), kept, { timeoutMs: 10_000 }) },
  create: (context) => {
    const channel = new BroadcastChannel(movingChannel);
    return {
      begin: () => {
        channel.onmessage = (event) => {
          const question = (event as { data: Question | Answer }).data;
          if (!('what' in question)) return;
          const { id, key, what } = question;
          context.out.ask.ask(
            what,
            (reply) => {
              const value = reply.outcome === 'done' ? reply.value : { instance: 0, state: null };
              channel.postMessage({ answers: id, outcome: reply.outcome, ...value } satisfies Answer);
            },
            { flowKey: key },
          );
        };
        context.log('info', 'result', { name: 'listening' });
      },
      onClose: () => channel.close(),
    };
  },
});

const keeper = defineMsu({
  name: 'keeper',
  state: 'keyed',
  in: { ask: serves(value<What>(), kept) },
  create: (context) => {
    const states = context.states<unknown>();
    return {
      ask: (what, { flowKey }) => {
        if (what === 'exit') process.exit(1);
        if (what === 'put') states.set(flowKey, `state ${flowKey}`);
        if (what === 'drop') states.delete(flowKey);
        return { instance: context.instanceId, state: (states.get(flowKey) as string | undefined) ?? null };
      },
      exportState: (key) => {
        const state = states.get(key);
        const cyclic: Record<string, unknown> = {};
        cyclic.self = cyclic;
        switch (fateOf(key)) {
          case 'throws':
            throw new Error('on purpose');
          case 'awaits':
            return Promise.resolve(state);
          case 'large':
            states.delete(key);
            return 'x'.repeat(300_000);
          case 'cyclic':
            return cyclic;
          case 'taken':
            states.delete(key);
            return state;
          default:
            return state;
        }
      },
      importState: (key, state) => {
        if (fateOf(key) === 'lost') throw new Error('on purpose');
        states.set(key, fateOf(key) === 'large' ? `state ${key}` : state);
      },
    };
  },
});

const app: App = defineApp({
  name: 'moving',
  msus: [driver, keeper],
  edges: [connect(driver.out.ask, keeper.in.ask)],
});
export default app;
