import type { InstanceId, Key } from './ids.ts';
import type { ErrorNotice, Message, SendOptions } from './message.ts';
import type { Connection } from './message-type.ts';
import type { Acceptance, Reply } from './outcome.ts';
import { markPlace } from './place.ts';
import type {
  InPort,
  InPorts,
  OutPort,
  OutPorts,
  Publishes,
  Receives,
  Requests,
  Sends,
  Serves,
  TimerSpecs,
} from './port.ts';

/**
 * What an MSU keeps between messages. It decides which routing policies are legal and what the controller may do.
 * - `none`: nothing; any instance can handle any message.
 * - `keyed`: a state per flow key, counted, in `context.states`; a key can move if the type exports and imports it.
 * - `instance`: one object per instance.
 * - `pinned`: holds a socket, a TLS session, a file: what it holds stays on its process.
 */
export type StateKind = 'none' | 'keyed' | 'instance' | 'pinned';
/** Every {@link StateKind}. */
export const stateKinds: readonly StateKind[] = ['none', 'keyed', 'instance', 'pinned'];

/**
 * How its handlers run.
 * - `sync`: a handler returns; the thread of an all-`sync` set of types without handles parks between messages.
 * - `async`: a handler may await; up to `concurrency` messages of an instance are in progress. What the handler of a
 *   timer awaits is not counted: one that works in a loop for ever holds nothing up.
 * - `blocking`: a handler may block its thread, so each instance gets an unpinned thread of its own.
 */
export type ExecutionKind = 'sync' | 'async' | 'blocking';
/** Every {@link ExecutionKind}. */
export const executionKinds: readonly ExecutionKind[] = ['sync', 'async', 'blocking'];

/**
 * The order in which a thread serves the instances on it. `edf`: earliest deadline first; what has none, timers included,
 * counts as due a second after it came.
 */
export type SchedulingOrder = 'fifo' | 'priority' | 'edf';
/** Every {@link SchedulingOrder}. */
export const schedulingOrders: readonly SchedulingOrder[] = ['fifo', 'priority', 'edf'];

/**
 * The order in which an instance handles what is queued. `sjf`: shortest job first, by what messages of about the same
 * size took there (those from the same thread are all alike); a message lets pass what comes within ten times as long as it
 * will take itself, at most a second, so nothing starves.
 */
export type QueueOrder = SchedulingOrder | 'sjf';
/** Every {@link QueueOrder}. */
export const queueOrders: readonly QueueOrder[] = [...schedulingOrders, 'sjf'];

/** When a thread that died is replaced: always; after abnormal ends only; never. Erlang/OTP's words. */
export type RestartKind = 'permanent' | 'transient' | 'temporary';

/** When an instance whose thread died is brought back. */
export interface RestartPolicy {
  readonly kind: RestartKind;
  /**
   * Restarts of the type in a process within `periodMs`, at most. At the next death the instance is given up: what
   * waits for it ends as failed, the event is logged, and the controller places a new one when `periodMs` have passed.
   * 0: given up at the first death, for good.
   */
  readonly intensity: number;
  readonly periodMs: number;
}

/** A type that must come along: on the same process (`local`), or anywhere (`remote`). */
export interface Dependency {
  readonly msu: string;
  readonly locality: 'local' | 'remote';
}

/** Resources whose limit a process knows by itself. */
export type ProcessResource = 'descriptors' | 'memory';
/** Every {@link ProcessResource}. */
export const processResources: readonly ProcessResource[] = ['descriptors', 'memory'];

/** Something of which a process has only so much, shared by the instances on it: connections to a database, licences… */
export interface ResourcePool {
  /** Types that share a pool give it the same name, and the same limit. */
  readonly name: string;
  /** What the instances of one process may use together, in the pool's own unit. */
  readonly limit: number;
}

