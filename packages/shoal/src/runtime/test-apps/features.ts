// One of everything that instances do with messages. The driver goes through it and logs what came of it.
import {
  type App,
  bytes,
  connect,
  defineApp,
  defineMsu,
  type ErrorNotice,
  hashKey,
  type InstanceId,
  type Message,
  publishes,
  type Reply,
  receives,
  requests,
  sends,
  serves,
  value,
} from '../../model/index.ts';

/** What a receiver saw of a message. */
export interface Seen {
  readonly instance: number;
  readonly flowKey: number;
  readonly clientKey: number;
  readonly origin: number;
  readonly sender: number;
  readonly provenance: readonly number[];
  readonly text: string;
}
type Text = { readonly text: string };
const text = value<Text>();
const seen = value<Seen>();

function see(instance: number, payload: Text, message: Message): Seen {
  const { flowKey, clientKey, origin, sender, provenance } = message;
  return { instance, flowKey, clientKey, origin, sender, provenance: [...provenance], text: payload.text };
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
function burn(ms: number): void {
  const endsAt = performance.now() + ms;
  while (performance.now() < endsAt);
}

const echo = defineMsu({
  name: 'echo',
  instances: { initial: 2 },
  in: { ask: serves(text, seen), blob: serves(bytes(), bytes()) },
  create: (context) => ({
    ask: (payload, message) => see(context.instanceId, payload, message),
    blob: (payload) => payload,
  }),
});

/** Asks the echo within the chain of what it was asked. */
const relay = defineMsu({
  name: 'relay',
  execution: 'async',
  in: { ask: serves(text, seen) },
  out: { on: requests(text, seen) },
  create: (context) => ({
    async ask(payload) {
      const reply = await context.out.on.request(payload);
      if (reply.outcome !== 'done') throw new Error(reply.outcome);
      return reply.value;
    },
  }),
});

const sleeper = defineMsu({
  name: 'sleeper',
  execution: 'async',
  concurrency: 3,
  in: { sleep: serves(value<number>(), value<number>()) },
  create: () => {
    let inProgress = 0;
    let most = 0;
    return {
      async sleep(ms) {
        inProgress++;
        most = Math.max(most, inProgress);
        await sleep(ms);
        inProgress--;
        return most;
      },
    };
  },
});

const burning = {
  in: { burn: serves(value<number>(), value<number>()) },
  create: () => ({
    burn: (ms: number) => {
      burn(ms);
      return ms;
    },
  }),
};

const slow = defineMsu({
  name: 'slow',
  deadlineMs: 40,
  queueMaxMessages: 8,
  ...burning,
});

/** Takes what its lane holds, or as much work as the deployment allows. */
const patient = defineMsu({ name: 'patient', ...burning });

const frugal = defineMsu({ name: 'frugal', queueMaxWorkMs: 15, ...burning });

/** One message is more work than may wait. */
const strict = defineMsu({ name: 'strict', queueMaxWorkMs: 1, ...burning });

const blocker = defineMsu({
  name: 'blocker',
  execution: 'blocking',
  in: { block: serves(value<number>(), value<string>()) },
  create: () => ({
    block: (ms) => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms),
  }),
});

const counter = defineMsu({
  name: 'counter',
  state: 'keyed',
  instances: { initial: 2 },
  in: { add: serves(value<number>(), value<{ instance: number; total: number }>()) },
  create: (context) => {
    const states = context.states<number>();
    return {
      add: (amount, message) => {
        const total = (states.get(message.flowKey) ?? 0) + amount;
        states.set(message.flowKey, total);
        return { instance: context.instanceId, total };
      },
    };
  },
});

const tally = defineMsu({
  name: 'tally',
  state: 'instance',
  in: { add: serves(value<number>(), value<number>()) },
  create: () => {
    let total = 0;
    return { add: (amount) => (total += amount) };
  },
});

const thrower = defineMsu({
  name: 'thrower',
  in: { fail: receives(text), ask: serves(text, text), badReply: serves(text, value<unknown>()) },
  create: () => ({
    fail: (payload) => {
      throw new RangeError(payload.text);
    },
    ask: (payload) => {
      throw new RangeError(payload.text);
    },
    badReply: () => {
      const cyclic: Record<string, unknown> = {};
      cyclic.self = cyclic;
      return cyclic;
    },
  }),
});

