/**
 * A cluster in simulated time, for tests of the controller (ours, and those of people who write policies): machines
 * whose threads share cores, instances with queues and deadlines, routing by the tables in force in each process,
 * agents that carry out commands, and a control link that can lose, delay and double what it carries.
 * The same seed gives the same run. Flow keys and keyed states are not simulated: messages to a keyed type are spread by
 * the weights, and a drain waits for its queue alone.
 */
import type { AppGraph, Deployment } from '../../model/index.ts';
import { instanceId, machineId, processId } from '../../model/index.ts';
import { withDefaults } from '../../model/with-defaults.ts';
import {
  type Command,
  type CommandResult,
  type ControlBus,
  type GiveUpReason,
  type Heartbeat,
  type Report,
  restPeriods,
} from '../../wire/index.ts';
import { createSeededRandom, exponential, type Random } from '../seeded-random.ts';
import { Agenda } from './agenda.ts';
import { type AgentTimes, type AgentWorld, carryOut } from './agent.ts';
import {
  type LoadOutcomes,
  type SimulatedHop,
  SimulatedInstance,
  type SimulatedMessage,
} from './instance.ts';
import { SimulatedMachine, type SimulatedThread } from './machine.ts';
import { SimulatedProcess } from './process.ts';
import { chooseEndpoint } from './routing.ts';

/** A machine of the simulation. */
export interface SimulatedMachineOptions {
  readonly cores: number;
  /** Default 16 GiB. */
  readonly memoryBytes?: number;
}

/** Faults of the control link. Shares are of messages; delays in milliseconds, uniform up to the maximum. */
export interface ControlLinkOptions {
  readonly delayMaxMs: number;
  readonly reportsLost: number;
  readonly reportsDoubled: number;
  /** Share of reports that come later than others sent after them, and by how much. */
  readonly reportsLate: number;
  readonly lateMs: number;
  readonly commandsLost: number;
  readonly answersLost: number;
  readonly answersDoubled: number;
}

/** How often in a sample period an agent looks whether somebody waits. */
const looksPerPeriod = 2;

const faultless: ControlLinkOptions = {
  delayMaxMs: 2,
  reportsLost: 0,
  reportsDoubled: 0,
  reportsLate: 0,
  lateMs: 300,
  commandsLost: 0,
  answersLost: 0,
  answersDoubled: 0,
};

/** What {@link SimulatedCluster} is made of. Runs of the same options and seed are the same. */
export interface ClusterOptions {
  readonly graph: AppGraph;
  readonly deployment: Deployment;
  /** By name of the deployment's machines. */
  readonly machines: Readonly<Record<string, SimulatedMachineOptions>>;
  readonly seed: number;
  readonly link?: Partial<ControlLinkOptions>;
  readonly times?: Partial<AgentTimes>;
  /** Messages that a queue holds; default 1,024. */
  readonly queueMaxMessages?: number;
}

/** A stream of messages: Poisson arrivals, each with a path through the types. */
export interface LoadOptions {
  readonly name: string;
  /** Messages per second, which may change with time (asked again every 10 ms while it is 0). */
  readonly ratePerSecond: (nowMs: number) => number;
  /** The path of one message: types and core time in each. */
  readonly path: (random: Random) => readonly SimulatedHop[];
}

/** What controls the cluster. `ControllerCore` is one. */
export interface SimulatedController {
  report(report: Report, nowMs: number): Command[];
  heartbeat(heartbeat: Heartbeat, nowMs: number): Command[];
  result(result: CommandResult, nowMs: number): Command[];
  tick(nowMs: number): Command[];
}

/** What a test may do to a command before an agent sees it. */
export type CommandFault = (command: Command) => 'fail' | 'lose' | { readonly delayMs: number } | null;