/**
 * A resource with a limit, per process, that instances use and say so with {@link MsuContext}'s `use`. The controller
 * watches it: where it is used up on every process of a type, by that type above all, it clones the type onto another
 * process. A clone on the same process would take from the same.
 * - `descriptors`: of files and sockets; the limit is that of the process.
 * - `memory`: bytes; the limit is what the machine has, or the memory limit of its cgroup, and what is used is the
 *   resident memory of the process. What a type uses of it is what it reports, heaps are not attributed to types.
 * - a {@link ResourcePool}: what is used is what the instances of the process report.
 */
export type LimitedResource = ProcessResource | ResourcePool;

/** What one event costs, before anything was measured. */
export interface CostHint {
  /** Mean milliseconds of handler time of one event. Default 1. */
  readonly serviceTimeMs?: number;
  /** Mebibytes of memory of one instance. Default 16. */
  readonly memoryMiB?: number;
}

/** Everything declared about an MSU type but its handlers. */
export interface MsuOptions {
  /** Unique in the app: letters, digits, `-`. */
  readonly name: string;
  /** Default `none`. */
  readonly state?: StateKind;
  /** Default `sync`. */
  readonly execution?: ExecutionKind;
  /** `async` only: events of one instance in progress at a time. Default 1. */
  readonly concurrency?: number;
  /** Default `fifo`. */
  readonly order?: QueueOrder;
  /** A message that waited longer is not handled but ends `shed: expired`. Default: none. */
  readonly deadlineMs?: number;
  /**
   * Milliseconds that the handler of a message may take, from its begin. Code that keeps the thread from going on for
   * longer gets the thread killed and replaced. A handler that only awaits for longer has its message end
   * `failed: run-limit` and its place freed; it cannot be stopped itself, and what it comes to is ignored. Default: none.
   */
  readonly runLimitMs?: number;
  /** Instances: at start, and the bounds the controller keeps to. Defaults 1, 1, 64. */
  readonly instances?: { readonly initial?: number; readonly min?: number; readonly max?: number };
  /** Messages the queue of one instance may hold, over all its lanes; 0: only the lanes' own bound. Default 0. */
  readonly queueMaxMessages?: number;
  /**
   * Work the queue of one instance may hold, in milliseconds of measured service time; 0: as the deployment's limit of
   * the same name says. A message from another thread counts as what those of about its size took, one from the same
   * thread as the mean of all; and of several instances the one with less work gets the next (`shortest-queue`). A message
   * with which it would be more is refused `queue-full`, so a cheap one is taken where an expensive one is not; but one may
   * wait behind another however long that takes. By `sjf`, work that will let the message pass does not count for it.
   * Default 0.
   */
  readonly queueMaxWorkMs?: number;
  /** Names of the machines that may host it. Default: all. */
  readonly machines?: readonly string[];
  /** Types with the same group may share a thread. Default: any that may die together. */
  readonly colocation?: string;
  readonly dependencies?: readonly Dependency[];
  /** At most 8. Default: none. */
  readonly resources?: readonly LimitedResource[];
  readonly cost?: CostHint;
  readonly restart?: Partial<RestartPolicy>;
  /** Messages enter the app here. Default: true where it has no in-port. */
  readonly entry?: boolean;
  /** Messages leave the app here. Default: true where it has no out-port. */
  readonly exit?: boolean;
}

/** Default {@link RestartPolicy}. */
export const defaultRestart: RestartPolicy = { kind: 'permanent', intensity: 10, periodMs: 10_000 };

/** An out-port declared with `sends`. */
export interface SendPort<T> {
  /**
   * Sends to one instance of the connected type. Outside of handlers (in the callback of a socket, after an `await`) one
   * of the same thread may have handled the message before this returns, if nothing else waits there; never one that is
   * in a handler, nor the sender itself.
   */
  send(payload: T, options?: SendOptions): Acceptance;
  /** Messages that can be sent now to the endpoint with most room, before `queue-full`. */
  credit(): number;
  /**
   * Resolves when there is credit. After a message was refused: not at once, and where the next attempt goes to the same
   * endpoint again (by key, or by `to`), when that one has room; so `while (send(…) === 'queue-full') await ready()`
   * waits as long as it must. With several endpoints, or messages that differ in size, the next may still be refused.
   */
  ready(): Promise<void>;
}