/** Upstream of the thrower, with an error handler; its twin has one too and handles nothing. */
const passer = defineMsu({
  name: 'passer',
  instances: { initial: 2 },
  in: { pass: receives(text) },
  out: { on: sends(text) },
  create: (context) => ({
    pass: (payload) => {
      context.count('passed');
      context.out.on.send(payload);
    },
    onError: (notice) => {
      context.count('told');
      context.log('info', 'notice', { notice });
    },
  }),
});

const left = defineMsu({
  name: 'left',
  in: { news: receives(text) },
  create: (context) => ({ news: () => context.count('news') }),
});
const right = defineMsu({
  name: 'right',
  instances: { initial: 2 },
  in: { news: receives(text) },
  create: (context) => ({ news: () => context.count('news') }),
});

const ticker = defineMsu({
  name: 'ticker',
  timers: {
    often: { periodMs: 5 },
    once: { periodMs: 0, delayMs: 1 },
    never: { periodMs: 2 },
    restarted: { periodMs: 0, delayMs: 60_000 },
  },
  create: (context) => ({
    often: () => context.count('often'),
    once: () => {
      context.count('once');
      context.timers.never.stop();
      context.timers.restarted.start(3);
      burn(6); // `never` is due by now, and is in the queue or not: it must not run either way.
      context.timers.never.stop();
    },
    never: () => context.count('never'),
    restarted: () => context.count('restarted'),
  }),
});

