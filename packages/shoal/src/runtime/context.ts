/** The context that an instance's handlers are made with. */
import {
  type GraphMsu,
  type KeyedStates,
  type MsuContext,
  type PublishPort,
  type RequestPort,
  type SendPort,
  ShoalError,
  type TimerControl,
} from '../model/index.ts';
import { takeConnection } from './connection-owner.ts';
import type { DueEntry } from './due-heap.ts';
import type { Instance } from './instance.ts';
import { LivePublishPort, LiveRequestPort, LiveSendPort } from './out-port.ts';
import { countersFloat, countersMax, InstanceFloat, resourcesFloat } from './shared-block.ts';

type LivePort = SendPort<unknown> | PublishPort<unknown> | RequestPort<unknown, unknown>;
export type Log = (
  level: 'debug' | 'info' | 'warn' | 'error',
  text: string,
  fields?: Readonly<Record<string, unknown>>,
) => void;

/** Slots of a named figure: `names[i]` is at `start + i`. */
class NamedFigures {
  readonly #names: string[];
  readonly #instance: Instance;
  readonly #start: number;

  constructor(instance: Instance, start: number, names: readonly string[]) {
    this.#instance = instance;
    this.#start = start;
    this.#names = [...names];
  }

  /** Adds to a resource: only to one that is declared, and to no less than nothing. */
  use(name: string, amount: number): void {
    const slot = this.#names.indexOf(name);
    const used = (this.#instance.stats[this.#start + slot] as number) + amount;
    // A sum of fractions may miss 0 by a little.
    if (slot >= 0 && Number.isFinite(used) && used > -1e-6) {
      this.#instance.stats[this.#start + slot] = Math.max(0, used);
      return;
    }
    const subject = `'${this.#instance.graph.name}'`;
    const problem =
      slot < 0
        ? `${subject} does not declare the resource '${name}': add it to its resources.`
        : !Number.isFinite(used)
          ? `${subject} uses ${amount} of '${name}': give a finite number.`
          : `${subject} gives back ${-amount} of '${name}', and uses only ${used - amount}: give back what was used, once.`;
    throw new ShoalError('SHOAL_BAD_CALL', problem);
  }

  add(name: string, amount: number): void {
    let slot = this.#names.indexOf(name);
    if (slot < 0) {
      if (this.#names.length >= countersMax) {
        throw new ShoalError(
          'SHOAL_BAD_CALL',
          `At most ${countersMax} counters an instance; '${name}' is one more.`,
        );
      }
      slot = this.#names.push(name) - 1;
      // A predecessor may have died before anybody heard its name for this slot.
      this.#instance.stats[this.#start + slot] = 0;
      this.#instance.thread.nameCounter(this.#instance, slot, name);
    }
    const at = this.#start + slot;
    this.#instance.stats[at] = (this.#instance.stats[at] as number) + amount;
  }
}

function createTimer(
  instance: Instance,
  timer: GraphMsu['timers'][number],
  run: () => unknown,
): TimerControl {
  let entry: DueEntry | null = null;
  // The event in the queue: one at most, however slow the instance is, and none any more once it is stopped.
  let queued: { isStopped: boolean } | null = null;
  const enqueue = (): void => {
    if (queued !== null) return;
    const event = { isStopped: false };
    queued = event;
    instance.enqueueTimer(() => {
      if (event.isStopped) return undefined;
      queued = null;
      return run();
    }, timer.priority);
  };
  const arm = (delayMs: number): void => {
    entry = instance.thread.after(delayMs, () => {
      entry = null;
      enqueue();
      if (timer.periodMs > 0) arm(timer.periodMs);
    });
  };
  const stop = (): void => {
    if (entry !== null) instance.thread.cancel(entry);
    entry = null;
    if (queued !== null) queued.isStopped = true;
    queued = null;
  };
  return {
    start: (delayMs = timer.delayMs) => {
      stop();
      arm(delayMs);
    },
    stop,
  };
}

function createPorts(instance: Instance): Record<string, LivePort> {
  const ports: Record<string, LivePort> = {};
  const routes = [...instance.thread.routes.values()].filter(
    (route) => route.edge.fromMsu === instance.graph.name,
  );
  for (const port of instance.graph.out) {
    const own = routes.filter((route) => route.edge.fromPort === port.name);
    const [first] = own;
    if (port.kind === 'publishes') ports[port.name] = new LivePublishPort(instance, own);
    else if (first === undefined)
      throw new ShoalError('SHOAL_START_FAILED', `Port '${port.name}' is not connected.`);
    else
      ports[port.name] =
        port.kind === 'sends' ? new LiveSendPort(instance, first) : new LiveRequestPort(instance, first);
  }
  return ports;
}

/** The context, and what must be done when the instance starts and ends. */
export interface LiveContext {
  readonly context: MsuContext;
  /** Starts the declared timers. */
  startTimers(): void;
  stopTimers(): void;
}

/** `counterNames`: of the counters that the instance has from before, by slot. */
export function createContext(instance: Instance, log: Log, counterNames: readonly string[]): LiveContext {
  const { thread, graph, stats } = instance;
  const counters = new NamedFigures(instance, countersFloat, counterNames);
  const resources = new NamedFigures(
    instance,
    resourcesFloat,
    graph.resources.map(({ name }) => name),
  );
  const timers: Record<string, TimerControl> = {};
  for (const timer of graph.timers) {
    timers[timer.name] = createTimer(instance, timer, () =>
      (instance.handlers[timer.name] as () => unknown)(),
    );
  }
  const context: MsuContext = {
    instanceId: instance.id,
    msu: graph.name,
    out: createPorts(instance) as MsuContext['out'],
    timers,
    // Not the time of the event: code that measures or waits within a handler must see time pass.
    now: () => thread.tick(),
    random: thread.random,
    states: <S>() => {
      if (instance.keys === null) {
        throw new ShoalError(
          'SHOAL_BAD_CALL',
          `MSU type '${graph.name}' has the state '${graph.state}' and no states by key: declare state: 'keyed', or keep what it holds in create().`,
        );
      }
      return instance.keys.states as unknown as KeyedStates<S>;
    },
    count: (name, amount = 1) => counters.add(name, amount),
    work: (items) => {
      stats[InstanceFloat.workItems] = (stats[InstanceFloat.workItems] as number) + items;
    },
    use: (resource, amount) => resources.use(resource, amount),
    waiting: (amount) => {
      stats[InstanceFloat.waitingReported] = (stats[InstanceFloat.waitingReported] as number) + amount;
    },
    takeConnection: (connection) => {
      stats[InstanceFloat.holdsHandles] = 1;
      return takeConnection(connection);
    },
    log,
  };
  return {
    context,
    startTimers: () => {
      for (const timer of Object.values(timers)) timer.start();
    },
    stopTimers: () => {
      for (const timer of Object.values(timers)) timer.stop();
    },
  };
}