/** An out-port declared with `publishes`. */
export interface PublishPort<T> {
  /**
   * Sends to every subscribing type. Answers the worst acceptance among them. With `delayMs` it counts as one message of
   * this instance until it is due: only then the receivers are chosen, and it is `done` if all of them accept it.
   */
  publish(payload: T, options?: SendOptions): Acceptance;
}

/** An out-port declared with `requests`. */
export interface RequestPort<Q, R> {
  /** Asks, and resolves with the reply however it ends; never rejects. `async` and `blocking` types. */
  request(payload: Q, options?: SendOptions): Promise<Reply<R>>;
  /** Asks, and calls back as an event of this instance. Any type; the cheaper form. */
  ask(payload: Q, onReply: (reply: Reply<R>) => void, options?: SendOptions): void;
  /** Requests that can be made now before one is refused. */
  credit(): number;
}

/** A timer of the instance. Timers start by themselves; these change that. */
export interface TimerControl {
  /** (Re)starts it: first event after `delayMs`, default its declared delay. */
  start(delayMs?: number): void;
  stop(): void;
}

/**
 * The states of a `keyed` instance, by flow key. Counted: the controller sees how many there are, and a key that has a
 * state keeps getting its messages at the instance that holds it.
 */
export interface KeyedStates<S> {
  readonly size: number;
  get(key: Key): S | undefined;
  /** Throws {@link ShoalError} `SHOAL_STATES_FULL` at the limit. */
  set(key: Key, state: S): void;
  delete(key: Key): boolean;
  keys(): IterableIterator<Key>;
}

type LiveOutPort<P> =
  P extends Sends<infer T>
    ? SendPort<T>
    : P extends Publishes<infer T>
      ? PublishPort<T>
      : P extends Requests<infer Q, infer R>
        ? RequestPort<Q, R>
        : never;

/** What an instance is given when it is created. Everything it needs of the outside world comes through here. */
export interface MsuContext<Out extends OutPorts = OutPorts, T extends TimerSpecs = TimerSpecs> {
  readonly instanceId: InstanceId;
  readonly msu: string;
  readonly out: { readonly [K in keyof Out]: LiveOutPort<Out[K]> };
  readonly timers: { readonly [K in keyof T]: TimerControl };
  /** Milliseconds on the machine's monotonic clock. */
  now(): number;
  /** Uniform in [0, 1). */
  random(): number;
  /** States by flow key; for `keyed` types. Throws {@link ShoalError} `SHOAL_BAD_CALL` for others. */
  states<S>(): KeyedStates<S>;
  /**
   * Adds to a counter of the type's own; /metrics and `shoal explain INSTANCE` show it beside the platform's. At most
   * 8 names an instance.
   */
  count(name: string, amount?: number): void;
  /** Reports work done outside of handlers (handshakes, packets): items, so that true rates can be computed. */
  work(items: number): void;
  /**
   * Adds (or, negative, gives back) what this instance uses of a limited resource, by its name. Throws `SHOAL_BAD_CALL`
   * for one that the type does not declare, for more given back than was used, and for what is no finite number.
   */
  use(resource: ProcessResource | (string & {}), amount: number): void;
  /** What waits outside of the queue (connections in handshake, say): counts as queue length. */
  waiting(amount: number): void;
  /**
   * Takes an accepted connection out of its message, once; the caller owns the socket from now on. Null where the
   * connection is not there any more. What is not taken is closed when the handler has returned.
   */
  takeConnection(connection: Connection): import('node:net').Socket | null;
  /** Writes to the log of the runtime, with the instance's name. */
  log(
    level: 'debug' | 'info' | 'warn' | 'error',
    text: string,
    fields?: Readonly<Record<string, unknown>>,
  ): void;
}

type Handler<P> =
  P extends Receives<infer T>
    ? (payload: T, message: Message) => void | Promise<void>
    : P extends Serves<infer Q, infer R>
      ? (payload: Q, message: Message) => R | Promise<R>
      : never;