const driver = defineMsu({
  name: 'driver',
  execution: 'async',
  timers: { begin: { periodMs: 0, delayMs: 1 } },
  out: {
    echo: requests(text, seen),
    blob: requests(bytes(), bytes()),
    relay: requests(text, seen),
    sleep: requests(value<number>(), value<number>(), { timeoutMs: 60 }),
    burn: requests(value<number>(), value<number>()),
    patient: requests(value<number>(), value<number>()),
    frugal: requests(value<number>(), value<number>()),
    strict: requests(value<number>(), value<number>()),
    block: requests(value<number>(), value<string>()),
    count: requests(value<number>(), value<{ instance: number; total: number }>()),
    tally: requests(value<number>(), value<number>()),
    fail: requests(text, text),
    badReply: requests(text, value<unknown>()),
    pass: sends(text),
    news: publishes(text),
  },
  create: (context) => {
    const { out } = context;
    const result = (name: string, fields: Record<string, unknown>): void =>
      context.log('info', 'result', { name, ...fields });
    const notices: ErrorNotice[] = [];

    const carry = async (): Promise<void> => {
      const options = { flowKey: hashKey('flow'), clientKey: hashKey('client') };
      result('direct', { reply: await out.echo.request({ text: 'a' }, options), self: context.instanceId });
      result('chain', { reply: await out.relay.request({ text: 'b' }, options), self: context.instanceId });
    };
    const address = async (): Promise<void> => {
      const first = await out.echo.request({ text: '' });
      const to = (first.outcome === 'done' ? first.value.instance : 0) as InstanceId;
      const replies: number[] = [];
      for (let i = 0; i < 20; i++) {
        const reply = await out.echo.request({ text: '' }, { to });
        if (reply.outcome === 'done') replies.push(reply.value.instance);
      }
      const nobody = await out.echo.request({ text: '' }, { to: 9_999 as InstanceId });
      result('address', { to, replies, nobody });
    };
    const carryBytes = async (): Promise<void> => {
      const sizes = [0, 1, 150, 170, 4_096, 200 * 1_024, 256 * 1_024];
      const replies = await Promise.all(
        [...sizes, 200 * 1_024, 200 * 1_024, 200 * 1_024, 200 * 1_024].map(async (size) => {
          const reply = await out.blob.request(Buffer.alloc(size, size & 255));
          if (reply.outcome !== 'done') return { size, outcome: reply.outcome };
          const isRight = reply.value.length === size && reply.value.every((byte) => byte === (size & 255));
          return { size, outcome: isRight ? 'right' : 'wrong' };
        }),
      );
      const tooLarge = await out.blob.request(Buffer.alloc(256 * 1_024 + 1));
      result('bytes', { replies, tooLarge });
    };
    const runSlowly = async (): Promise<void> => {
      const naps = await Promise.all([5, 5, 5, 5, 5, 5].map((ms) => out.sleep.request(ms)));
      const late = await out.sleep.request(150);
      const burns = await Promise.all(Array.from({ length: 30 }, () => out.burn.request(12)));
      const accepted: Record<string, number> = {};
      for (const name of ['patient', 'frugal', 'strict'] as const) {
        await out[name].request(6); // Until then nobody knows what one costs.
        const replies = await Promise.all(Array.from({ length: 20 }, () => out[name].request(6)));
        accepted[name] = replies.filter(({ outcome }) => outcome !== 'refused').length;
      }
      const blocked = await out.block.request(10);
      result('slow', { naps, late, burns, accepted, blocked });
    };
    const keepStates = async (): Promise<void> => {
      const counts: Reply<{ instance: number; total: number }>[] = [];
      for (let round = 0; round < 3; round++) {
        for (let key = 1; key <= 40; key++) counts.push(await out.count.request(1, { flowKey: key * 7919 }));
      }
      const totals: Reply<number>[] = [];
      for (let i = 1; i <= 4; i++) totals.push(await out.tally.request(i));
      result('states', { counts, totals });
    };
    const fail = async (): Promise<void> => {
      const thrown = await out.fail.request({ text: 'on purpose' });
      const badReply = await out.badReply.request({ text: '' });
      const flowKey = 4711;
      for (let i = 0; i < 3; i++) out.pass.send({ text: 'further on' }, { flowKey });
      // The requests before may have left notices of their own.
      const arrived = (): number => notices.filter((notice) => notice.flowKey === flowKey).length;
      // However busy the machine is; and a little longer, for notices that should not come.
      for (let waitedMs = 0; arrived() < 3 && waitedMs < 5_000; waitedMs += 20) await sleep(20);
      await sleep(40);
      result('fail', { thrown, badReply, notices });
    };
    const sendLater = async (): Promise<void> => {
      const sentAt = context.now();
      const at = await new Promise<number>((resolve) =>
        out.echo.ask({ text: 'later' }, () => resolve(context.now()), { delayMs: 30 }),
      );
      out.news.publish({ text: 'at once' });
      out.news.publish({ text: 'later' }, { delayMs: 10 });
      out.echo.ask({ text: 5 as unknown as string }, () => {}, { delayMs: 1, to: 9_998 as InstanceId });
      // Does not fit its port: nobody is there to be told when it is due, and nothing else may suffer.
      out.blob.ask('no bytes' as unknown as Uint8Array, () => {}, { delayMs: 1 });
      await sleep(40);
      result('later', { tookMs: at - sentAt });
    };
    return {
      async begin() {
        for (const step of [carry, address, carryBytes, runSlowly, keepStates, fail, sendLater]) {
          try {
            await step();
          } catch (error) {
            result('threw', { step: step.name, error: String(error) });
          }
        }
        result('end', {});
      },
      onError: (notice) => {
        notices.push(notice);
      },
    };
  },
});

const app: App = defineApp({
  name: 'features',
  msus: [
    driver,
    echo,
    relay,
    sleeper,
    slow,
    patient,
    frugal,
    strict,
    blocker,
    counter,
    tally,
    thrower,
    passer,
    left,
    right,
    ticker,
  ],
  edges: [
    connect(driver.out.echo, echo.in.ask),
    connect(driver.out.blob, echo.in.blob, { routing: 'round-robin' }),
    connect(driver.out.relay, relay.in.ask),
    connect(relay.out.on, echo.in.ask),
    connect(driver.out.sleep, sleeper.in.sleep),
    connect(driver.out.burn, slow.in.burn),
    connect(driver.out.patient, patient.in.burn),
    connect(driver.out.frugal, frugal.in.burn),
    connect(driver.out.strict, strict.in.burn),
    connect(driver.out.block, blocker.in.block),
    connect(driver.out.count, counter.in.add),
    connect(driver.out.tally, tally.in.add),
    connect(driver.out.fail, thrower.in.ask),
    connect(driver.out.badReply, thrower.in.badReply),
    connect(driver.out.pass, passer.in.pass, { routing: 'keyed' }),
    connect(passer.out.on, thrower.in.fail),
    connect(driver.out.news, left.in.news),
    connect(driver.out.news, right.in.news, { routing: 'all' }),
  ],
});
export default app;
