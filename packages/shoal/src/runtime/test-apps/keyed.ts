// Feeders that number their messages by key, and types that keep a state for each: whatever moves, numbers must come in
// order. The keys of `sessions` end after a few messages; those of `counters` never do, and can move.
import {
  type App,
  connect,
  defineApp,
  defineMsu,
  type InstanceId,
  receives,
  requests,
  sends,
  serves,
  value,
} from '../../model/index.ts';

/** Instances of `counters` that are named here end their thread. */
export const exitChannel = 'shoal-test-exit';

interface Numbered {
  readonly feeder: number;
  readonly n: number;
  readonly isLast: boolean;
}
const numbered = value<Numbered>();

interface Count {
  total: number;
  /** Last number by feeder. */
  readonly last: Record<number, number>;
}

const counterKeys = 300;
/** So often there is another key, the same for all feeders. */
const newKeyPeriodMs = 5;
const openSessions = 40;
const sessionLength = 25;
const messagesPerTick = 4;

const feeder = defineMsu({
  name: 'feeder',
  instances: { initial: 2 },
  timers: { tick: { periodMs: 1 } },
  out: { session: sends(numbered), count: requests(numbered, value<number>(), { timeoutMs: 20_000 }) },
  create: (context) => {
    const self = context.instanceId;
    const counters = new Map<number, number>();
    const sessions: { key: number; n: number }[] = [];
    let opened = 0;
    const open = (): { key: number; n: number } => ({ key: ++opened * 1_024 + self, n: 0 });
    for (let i = 0; i < openSessions; i++) sessions.push(open());
    const feedSession = (): void => {
      const at = Math.floor(context.random() * openSessions);
      const session = sessions[at] as { key: number; n: number };
      const isLast = session.n === sessionLength - 1;
      const message = { feeder: self, n: session.n, isLast };
      const accepted = context.out.session.send(message, { flowKey: session.key });
      if (accepted !== 'accepted') return context.count('refused');
      context.count('sent');
      session.n++;
      if (isLast) sessions[at] = open();
    };
    const feedCounter = (): void => {
      const key =
        context.random() < 0.5
          ? 1 + Math.floor(context.random() ** 3 * counterKeys)
          : 1_000 + Math.floor(context.now() / newKeyPeriodMs);
      const n = counters.get(key) ?? 0;
      let isRefused = false;
      context.out.count.ask(
        { feeder: self, n, isLast: false },
        (reply) => {
          isRefused = reply.outcome === 'refused';
          context.count(reply.outcome);
        },
        { flowKey: key },
      );
      if (isRefused) return;
      context.count('asked');
      counters.set(key, n + 1);
    };
    return {
      tick: () => {
        for (let i = 0; i < messagesPerTick; i++) {
          feedSession();
          feedCounter();
        }
      },
    };
  },
});

/** A number must follow the one before; a key that begins must begin with 0. */
function check(count: Count, { feeder, n }: Numbered, note: (what: string) => void): void {
  const last = count.last[feeder];
  if (last === undefined && n > 0) note('fresh');
  else if (last !== undefined && n !== last + 1) note('disorder');
  count.last[feeder] = n;
  count.total++;
}

const sessions = defineMsu({
  name: 'sessions',
  state: 'keyed',
  in: { take: receives(numbered) },
  create: (context) => {
    const states = context.states<Count>();
    return {
      take: (message, { flowKey }) => {
        const state = states.get(flowKey) ?? { total: 0, last: {} };
        check(state, message, (what) => context.count(what));
        context.count('taken');
        states.delete(flowKey);
        if (message.isLast) context.count(state.total === sessionLength ? 'whole' : 'partial');
        else states.set(flowKey, state);
      },
    };
  },
});

const counters = defineMsu({
  name: 'counters',
  state: 'keyed',
  in: { count: serves(numbered, value<number>()) },
  create: (context) => {
    const states = context.states<Count>();
    const exits = new BroadcastChannel(exitChannel);
    exits.onmessage = (event) => {
      if ((event as { data: InstanceId }).data === context.instanceId) process.exit(1);
    };
    exits.unref();
    return {
      count: (message, { flowKey }) => {
        const state = states.get(flowKey) ?? { total: 0, last: {} };
        check(state, message, (what) => context.count(what));
        states.set(flowKey, state);
        return state.total;
      },
      exportState: (key) => {
        context.count('exported');
        return states.get(key);
      },
      importState: (key, state) => {
        if (states.get(key) !== undefined) context.count('twice');
        context.count('imported');
        states.set(key, state as Count);
      },
      onClose: () => {
        exits.close();
        let total = 0;
        for (const key of states.keys()) total += states.get(key)?.total ?? 0;
        context.log('info', 'result', { name: `counters ${context.instanceId}`, total, keys: states.size });
      },
    };
  },
});

const app: App = defineApp({
  name: 'keyed',
  msus: [feeder, sessions, counters],
  edges: [connect(feeder.out.session, sessions.in.take), connect(feeder.out.count, counters.in.count)],
});
export default app;