/** Machines, processes, threads and instances under a controller, in simulated time. */
export class SimulatedCluster {
  readonly processes: Map<string, SimulatedProcess> = new Map();
  readonly machines: Map<string, SimulatedMachine> = new Map();
  readonly loads: LoadOutcomes[] = [];
  /** Consulted for every command, if set. */
  commandFault: CommandFault | null = null;
  /** Called with everything the controller hears and is heard to say, in order; for recordings. */
  onReport: ((report: Report) => void) | null = null;
  onCommand: ((command: Command) => void) | null = null;

  readonly #options: ClusterOptions;
  readonly #link: ControlLinkOptions;
  readonly #agenda: Agenda = new Agenda();
  readonly #random: Random;
  readonly #linkRandom: Random;
  readonly #queueMax: number;
  readonly #emptied: Map<SimulatedInstance, (() => void)[]> = new Map();
  /** By the names of the types that send, and that receive. */
  readonly #edgeIds: Map<string, Map<string, number>> = new Map();
  readonly #world: AgentWorld;
  #controller: SimulatedController | null = null;
  #nowMs = 0;

  constructor(options: ClusterOptions) {
    this.#options = options;
    this.#link = withDefaults(faultless, options.link);
    this.#random = createSeededRandom(options.seed);
    this.#linkRandom = createSeededRandom(options.seed + 1_000_003);
    this.#queueMax = options.queueMaxMessages ?? 1_024;
    for (const { fromMsu, toMsu, id } of options.graph.edges) {
      const edges = this.#edgeIds.get(fromMsu) ?? new Map<string, number>();
      this.#edgeIds.set(fromMsu, edges.set(toMsu, id));
    }
    this.#world = {
      graph: options.graph,
      times: withDefaults({ spareThreadMs: 8, newThreadMs: 25, tablesMs: 1 }, options.times),
      now: () => this.#nowMs,
      at: (timeMs, action) => this.#agenda.at(timeMs, action),
      whenEmpty: (instance, timeMs, action) => this.#whenEmpty(instance, timeMs, action),
      end: (instance) => this.#end(instance),
    };
    this.#deploy();
  }

  now(): number {
    return this.#nowMs;
  }

  /** From now on, this one hears the reports and gives the commands; whoever did before is silent. */
  control(controller: SimulatedController | null): void {
    this.#controller = controller;
  }

  /** The cluster as a control bus, for a live controller. What is lost on the way is never answered. */
  bus(): ControlBus {
    const listeners: ((report: Report) => void)[] = [];
    const heartbeatListeners: ((heartbeat: Heartbeat) => void)[] = [];
    const waiting = new Map<string, ((result: CommandResult) => void)[]>();
    const controller: SimulatedController = {
      report: (report) => {
        for (const listener of listeners) listener(report);
        return [];
      },
      heartbeat: (heartbeat) => {
        for (const listener of heartbeatListeners) listener(heartbeat);
        return [];
      },
      result: (result) => {
        for (const resolve of waiting.get(result.commandId) ?? []) resolve(result);
        waiting.delete(result.commandId);
        return [];
      },
      tick: () => [],
    };
    this.control(controller);
    return {
      send: (command) =>
        new Promise((resolve) => {
          waiting.set(command.commandId, [...(waiting.get(command.commandId) ?? []), resolve]);
          this.#sendCommand(command, controller);
        }),
      onReport: (listener) => {
        listeners.push(listener);
      },
      onHeartbeat: (listener) => {
        heartbeatListeners.push(listener);
      },
    };
  }

  addLoad(load: LoadOptions): LoadOutcomes {
    const outcomes: LoadOutcomes = {
      name: load.name,
      sent: 0,
      done: 0,
      expired: 0,
      refused: 0,
      lost: 0,
      latencies: [],
    };
    this.loads.push(outcomes);
    const random = createSeededRandom(this.#options.seed * 31 + this.loads.length);
    const next = (): void => {
      const rate = load.ratePerSecond(this.#nowMs);
      if (rate <= 0) {
        this.#agenda.at(this.#nowMs + 10, next);
        return;
      }
      // Thinning at 100 ms keeps a changing rate in step without asking at every instant.
      const gapMs = exponential(random, 1_000 / rate);
      if (gapMs > 100) this.#agenda.at(this.#nowMs + 100, next);
      else this.#agenda.at(this.#nowMs + gapMs, arrive);
    };
    const arrive = (): void => {
      this.#enter(load.path(random), outcomes);
      next();
    };
    this.#agenda.at(this.#nowMs, next);
    return outcomes;
  }

  /** Goes on for so many milliseconds. */
  run(ms: number): void {
    const endMs = this.#nowMs + ms;
    while (this.#agenda.nextMs <= endMs) {
      this.#nowMs = this.#agenda.nextMs;
      this.#agenda.take()();
    }
    this.#nowMs = endMs;
  }

  /** Like {@link run}, for a controller behind {@link bus}: lets promises resolve after each event. */
  async runLive(ms: number): Promise<void> {
    const endMs = this.#nowMs + ms;
    while (this.#agenda.nextMs <= endMs) {
      this.#nowMs = this.#agenda.nextMs;
      this.#agenda.take()();
      // A command goes out two turns after the answer that it follows.
      for (let turn = 0; turn < 4; turn++) await Promise.resolve();
    }
    this.#nowMs = endMs;
  }

  /** Something to be done at a time. */
  at(timeMs: number, action: () => void): void {
    this.#agenda.at(timeMs, action);
  }

  /** Commands that came from outside of a report: a person's order. */
  send(commands: readonly Command[]): void {
    for (const command of commands) this.#sendCommand(command, this.#controller);
  }

  /** Instances of a type that serve. */
  serving(msu: string): SimulatedInstance[] {
    return this.instances(msu).filter(({ phase }) => phase === 'serving');
  }

  instances(msu: string): SimulatedInstance[] {
    return [...this.processes.values()].flatMap((process) =>
      [...process.instances.values()].filter((instance) => instance.msu.name === msu),
    );
  }

  process(key: string): SimulatedProcess {
    const process = this.processes.get(key);
    if (process === undefined)
      throw new RangeError(`no process ${key}; there are ${[...this.processes.keys()].join(', ')}`);
    return process;
  }

  /** The process dies with everything in it. */
  kill(key: string): void {
    const process = this.process(key);
    process.isAlive = false;
    for (const instance of [...process.instances.values()]) this.#end(instance);
    process.threads.length = 0;
  }

  /** A thread dies, and its agent gives the instance up. */
  loseInstance(instance: SimulatedInstance, reason: GiveUpReason = 'start-failed'): void {
    this.#abandon(instance);
    instance.phase = 'lost';
    instance.givenUp = reason;
  }

  /** A process that died starts again with what the deployment names. */
  restart(key: string): void {
    const old = this.process(key);
    const fresh = new SimulatedProcess(old.machine, old.processName);
    fresh.incarnation = old.incarnation + 1;
    this.processes.set(key, fresh);
    let id = 1;
    for (const machine of this.#options.deployment.machines) {
      for (const process of machine.processes) {
        for (const thread of process.threads) {
          if (`${machine.name}/${process.name}` === key) this.#fill(fresh, thread, id);
          id += thread.instances.length;
        }
      }
    }
    this.#beginReports(fresh);
  }

  #deploy(): void {
    let id = 1;
    for (const { name, processes } of this.#options.deployment.machines) {
      const { cores, memoryBytes } = this.#options.machines[name] ?? { cores: 2 };
      const machine = new SimulatedMachine(machineId(name), cores, memoryBytes ?? 16 * 2 ** 30);
      machine.complete = () => this.#complete(machine);
      this.machines.set(name, machine);
      for (const described of processes) {
        const process = new SimulatedProcess(machine, processId(described.name));
        this.processes.set(process.key, process);
        for (const thread of described.threads) id = this.#fill(process, thread, id);
        for (let i = 0; i < this.#options.deployment.spareThreads; i++) {
          process.startThread(`spare-${i}`, 0).isSpare = true;
        }
        this.#beginReports(process);
      }
    }
  }

  #fill(
    process: SimulatedProcess,
    described: { name: string; nice: number; instances: readonly string[] },
    id: number,
  ): number {
    const thread = process.startThread(described.name, described.nice);
    let next = id;
    for (const name of described.instances) {
      const msu = this.#options.graph.msus.find((other) => other.name === name);
      if (msu === undefined) throw new RangeError(`no type ${name}`);
      const instance = new SimulatedInstance(instanceId(next++), msu, process, thread);
      instance.phase = 'serving';
      instance.servingSinceMs = this.#nowMs;
      thread.instances.push(instance);
      process.instances.set(instance.instanceId, instance);
    }
    return next;
  }

  #beginReports(process: SimulatedProcess): void {
    const periodMs = this.#options.deployment.samplePeriodMs;
    let looks = 0;
    const look = (): void => {
      if (!process.isAlive) return;
      this.#agenda.at(this.#nowMs + periodMs / looksPerPeriod, look);
      looks++;
      if (looks >= looksPerPeriod * (process.isSampleAwaited() ? 1 : restPeriods)) {
        looks = 0;
        const report = process.report(this.#nowMs);
        this.#sayOnLink(process, (controller) => {
          this.onReport?.(report);
          return controller.report(report, this.#nowMs);
        });
      } else if (looks % looksPerPeriod === 0) {
        const heartbeat = process.heartbeat();
        this.#sayOnLink(process, (controller) => controller.heartbeat(heartbeat, this.#nowMs));
      }
    };
    // Agents do not sample in step.
    this.#agenda.at(this.#nowMs + this.#linkRandom() * periodMs, look);
    if (this.processes.size === 1) this.#beginTicks(periodMs);
  }

  #beginTicks(periodMs: number): void {
    const tick = (): void => {
      const controller = this.#controller;
      if (controller !== null)
        for (const command of controller.tick(this.#nowMs)) this.#sendCommand(command, controller);
      this.#agenda.at(this.#nowMs + periodMs, tick);
    };
    this.#agenda.at(this.#nowMs + periodMs, tick);
  }

  /** A report or a heartbeat goes to the controller. */
  #sayOnLink(process: SimulatedProcess, say: (controller: SimulatedController) => Command[]): void {
    const link = this.#link;
    if (process.isCutOff || this.#linkRandom() < link.reportsLost) return;
    const copies = this.#linkRandom() < link.reportsDoubled ? 2 : 1;
    for (let i = 0; i < copies; i++) {
      const late = this.#linkRandom() < link.reportsLate ? link.lateMs : 0;
      this.#agenda.at(this.#nowMs + late + this.#linkRandom() * link.delayMaxMs, () => {
        const controller = this.#controller;
        if (controller === null) return;
        for (const command of say(controller)) this.#sendCommand(command, controller);
      });
    }
  }

  #sendCommand(command: Command, controller: SimulatedController | null): void {
    this.onCommand?.(command);
    const link = this.#link;
    const process = this.processes.get(`${command.machine ?? ''}/${command.process}`);
    const fault = this.commandFault?.(command) ?? null;
    if (process === undefined || fault === 'lose' || this.#linkRandom() < link.commandsLost) return;
    const answer = (result: CommandResult): void => this.#sendAnswer(result, process, controller);
    const slowMs = fault !== null && typeof fault === 'object' ? fault.delayMs : 0;
    this.#agenda.at(this.#nowMs + slowMs + this.#linkRandom() * link.delayMaxMs, () => {
      if (!process.isAlive || process.isCutOff) return;
      if (fault === 'fail') {
        answer({ commandId: command.commandId, isOk: false, reason: 'start-failed', detail: 'simulated' });
        return;
      }
      process.hasNews = true;
      carryOut(this.#world, process, command, (result) => {
        process.hasNews = true;
        answer(result);
      });
    });
  }

  #sendAnswer(
    result: CommandResult,
    process: SimulatedProcess,
    controller: SimulatedController | null,
  ): void {
    const link = this.#link;
    if (process.isCutOff || this.#linkRandom() < link.answersLost) return;
    const copies = this.#linkRandom() < link.answersDoubled ? 2 : 1;
    for (let i = 0; i < copies; i++) {
      this.#agenda.at(this.#nowMs + this.#linkRandom() * link.delayMaxMs, () => {
        // An answer goes to who asked; a controller that was replaced does not hear it any more.
        if (controller === null || controller !== this.#controller) return;
        for (const command of controller.result(result, this.#nowMs)) this.#sendCommand(command, controller);
      });
    }
  }

  #enter(path: readonly SimulatedHop[], load: LoadOutcomes): void {
    load.sent++;
    const message: SimulatedMessage = { path, hop: 0, sentAtMs: this.#nowMs, arrivedAtMs: 0, load };
    const first = path[0];
    const entry = first === undefined ? null : this.#entry(first.msu);
    if (entry === null) load.refused++;
    else this.#arrive(entry, message);
  }

  /** A balancer in front spreads over the entry instances that serve. */
  readonly #entryCache: Map<string, { atMs: number; instances: SimulatedInstance[] }> = new Map();

  #entry(msu: string): SimulatedInstance | null {
    let cached = this.#entryCache.get(msu);
    for (;;) {
      if (cached === undefined || this.#nowMs - cached.atMs >= 100) {
        cached = { atMs: this.#nowMs, instances: this.serving(msu) };
        this.#entryCache.set(msu, cached);
      }
      const { instances } = cached;
      const entry = instances[Math.floor(this.#random() * instances.length)];
      if (entry === undefined) return null;
      if (entry.phase === 'serving') return entry;
      cached = undefined;
    }
  }

  #forward(from: SimulatedInstance, message: SimulatedMessage): void {
    message.hop++;
    const hop = message.path[message.hop];
    if (hop === undefined) {
      message.load.done++;
      message.load.latencies.push(this.#nowMs - message.sentAtMs);
      return;
    }
    const edgeId = this.#edgeIds.get(from.msu.name)?.get(hop.msu);
    if (edgeId === undefined) throw new RangeError(`no edge from ${from.msu.name} to ${hop.msu}`);
    const routing = this.#options.graph.edges[edgeId]?.routing ?? 'round-robin';
    const to = chooseEndpoint(this.processes, from.process, edgeId, routing, this.#random);
    if (to === null) message.load.refused++;
    else if (to === 'gone') message.load.lost++;
    else if (to.queue.length >= this.#queueMax) {
      from.refusedFull++;
      message.load.refused++;
    } else this.#arrive(to, message);
  }

  #arrive(instance: SimulatedInstance, message: SimulatedMessage): void {
    message.arrivedAtMs = this.#nowMs;
    instance.accepted++;
    const { thread } = instance;
    if (thread.message === null && instance.queue.length === 0) {
      thread.machine.advance(this.#nowMs);
      this.#begin(thread, instance, message);
      this.#replan(thread.machine);
    } else {
      instance.enqueue(message);
    }
  }

  #begin(thread: SimulatedThread, instance: SimulatedInstance, message: SimulatedMessage): void {
    thread.instance = instance;
    thread.message = message;
    thread.remainingMs = message.path[message.hop]?.workMs ?? 0;
    thread.machine.running.push(thread);
    message.arrivedAtMs = message.arrivedAtMs || this.#nowMs;
    thread.beganAtMs = this.#nowMs;
  }

  /** Takes the next message of the thread; those past their deadline are not handled. */
  #next(thread: SimulatedThread): void {
    for (;;) {
      let next: SimulatedInstance | null = null;
      let oldestMs = Number.POSITIVE_INFINITY;
      for (const instance of thread.instances) {
        const head = instance.queue.peek();
        if (head !== undefined && head.arrivedAtMs < oldestMs) {
          oldestMs = head.arrivedAtMs;
          next = instance;
        }
      }
      const message = next?.dequeue();
      if (next === null || message === undefined) return;
      const { deadlineMs } = next.msu;
      if (deadlineMs > 0 && this.#nowMs - message.arrivedAtMs > deadlineMs) {
        next.expired++;
        message.load.expired++;
        this.#tellEmpty(next);
        continue;
      }
      this.#begin(thread, next, message);
      return;
    }
  }

  #replan(machine: SimulatedMachine): void {
    const atMs = this.#nowMs + machine.share();
    // One that is planned for earlier finds nothing ended, and plans anew.
    if (atMs >= machine.plannedAtMs) return;
    machine.plannedAtMs = atMs;
    this.#agenda.at(atMs, machine.complete);
  }

  #complete(machine: SimulatedMachine): void {
    if (machine.plannedAtMs !== this.#nowMs) return; // An earlier one came in between.
    machine.plannedAtMs = Number.POSITIVE_INFINITY;
    machine.advance(this.#nowMs);
    const ended = machine.running.filter((thread) => thread.remainingMs <= 1e-6);
    for (const thread of ended) {
      const { instance, message } = thread;
      machine.running.splice(machine.running.indexOf(thread), 1);
      thread.instance = null;
      thread.message = null;
      if (instance === null || message === null) continue;
      instance.busyMs += this.#nowMs - thread.beganAtMs;
      instance.done++;
      const sojournMs = this.#nowMs - message.arrivedAtMs;
      count(instance.sojourn, sojournMs);
      count(instance.service, message.path[message.hop]?.workMs ?? 0);
      this.#next(thread);
      this.#tellEmpty(instance);
      this.#forward(instance, message);
    }
    this.#replan(machine);
  }

  #whenEmpty(instance: SimulatedInstance, timeMs: number, action: () => void): void {
    let isDone = false;
    const once = (): void => {
      if (!isDone) action();
      isDone = true;
    };
    if (instance.queue.length + instance.inService === 0) {
      this.#agenda.at(this.#nowMs + 1, once);
      return;
    }
    this.#emptied.set(instance, [...(this.#emptied.get(instance) ?? []), once]);
    this.#agenda.at(timeMs, once);
  }

  #tellEmpty(instance: SimulatedInstance): void {
    if (this.#emptied.size === 0 || instance.queue.length + instance.inService > 0) return;
    const actions = this.#emptied.get(instance) ?? [];
    this.#emptied.delete(instance);
    for (const action of actions) action();
  }

  /** What it holds is lost. */
  #abandon(instance: SimulatedInstance): void {
    const { thread } = instance;
    thread.machine.advance(this.#nowMs);
    for (let message = instance.queue.shift(); message !== undefined; message = instance.queue.shift()) {
      message.load.lost++;
    }
    if (thread.instance === instance && thread.message !== null) {
      thread.message.load.lost++;
      instance.busyMs += this.#nowMs - thread.beganAtMs;
      thread.machine.running.splice(thread.machine.running.indexOf(thread), 1);
      thread.instance = null;
      thread.message = null;
      this.#next(thread);
    }
    this.#replan(thread.machine);
  }

  #end(instance: SimulatedInstance): void {
    this.#abandon(instance);
    const { thread, process } = instance;
    thread.instances.splice(thread.instances.indexOf(instance), 1);
    if (thread.instances.length === 0) {
      const index = process.threads.indexOf(thread);
      if (index >= 0) process.threads.splice(index, 1);
    }
    process.instances.delete(instance.instanceId);
    instance.isEnded = true;
  }
}

function count(histogram: number[] | null, ms: number): void {
  if (histogram === null) return;
  const bucket = ms <= 0.001 ? 0 : Math.floor(Math.log2(ms * 1_000) * 4);
  while (histogram.length <= bucket) histogram.push(0);
  histogram[bucket] = (histogram[bucket] ?? 0) + 1;
}
