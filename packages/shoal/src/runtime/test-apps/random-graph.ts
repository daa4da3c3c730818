// An app made of a description that a test leaves in the environment, so that every thread sees the same.
import {
  type App,
  defineApp,
  defineMsu,
  type Edge,
  type ExecutionKind,
  type InPort,
  type Key,
  type KeyedStates,
  type Message,
  type OutPort,
  type PublishPort,
  publishes,
  type QueueOrder,
  type RequestPort,
  type RoutingPolicy,
  receives,
  requests,
  type SendPort,
  type StateKind,
  sends,
  serves,
  value,
} from '../../model/index.ts';

export interface RandomType {
  readonly execution: ExecutionKind;
  readonly concurrency: number;
  readonly order: QueueOrder;
  readonly state: StateKind;
  readonly instances: number;
  /** 0: none. */
  readonly deadlineMs: number;
  readonly queueMaxMessages: number;
  /** Chances, in a thousand, that a message makes its handler throw, or end its thread. */
  readonly throwsPerMille: number;
  readonly exitsPerMille: number;
  /** Milliseconds that a handler takes: burnt, or slept where it may await. */
  readonly takesMs: number;
}

/** Leads from an earlier type to a later one. */
export interface RandomEdge {
  readonly from: number;
  readonly to: number;
  readonly kind: 'send' | 'request' | 'publish';
  readonly routing: RoutingPolicy;
}

export interface RandomGraph {
  readonly types: readonly RandomType[];
  readonly edges: readonly RandomEdge[];
  /** Messages that the first type sends every millisecond. */
  readonly rate: number;
}

/** The variable that the description is in. */
export const graphVariable = 'SHOAL_TEST_GRAPH';
/** Where every handler says which message it handles: what was said there outlives its thread. */
export const handledChannel = 'shoal-test-handled';

interface Load {
  readonly hop: number;
  readonly filler: string;
}
const load = value<Load>();
const answer = value<number>();

const graph: RandomGraph = JSON.parse(process.env[graphVariable] ?? '{"types":[],"edges":[],"rate":0}');

function outPorts(from: number): Record<string, OutPort> {
  const ports: Record<string, OutPort> = {};
  graph.edges.forEach((edge, at) => {
    if (edge.from !== from) return;
    if (edge.kind === 'request') ports[`out${at}`] = requests(load, answer, { timeoutMs: 300 });
    else ports[`out${at}`] = edge.kind === 'send' ? sends(load) : publishes(load);
  });
  return ports;
}

const inPorts: Record<string, InPort> = { tell: receives(load), ask: serves(load, answer) };

interface Live {
  readonly instanceId: number;
  readonly out: Readonly<Record<string, unknown>>;
  now(): number;
  random(): number;
  count(name: string): void;
  states(): KeyedStates<number>;
}

/** Sends on by every port, and counts what was accepted. */
function sendOn(live: Live, from: number, hop: number): void {
  graph.edges.forEach((edge, at) => {
    if (edge.from !== from) return;
    const port = live.out[`out${at}`];
    // Some do not fit a slot, some not even the spill area beside others.
    const size = live.random() < 0.02 ? 40_000 : live.random() < 0.2 ? 600 : 20;
    const message: Load = { hop: hop + 1, filler: 'x'.repeat(size) };
    const options = { flowKey: 1 + Math.floor(live.random() * 50), priority: Math.floor(live.random() * 3) };
    let accepted: string;
    if (edge.kind === 'request') {
      accepted = 'accepted';
      (port as RequestPort<Load, number>).ask(
        message,
        (reply) => {
          if (reply.outcome === 'refused') accepted = 'refused';
          else live.count('replies');
        },
        options,
      );
    } else if (edge.kind === 'send') accepted = (port as SendPort<Load>).send(message, options);
    else accepted = (port as PublishPort<Load>).publish(message, options);
    if (accepted === 'accepted') live.count('sent');
  });
}

/** Every other message of a key makes a state of it, which the next one ends. */
function keepState(states: KeyedStates<number>, key: Key, hop: number): void {
  if (!states.delete(key)) states.set(key, hop);
}

function work(type: RandomType, live: Live): void | Promise<void> {
  const dice = live.random() * 1_000;
  if (dice < type.exitsPerMille) process.exit(3);
  if (dice < type.exitsPerMille + type.throwsPerMille) throw new Error('on purpose');
  if (type.takesMs === 0) return;
  if (type.execution === 'async') return new Promise((resolve) => setTimeout(resolve, type.takesMs));
  const endsAt = live.now() + type.takesMs;
  while (live.now() < endsAt);
}

function defineType(type: RandomType, at: number): App['msus'][number] {
  return defineMsu<Record<string, InPort>, Record<string, OutPort>, { tick?: { periodMs: number } }>({
    name: `t${at}`,
    state: type.state,
    execution: type.execution,
    concurrency: type.concurrency,
    order: type.order,
    deadlineMs: type.deadlineMs,
    queueMaxMessages: type.queueMaxMessages,
    instances: { initial: type.instances },
    restart: { intensity: 10_000, periodMs: 1_000 },
    in: at === 0 ? {} : inPorts,
    out: outPorts(at),
    timers: at === 0 ? { tick: { periodMs: 1 } } : {},
    create: (context) => {
      const live = context as unknown as Live;
      const channel = new BroadcastChannel(handledChannel);
      channel.unref();
      const handle = (payload: Load, message: Message): number | Promise<number> => {
        channel.postMessage([live.instanceId, message.id]);
        if (type.state === 'keyed') keepState(live.states(), message.flowKey, payload.hop);
        sendOn(live, at, payload.hop);
        const working = work(type, live);
        return working === undefined ? payload.hop : working.then(() => payload.hop);
      };
      return {
        tell: (payload: Load, message: Message) => {
          const handling = handle(payload, message);
          return typeof handling === 'number' ? undefined : handling.then(() => {});
        },
        ask: handle,
        tick: () => {
          for (let i = 0; i < graph.rate; i++) sendOn(live, at, 0);
        },
        onError: () => live.count('notices'),
      } as never;
    },
  }) as App['msus'][number];
}

const app: App = defineApp({
  name: 'random-graph',
  msus: graph.types.map(defineType),
  edges: graph.edges.map(
    (edge, at): Edge => ({
      from: { msu: `t${edge.from}`, port: `out${at}` },
      to: { msu: `t${edge.to}`, port: edge.kind === 'request' ? 'ask' : 'tell' },
      routing: graph.types[edge.to]?.state === 'keyed' ? 'keyed' : edge.routing,
    }),
  ),
});
export default app;