/** Handlers that every type may have, beside those of its ports and timers. */
export type LifeHandlers = {
  /** A message that this instance handled has failed further on: free what is held for it. */
  readonly onError?: (notice: ErrorNotice) => void;
  /** No new work comes. Resolve when nothing is held any more (connections ended, say); there is a deadline. */
  readonly onDrain?: () => void | Promise<void>;
  /** Last call: the instance is removed or the process stops. */
  readonly onClose?: () => void | Promise<void>;
  /**
   * `keyed` types whose keys can move: answers the state of a key as a structured value (what MessagePack holds), at once.
   * The key moves to a clone that joins, or from one that leaves, when no message of it is in service; it is deleted here
   * when its state is on its way. Throws: the key stays. Needs `importState`.
   */
  readonly exportState?: (key: Key) => unknown;
  /**
   * `keyed` types whose keys can move: puts an exported state in, before any later message of the key. May be called for a
   * key of this instance's own that could not be sent. Throws: the state is lost, which is counted and logged. Needs
   * `exportState`.
   */
  readonly importState?: (key: Key, state: unknown) => void;
};

/** The live half of an instance: a handler per in-port and per timer, and what to do at the edges of its life. */
// One mapped type with declared names only: with an index signature the parameters of LifeHandlers would be `any`.
export type Handlers<In extends InPorts, T extends TimerSpecs> = LifeHandlers & {
  readonly [K in keyof In | keyof T as string extends K ? never : K]: K extends keyof In
    ? Handler<In[K]>
    : () => void | Promise<void>;
};

/** A named port of a named type: what `connect` takes. */
export type PortRef<P extends InPort | OutPort> = P & { readonly msu: string; readonly port: string };

/** An MSU type: plain data, plus the function that makes an instance's handlers. */
export interface MsuType<
  In extends InPorts = InPorts,
  Out extends OutPorts = OutPorts,
  T extends TimerSpecs = TimerSpecs,
> {
  readonly options: MsuOptions;
  readonly in: { readonly [K in keyof In]: PortRef<In[K]> };
  readonly out: { readonly [K in keyof Out]: PortRef<Out[K]> };
  readonly timers: T;
  // Method syntax: a type with precise ports still is an MsuType.
  create(context: MsuContext<Out, T>): Handlers<In, T> | Promise<Handlers<In, T>>;
}

/** Argument of {@link defineMsu}. */
export interface MsuDefinition<In extends InPorts, Out extends OutPorts, T extends TimerSpecs>
  extends MsuOptions {
  readonly in?: In;
  readonly out?: Out;
  readonly timers?: T;
  /** Makes the handlers of one instance, on its thread. */
  create(context: MsuContext<Out, T>): Handlers<In, T> | Promise<Handlers<In, T>>;
}

function refer<P extends InPort | OutPort>(
  msu: string,
  ports: Readonly<Record<string, P>>,
): Record<string, PortRef<P>> {
  const refs: Record<string, PortRef<P>> = {};
  for (const [port, declared] of Object.entries(ports)) refs[port] = { ...declared, msu, port };
  return refs;
}

/**
 * Declares an MSU type: the smallest part of a service that can be cloned by itself. Nothing is checked here but
 * types; `validate` reports every mistake of an app at once.
 */
export function defineMsu<
  const In extends InPorts = Record<never, never>,
  const Out extends OutPorts = Record<never, never>,
  const T extends TimerSpecs = Record<never, never>,
>(definition: MsuDefinition<In, Out, T>): MsuType<In, Out, T> {
  const { in: inPorts, out: outPorts, timers, create, ...options } = definition;
  return markPlace(
    {
      options,
      in: refer(definition.name, inPorts ?? {}) as MsuType<In, Out, T>['in'],
      out: refer(definition.name, outPorts ?? {}) as MsuType<In, Out, T>['out'],
      timers: timers ?? ({} as T),
      create,
    },
    defineMsu,
  );
}
