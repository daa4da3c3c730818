/**
 * The agent of a runtime process: the thread that runs no user code. It makes threads, instances and lanes,
 * carries out commands, watches for what runs too long or dies, and reports.
 *
 * I1. Every instance has exactly one thread; a lane belongs to the pair (sending thread, receiving instance) and
 *     outlives both ends' workers.
 * I2. Commands are carried out once: a `commandId` seen before is answered as it was. One of an older epoch than
 *     seen is refused (fencing).
 * I3. A table that a thread has names only instances that are hosted, or were: a lost one keeps its lanes, and
 *     its replacement takes up what waits there. Within the lost one's own thread there is nothing to send to.
 * I4. A thread that does not end within `terminateMaxMs` of being told can only be ended with its process: then
 *     `onFatal` is called, and the supervisor starts another.
 */
import { randomUUID } from 'node:crypto';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import {
  type AppGraph,
  type Clock,
  defaultRestart,
  type GraphMsu,
  type InstanceId,
  instanceId,
  type Limits,
  type MachineId,
  type ProcessId,
  type QueueOrder,
  type RestartPolicy,
  ShoalError,
  type ThreadId,
  threadId,
} from '../model/index.ts';
import { createLaneMemory, type LaneBounds, type LaneMemory } from '../transport/index.ts';
import type {
  Command,
  CommandBody,
  CommandResult,
  ControlBus,
  Report,
  RoutingTable,
  RuntimeEvent,
} from '../wire/index.ts';
import { AgentInstance } from './agent-instance.ts';
import { AgentThread, type AgentThreadOptions, type GuestLink, type ThreadEnd } from './agent-thread.ts';
import { Sampler } from './sampler.ts';
import { InstanceFloat, ThreadFloat, ThreadWord } from './shared-block.ts';
import type { HostOrigin, ThreadEndpoint, ThreadReport, ThreadTable } from './thread-messages.ts';
import { createWiring, type Wiring } from './wiring.ts';

/** Between two looks for handlers that run too long. */
const watchPeriodMs = 20;
/** Every thread is woken this often, whatever happened to a bell. */
const ringPeriodMs = 100;
/** A thread that is told to end and has not after so long is in native code: the process must go. */
const terminateMaxMs = 250;
/** When everything stops, a thread that is loading its modules is waited for this long. */
const startMaxMs = 2_000;
/** Beyond its run limits, a thread may be this late in going through its loop before it counts as stuck. */
const beatGraceMs = 150;
/** `create()` of a type may keep its thread this long, whatever the run limits there. */
const createMaxMs = 10_000;
/** Answers to commands that are remembered (I2). */
const commandsMax = 10_000;
/** Events that wait for the next report. */
const eventsMax = 1_000;

export type RuntimeLog = (
  level: 'debug' | 'info' | 'warn' | 'error',
  text: string,
  fields: Readonly<Record<string, unknown>>,
) => void;

/** Why a process must be ended. */
export interface FatalReason {
  readonly msu: string;
  readonly instanceId: number;
  readonly detail: string;
}

export interface AgentOptions {
  readonly appUrl: string;
  readonly graph: AppGraph;
  readonly limits: Limits;
  readonly samplePeriodMs: number;
  readonly drainMaxMs: number;
  readonly spareThreads: number;
  readonly machine: MachineId;
  readonly process: ProcessId;
  readonly clock: Clock;
  readonly seed: number;
  readonly log: RuntimeLog;
  readonly onFatal: (reason: FatalReason) => void;
}

/** A thread that exists from the start, and what is on it. */
export interface InitialThread {
  readonly name: string;
  readonly core: number;
  readonly nice: number;
  readonly scheduling: QueueOrder;
  readonly instances: readonly string[];
  /** Present for a thread that is there already. */
  readonly guest?: GuestLink;
}

type Failure = Extract<CommandResult, { isOk: false }>['reason'];
type Outcome =
  | { readonly isOk: true }
  | { readonly isOk: false; readonly reason: Failure; readonly detail: string };
const ok: Outcome = { isOk: true };

export class Agent implements ControlBus {
  readonly #options: AgentOptions;
  readonly #wiring: Wiring;
  readonly #threads = new Map<ThreadId, AgentThread>();
  readonly #instances = new Map<InstanceId, AgentInstance>();
  readonly #tables = new Map<number, RoutingTable>();
  readonly #withErrorHandler = new Set<string>();
  readonly #commands = new Map<string, Promise<CommandResult>>();
  readonly #listeners: ((report: Report) => void)[] = [];
  readonly #sampler: Sampler;
  readonly #restarts = new Map<string, number[]>();
  readonly #incarnation = randomUUID();
  readonly #loopDelay = monitorEventLoopDelay({ resolution: 10 });
  readonly #intervals: NodeJS.Timeout[] = [];
  #events: RuntimeEvent[] = [];
  #epoch = 0;
  #sequence = 0;
  #window = 0;
  #threadIds = 0;
  #tablesGiven = 0;
  /** Epoch of the controller that set a table: versions count within it. */
  readonly #tableEpochs = new Map<number, number>();
  #lastSampleMs = 0;
  #isClosed = false;

  constructor(options: AgentOptions) {
    this.#options = options;
    this.#wiring = createWiring(options.graph);
    this.#sampler = new Sampler(options.clock.now());
  }

  // ── start and end ────────────────────────────────────────────────────────────────────────────────────────

  /** Starts the initial threads and instances, receivers before senders, with every instance an endpoint. */
  async start(threads: readonly InitialThread[]): Promise<void> {
    const placed: { msu: GraphMsu; thread: AgentThread }[] = [];
    for (const initial of threads) {
      const thread = this.#newThread(initial);
      for (const name of initial.instances) placed.push({ msu: this.#msu(name), thread });
    }
    await Promise.all([...this.#threads.values()].map((thread) => this.#startThread(thread)));
    const rank = (name: string): number => this.#wiring.order.indexOf(name);
    const instances = placed.map(({ msu, thread }, at) => this.#newInstance(instanceId(at + 1), msu, thread));
    // Receivers first; entries only when all tables are in force, so that the first message has somewhere to go.
    const inOrder = [...instances].sort((a, b) => rank(b.msu.name) - rank(a.msu.name));
    const inner = inOrder.filter((instance) => !instance.msu.isEntry);
    for (const instance of inner) await this.#mustHost(instance);
    for (const edge of this.#options.graph.edges) {
      const endpoints = instances
        .filter((instance) => instance.msu.name === edge.toMsu)
        .map((instance) => ({
          instanceId: instance.id,
          machine: this.#options.machine,
          process: this.#options.process,
          weight: 1,
          isDraining: false,
        }));
      this.#tables.set(edge.id, { edgeId: edge.id, version: 0, endpoints });
    }
    await this.#distribute([...this.#tables.keys()]);
    for (const instance of inOrder) if (instance.msu.isEntry) await this.#mustHost(instance);
    await this.#distribute([...this.#tables.keys()]);
    for (const instance of inOrder) await this.#begin([instance]);
    this.#watch();
    for (let i = 0; i < this.#options.spareThreads; i++) this.#addSpare();
  }

  async #mustHost(instance: AgentInstance): Promise<void> {
    const hosted = await this.#host(instance, 'new');
    if (!hosted.isOk) {
      throw new ShoalError(
        'SHOAL_START_FAILED',
        `An instance of '${instance.msu.name}' could not be started: ${hosted.detail}`,
        { msu: instance.msu.name },
      );
    }
  }

  #watch(): void {
    this.#loopDelay.enable();
    this.#lastSampleMs = this.#options.clock.now();
    this.#intervals.push(
      setInterval(() => this.#findRunaways(), watchPeriodMs),
      setInterval(() => {
        const now = this.#options.clock.now();
        for (const thread of this.#threads.values()) {
          if (thread.hasBeaten) thread.unansweredSinceMs = now;
          thread.ring();
        }
      }, ringPeriodMs),
      setInterval(() => this.#sample(), this.#options.samplePeriodMs),
    );
  }

  /**
   * Ends everything that still runs: entries first, each instance when it is idle, within `drainMaxMs` in all.
   * Answers whether all of it ended by itself.
   */
  async drain(): Promise<boolean> {
    const endsAt = this.#options.clock.now() + this.#options.drainMaxMs;
    let isClean = true;
    for (const name of this.#wiring.order) {
      const instances = [...this.#instances.values()].filter((instance) => instance.msu.name === name);
      const drained = await Promise.all(
        instances.map((instance) =>
          this.#drain(instance.id, Math.max(1, endsAt - this.#options.clock.now())),
        ),
      );
      if (drained.some((outcome) => !outcome.isOk)) isClean = false;
    }
    return isClean;
  }

  /** Stops all threads, whatever they do, ends what still waits, and reports for the last time. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const interval of this.#intervals) clearInterval(interval);
    const threads = [...this.#threads.values()];
    // Node leaves the files open that a thread was reading its modules from when it was ended.
    await within(Promise.all(threads.map((thread) => thread.started)), startMaxMs);
    await Promise.all(threads.map((thread) => within(thread.ask({ kind: 'stop' }), terminateMaxMs)));
    for (const thread of threads) thread.killReason = 'stop';
    await within(Promise.all(threads.map((thread) => thread.terminate())), terminateMaxMs * 2);
    for (const instance of this.#instances.values()) {
      if (this.#threads.get(instance.threadId)?.isRunning !== true) instance.settle();
    }
    this.#sample();
    this.#loopDelay.disable();
    this.#sampler.close();
  }

  // ── threads ──────────────────────────────────────────────────────────────────────────────────────────────

  #msu(name: string): GraphMsu {
    const msu = this.#options.graph.msus.find((candidate) => candidate.name === name);
    if (msu === undefined)
      throw new ShoalError('SHOAL_START_FAILED', `There is no MSU type '${name}' in the app.`);
    return msu;
  }

  #newThread(
    thread: Pick<AgentThreadOptions, 'name' | 'core' | 'nice' | 'scheduling' | 'guest'>,
  ): AgentThread {
    const { appUrl, graph, limits, seed } = this.#options;
    const { name, core, nice, scheduling, guest } = thread;
    const id = threadId(++this.#threadIds);
    const made = new AgentThread({
      threadId: id,
      name,
      appUrl,
      graph,
      limits,
      core,
      nice,
      scheduling,
      seed: seed + id * 1_000,
      ...(guest === undefined ? {} : { guest }),
    });
    this.#threads.set(id, made);
    return made;
  }

  async #startThread(thread: AgentThread): Promise<void> {
    await thread.start(
      this.#options.clock.now(),
      (report) => this.#onThreadReport(report),
      (end) => this.#onThreadEnd(thread, end),
    );
    if (thread.isRunning) thread.phase = thread.instances.size > 0 ? 'serving' : 'spare';
  }

  #addSpare(): AgentThread {
    const thread = this.#newThread(cloneThread(`spare-${this.#threadIds + 1}`, 0));
    void this.#startThread(thread);
    return thread;
  }

  /** A thread for an instance of its own: a spare one, else a new one. */
  async #ownThread(nice: number): Promise<AgentThread | null> {
    let thread = [...this.#threads.values()].find((candidate) => candidate.phase === 'spare');
    if (thread === undefined) {
      if (this.#threads.size >= this.#options.limits.threadsMax) return null;
      thread = this.#newThread(cloneThread(`clone-${this.#threadIds + 1}`, nice));
      await this.#startThread(thread);
    }
    thread.phase = 'serving';
    if (thread.nice !== nice) {
      thread.nice = nice;
      await thread.ask({ kind: 'nice', nice });
    }
    return thread;
  }

  #onThreadReport(report: ThreadReport): void {
    switch (report.kind) {
      case 'log':
        this.#options.log(report.level, report.text, {
          ...report.fields,
          ...(report.msu === '' ? {} : { msu: report.msu, instance: report.instanceId }),
        });
        return;
      case 'counter': {
        const instance = this.#instances.get(report.instanceId);
        if (instance !== undefined) instance.counterNames[report.slot] = report.name;
        return;
      }
      case 'ready':
      case 'answer':
        return;
    }
  }

  #event(kind: RuntimeEvent['kind'], thread: ThreadId, instance: AgentInstance | null, detail: string): void {
    const event: RuntimeEvent = {
      atMs: this.#options.clock.now(),
      kind,
      threadId: thread,
      instanceId: instance?.id ?? instanceId(0),
      msu: instance?.msu.name ?? '',
      detail,
    };
    this.#events.push(event);
    if (this.#events.length > eventsMax) this.#events.shift();
    this.#options.log(kind === 'thread-started' ? 'debug' : 'warn', `${kind}: ${detail}`, {
      thread,
      ...(instance === null ? {} : { msu: instance.msu.name, instance: instance.id }),
    });
  }

  /** A worker is gone. Its instances get a replacement, unless their restart policy says no. */
  #onThreadEnd(thread: AgentThread, end: ThreadEnd): void {
    if (this.#isClosed) return;
    if (thread.killReason === 'stop') {
      this.#threads.delete(thread.id);
      this.#sampler.forgetThread(thread.id);
      return;
    }
    const origin: HostOrigin = thread.killReason === 'run-limit' ? 'run-limit' : 'thread-lost';
    const why = describeEnd(origin, end);
    const instances = [...thread.instances].flatMap((id) => this.#instances.get(id) ?? []);
    this.#event('thread-lost', thread.id, null, `thread ${thread.options.name} ${why}`);
    for (const instance of instances) {
      instance.phase = 'lost';
      instance.isTold = false;
    }
    if (instances.length === 0 || thread.options.guest !== undefined) {
      this.#threads.delete(thread.id);
      this.#sampler.forgetThread(thread.id);
      if (thread.options.guest === undefined && this.#isWithinIntensity('', defaultRestart)) this.#addSpare();
      return;
    }
    thread.replacing = this.#replace(thread, instances, origin, end.exitCode === 0 && end.error === null);
  }

  async #replace(
    thread: AgentThread,
    instances: readonly AgentInstance[],
    origin: HostOrigin,
    isNormalEnd: boolean,
  ): Promise<void> {
    const { culprit } = thread;
    // What shared the thread with a runaway is lost with it, and not to blame.
    const originOf = (instance: AgentInstance): HostOrigin =>
      culprit === null || instance.id === culprit ? origin : 'thread-lost';
    const givenUp = instances.filter((instance) => !this.#mayRestart(instance.msu, isNormalEnd));
    const kept = instances.filter((instance) => !givenUp.includes(instance));
    thread.restarts++;
    await this.#startThread(thread);
    if (!thread.isRunning) return; // Died again: #onThreadEnd goes on from there.
    await this.#giveReplyWays(thread);
    for (const instance of givenUp) {
      await this.#forgetInTables(instance);
      await this.#bury(instance, thread, originOf(instance));
      thread.instances.delete(instance.id);
      this.#event(
        'instance-given-up',
        thread.id,
        instance,
        `restart intensity of '${instance.msu.name}' is used up`,
      );
    }
    await this.#distribute([...this.#tables.keys()], thread);
    for (const instance of kept) {
      // It may have been removed meanwhile.
      if (!thread.instances.has(instance.id)) continue;
      const hosted = await this.#host(instance, originOf(instance));
      if (!hosted.isOk) this.#event('instance-lost', thread.id, instance, hosted.detail);
    }
    if (!thread.isRunning) return;
    await this.#distribute([...this.#tables.keys()]);
    await this.#begin(kept);
    this.#event('thread-replaced', thread.id, kept[0] ?? null, `thread ${thread.options.name} runs again`);
    if (thread.instances.size === 0) this.#stopThread(thread);
  }

  #mayRestart(msu: GraphMsu, isNormalEnd: boolean): boolean {
    const { kind } = msu.restart;
    if (kind === 'temporary' || (kind === 'transient' && isNormalEnd)) return false;
    return this.#isWithinIntensity(msu.name, msu.restart);
  }

  /** Counts a restart of a type, or of spare threads (no name). */
  #isWithinIntensity(name: string, { intensity, periodMs }: RestartPolicy): boolean {
    const now = this.#options.clock.now();
    const recent = (this.#restarts.get(name) ?? []).filter((at) => at > now - periodMs);
    recent.push(now);
    this.#restarts.set(name, recent);
    return recent.length <= intensity;
  }

  #stopThread(thread: AgentThread): void {
    thread.killReason = 'stop';
    void within(thread.started, startMaxMs).then(() => thread.terminate());
    this.#threads.delete(thread.id);
    this.#sampler.forgetThread(thread.id);
  }

  /** Kills threads whose event runs over its limit, or that do not go through their loop. */
  #findRunaways(): void {
    const now = this.#options.clock.now();
    for (const thread of this.#threads.values()) {
      if (!thread.isRunning || thread.phase !== 'serving' || thread.killReason !== null) continue;
      const running = Atomics.load(thread.block.words, ThreadWord.running);
      const startedAt = thread.block.floats[ThreadFloat.eventStartedAt] as number;
      const instance = this.#instances.get(instanceId(running));
      if (instance !== undefined) {
        const limit = instance.msu.runLimitMs;
        if (limit > 0 && now - startedAt > limit) this.#kill(thread, instance, now - startedAt);
        continue;
      }
      const stuck = this.#findStuck(thread, now);
      if (stuck !== null)
        this.#kill(thread, stuck, now - (thread.block.floats[ThreadFloat.beatAt] as number));
    }
  }

  /** Code outside of events (continuations, socket callbacks) shows only by the thread's loop standing still. */
  #findStuck(thread: AgentThread, now: number): AgentInstance | null {
    const limited = [...thread.instances]
      .flatMap((id) => this.#instances.get(id) ?? [])
      .filter((instance) => instance.msu.runLimitMs > 0);
    if (limited.length === 0) return null;
    const least = limited.reduce((a, b) => (a.msu.runLimitMs <= b.msu.runLimitMs ? a : b));
    // A thread that nobody has rung is at rest, not stuck, however late the agent itself is.
    if (thread.hasBeaten) return null;
    const silentSince = Math.max(thread.unansweredSinceMs, thread.startedAtMs + beatGraceMs);
    if (thread.hosting > 0 && now - silentSince < createMaxMs) return null;
    return now - silentSince > least.msu.runLimitMs + beatGraceMs ? least : null;
  }

  #kill(thread: AgentThread, instance: AgentInstance, ranMs: number): void {
    thread.killReason = 'run-limit';
    thread.culprit = instance.id;
    const detail = `'${instance.msu.name}' ran ${Math.round(ranMs)} ms, its limit is ${instance.msu.runLimitMs} ms`;
    this.#event('run-limit-kill', thread.id, instance, detail);
    const generation = thread.generation;
    void thread.terminate();
    setTimeout(() => {
      if (!thread.isRunning || thread.generation !== generation) return;
      this.#options.onFatal({
        msu: instance.msu.name,
        instanceId: instance.id,
        detail: `${detail}, and its thread did not end within ${terminateMaxMs} ms`,
      });
    }, terminateMaxMs).unref();
  }

  // ── instances and lanes ──────────────────────────────────────────────────────────────────────────────────

  #newInstance(id: InstanceId, msu: GraphMsu, thread: AgentThread): AgentInstance {
    const instance = new AgentInstance(id, msu, thread.id);
    this.#instances.set(id, instance);
    thread.instances.add(id);
    thread.phase = 'serving';
    return instance;
  }

  #laneBounds(msu: GraphMsu): LaneBounds {
    const { laneMaxMessages, laneMaxBytes, messageMaxBytes } = this.#options.limits;
    const maxMessages =
      msu.queueMaxMessages > 0 ? Math.min(laneMaxMessages, msu.queueMaxMessages) : laneMaxMessages;
    return { slots: laneMaxMessages, maxMessages, spillBytes: laneMaxBytes, messageMaxBytes };
  }

  /** Reply lanes hold every outstanding reply, and as many notices. */
  #replyBounds(): LaneBounds {
    const { requestsMax, laneMaxBytes, messageMaxBytes } = this.#options.limits;
    return {
      slots: requestsMax * 2,
      maxMessages: requestsMax * 2,
      spillBytes: laneMaxBytes,
      messageMaxBytes,
    };
  }

  /** May instances of this type have something to tell the instance: a reply, or an error notice? */
  #answersTo(server: string, instance: AgentInstance): boolean {
    const { name } = instance.msu;
    if (this.#wiring.serversOf(name).has(server)) return true;
    return this.#withErrorHandler.has(name) && this.#wiring.downstreamOf(name).has(server);
  }

  #typesOn(thread: AgentThread): Set<string> {
    return new Set([...thread.instances].flatMap((id) => this.#instances.get(id)?.msu.name ?? []));
  }

  /** Makes the ways back from a thread to whoever its instances may have to answer, where they are missing. */
  async #giveReplyWays(thread: AgentThread, alsoFor?: string): Promise<void> {
    const types = this.#typesOn(thread);
    if (alsoFor !== undefined) types.add(alsoFor);
    const ways: { instance: AgentInstance; lane: LaneMemory }[] = [];
    for (const instance of this.#instances.values()) {
      if (instance.threadId === thread.id) continue;
      if (![...types].some((type) => this.#answersTo(type, instance))) continue;
      let lane = instance.replyLanes.get(thread.id);
      if (lane === undefined) {
        lane = createLaneMemory(this.#replyBounds());
        instance.replyLanes.set(thread.id, lane);
        if (instance.isTold) {
          void this.#threads
            .get(instance.threadId)
            ?.ask({ kind: 'attach', instanceId: instance.id, lanes: [{ lane, isReply: true }] });
        }
      }
      ways.push({ instance, lane });
    }
    if (ways.length === 0) return;
    await thread.ask({
      kind: 'reply-ways',
      ways: ways.flatMap(({ instance, lane }) => {
        const target = this.#threads.get(instance.threadId);
        if (target === undefined) return [];
        const wantsNotices = this.#withErrorHandler.has(instance.msu.name);
        return [{ instanceId: instance.id, lane, threadBlock: target.block.buffer, wantsNotices }];
      }),
    });
  }

  /** Creates the instance on its thread, with all ways to and from it. */
  async #host(instance: AgentInstance, origin: HostOrigin): Promise<Outcome> {
    const thread = this.#threads.get(instance.threadId);
    if (thread === undefined) return failed('no-thread', 'its thread is gone');
    await this.#giveReplyWays(thread);
    for (const other of this.#threads.values()) {
      if (other === thread || other.instances.size === 0) continue;
      if ([...this.#typesOn(other)].some((type) => this.#answersTo(type, instance)))
        await this.#giveReplyWays(other);
    }
    thread.hosting++;
    instance.isTold = true;
    const answer = await thread.ask({
      kind: 'host',
      instanceId: instance.id,
      msu: instance.msu.name,
      block: instance.block,
      lanes: instance.allLanes(),
      origin,
      isBuried: false,
    });
    thread.hosting--;
    thread.startedAtMs = this.#options.clock.now();
    if (!answer.isOk) return failed('start-failed', answer.detail);
    instance.phase = 'serving';
    if (answer.hasErrorHandler && !this.#withErrorHandler.has(instance.msu.name)) {
      this.#withErrorHandler.add(instance.msu.name);
      for (const other of this.#threads.values())
        if (other.instances.size > 0) await this.#giveReplyWays(other);
    }
    return ok;
  }

  /** Lets hosted instances serve; their threads have the tables by which they send. */
  async #begin(instances: readonly AgentInstance[]): Promise<void> {
    for (const instance of instances) {
      await this.#threads.get(instance.threadId)?.ask({ kind: 'begin', instanceIds: [instance.id] });
    }
  }

  // ── tables ───────────────────────────────────────────────────────────────────────────────────────────────

  /** Gives tables to every thread that sends by them, or to one. Resolves when all use them. */
  async #distribute(edgeIds: readonly number[], only?: AgentThread): Promise<Outcome> {
    const threads = only === undefined ? [...this.#threads.values()] : [only];
    const answers = await Promise.all(
      threads.map(async (thread) => {
        if (!thread.isRunning) return ok;
        const types = this.#typesOn(thread);
        const tables = edgeIds.flatMap((edgeId) => {
          const edge = this.#options.graph.edges[edgeId];
          const table = this.#tables.get(edgeId);
          return edge === undefined || table === undefined || !types.has(edge.fromMsu)
            ? []
            : [this.#tableFor(thread, table)];
        });
        if (tables.length === 0) return ok;
        const answer = await thread.ask({ kind: 'tables', tables });
        return answer.isOk || !thread.isRunning ? ok : failed('start-failed', answer.detail);
      }),
    );
    return answers.find((answer) => !answer.isOk) ?? ok;
  }

  #tableFor(thread: AgentThread, table: RoutingTable): ThreadTable {
    const endpoints: ThreadEndpoint[] = [];
    for (const endpoint of table.endpoints) {
      const instance = this.#instances.get(endpoint.instanceId);
      if (instance === undefined || endpoint.process !== this.#options.process) continue;
      // An instance without a thread keeps its lanes, and takes up what waits there when it is back; but within
      // its thread there is nothing to send to.
      const isHere = instance.threadId === thread.id;
      if (instance.phase === 'starting' || (isHere && instance.phase === 'lost')) continue;
      endpoints.push({
        instanceId: instance.id,
        weight: endpoint.weight,
        isDraining: endpoint.isDraining || instance.phase === 'draining',
        block: instance.block,
        way: isHere ? null : this.#wayTo(instance, thread),
      });
    }
    // A thread sees one agent, whose tables only get newer, whatever versions controllers give them.
    return { edgeId: table.edgeId, version: ++this.#tablesGiven, endpoints };
  }

  #wayTo(instance: AgentInstance, from: AgentThread): NonNullable<ThreadEndpoint['way']> {
    const { memory, isNew } = instance.lane(from.id, this.#laneBounds(instance.msu));
    const thread = this.#threads.get(instance.threadId) as AgentThread;
    if (isNew && instance.isTold) {
      void thread.ask({ kind: 'attach', instanceId: instance.id, lanes: [{ lane: memory, isReply: false }] });
    }
    return { lane: memory, threadBlock: thread.block.buffer };
  }

  async #forgetInTables(instance: AgentInstance): Promise<void> {
    const changed: number[] = [];
    for (const [edgeId, table] of this.#tables) {
      if (!table.endpoints.some((endpoint) => endpoint.instanceId === instance.id)) continue;
      const endpoints = table.endpoints.filter((endpoint) => endpoint.instanceId !== instance.id);
      this.#tables.set(edgeId, { ...table, endpoints });
      changed.push(edgeId);
    }
    await this.#distribute(changed);
  }

  // ── commands ─────────────────────────────────────────────────────────────────────────────────────────────

  onReport(listener: (report: Report) => void): void {
    this.#listeners.push(listener);
  }

  send(command: Command): Promise<CommandResult> {
    const known = this.#commands.get(command.commandId);
    if (known !== undefined) return known;
    const result = this.#execute(command);
    this.#commands.set(command.commandId, result);
    if (this.#commands.size > commandsMax) {
      const [oldest] = this.#commands.keys();
      this.#commands.delete(oldest as string);
    }
    return result;
  }

  async #execute(command: Command): Promise<CommandResult> {
    const { commandId } = command;
    const startedAt = this.#options.clock.now();
    if (command.epoch < this.#epoch) {
      const detail = `epoch ${command.epoch} is older than ${this.#epoch}`;
      return { commandId, isOk: false, reason: 'stale-epoch', detail };
    }
    this.#epoch = command.epoch;
    let outcome: Outcome;
    try {
      outcome = await this.#carryOut(command.body, command.epoch);
    } catch (error) {
      outcome = failed('start-failed', error instanceof Error ? error.message : String(error));
    }
    if (outcome.isOk) return { commandId, isOk: true, tookMs: this.#options.clock.now() - startedAt };
    return { commandId, isOk: false, reason: outcome.reason, detail: outcome.detail };
  }

  async #carryOut(body: CommandBody, epoch: number): Promise<Outcome> {
    switch (body.kind) {
      case 'add-instance':
        return this.#add(body);
      case 'drain-instance':
        return this.#drain(body.instanceId, body.drainMaxMs);
      case 'remove-instance':
        return this.#remove(body.instanceId);
      case 'set-tables':
        for (const table of body.tables) {
          const current = this.#tables.get(table.edgeId);
          const isSameEpoch = this.#tableEpochs.get(table.edgeId) === epoch;
          if (isSameEpoch && current !== undefined && table.version < current.version) continue;
          this.#tableEpochs.set(table.edgeId, epoch);
          this.#tables.set(table.edgeId, table);
        }
        return this.#distribute(body.tables.map((table) => table.edgeId));
    }
  }

  async #add(body: Extract<CommandBody, { kind: 'add-instance' }>): Promise<Outcome> {
    if (this.#instances.has(body.instanceId))
      return failed('start-failed', `instance ${body.instanceId} exists`);
    if (this.#instances.size >= this.#options.limits.instancesMax) {
      return failed('limit', `limits.instancesMax (${this.#options.limits.instancesMax}) is reached`);
    }
    const msu = this.#msu(body.msu);
    const thread =
      body.target.kind === 'own'
        ? await this.#ownThread(body.nice)
        : (this.#threads.get(body.target.threadId) ?? null);
    if (thread === null || !thread.isRunning)
      return failed('no-thread', 'there is no such thread, and none can be made');
    const instance = this.#newInstance(body.instanceId, msu, thread);
    const edges = this.#wiring.from(msu.name).map((edge) => edge.id);
    const hosted = await this.#host(instance, 'new');
    if (!hosted.isOk) {
      this.#dispose(instance);
      return hosted;
    }
    // Downstream first: it can send before anybody sends to it.
    const distributed = await this.#distribute(edges, thread);
    await this.#begin([instance]);
    return distributed;
  }

  async #drain(id: InstanceId, maxMs: number): Promise<Outcome> {
    const instance = this.#instances.get(id);
    if (instance === undefined) return failed('unknown-instance', `there is no instance ${id}`);
    if (instance.phase === 'lost') return ok;
    instance.phase = 'draining';
    const thread = this.#threads.get(instance.threadId);
    const answer = await within(thread?.ask({ kind: 'drain', instanceId: id }), maxMs);
    if (answer?.isOk === true) return ok;
    return failed('not-drained', answer?.detail ?? `still busy after ${Math.round(maxMs)} ms`);
  }

  async #remove(id: InstanceId): Promise<Outcome> {
    const instance = this.#instances.get(id);
    if (instance === undefined) return ok; // Gone already: removing is idempotent.
    await this.#forgetInTables(instance);
    const thread = this.#threads.get(instance.threadId);
    await this.#settled(instance);
    if (instance.phase !== 'lost') await thread?.ask({ kind: 'remove', instanceId: id });
    else {
      const undertaker = thread?.isRunning === true ? thread : await this.#ownThread(0);
      if (undertaker === null)
        return failed('no-thread', 'there is no thread to end what waits for the lost instance');
      await this.#bury(instance, undertaker, 'thread-lost');
      if (undertaker !== thread && undertaker.instances.size === 0) this.#stopThread(undertaker);
    }
    this.#dispose(instance);
    return ok;
  }

  /** Waits while the instance's thread is being replaced: then it serves again, or is lost for good. */
  async #settled(instance: AgentInstance): Promise<void> {
    const thread = this.#threads.get(instance.threadId);
    let awaited: Promise<void> | undefined;
    while (thread !== undefined && thread.replacing !== awaited) {
      awaited = thread.replacing;
      await awaited;
    }
  }

  /** Ends everything that waits for a lost instance as failed, on a thread that may be another than its own. */
  async #bury(instance: AgentInstance, thread: AgentThread, origin: HostOrigin): Promise<void> {
    await this.#giveReplyWays(thread, instance.msu.name);
    const answer = await thread.ask({
      kind: 'host',
      instanceId: instance.id,
      msu: instance.msu.name,
      block: instance.block,
      lanes: instance.allLanes(),
      origin,
      isBuried: true,
    });
    if (!answer.isOk) this.#event('instance-lost', thread.id, instance, answer.detail);
  }

  /** Forgets an instance, and its thread where nothing is left on it. */
  #dispose(instance: AgentInstance): void {
    this.#instances.delete(instance.id);
    this.#sampler.forget(instance.id);
    const thread = this.#threads.get(instance.threadId);
    thread?.instances.delete(instance.id);
    const lanes = [...instance.lanes.values()].map((lane) => lane.probe.memory.id);
    const replyLanes = [...instance.replyLanes.values()].map((lane) => lane.id);
    const gone: number[] = [...lanes, ...replyLanes];
    if (thread !== undefined && thread.instances.size === 0) {
      this.#stopThread(thread);
      // Lanes that this thread wrote: their readers drop them when they are empty.
      for (const other of this.#instances.values()) {
        const lane = other.lanes.get(thread.id);
        if (lane !== undefined) {
          lane.isClosing = true;
          gone.push(lane.probe.memory.id);
        }
        const reply = other.replyLanes.get(thread.id);
        if (reply !== undefined) {
          other.replyLanes.delete(thread.id);
          gone.push(reply.id);
        }
      }
      const spares = [...this.#threads.values()].filter((candidate) => candidate.instances.size === 0).length;
      if (spares < this.#options.spareThreads) this.#addSpare();
    }
    for (const other of this.#threads.values()) {
      void other.ask({ kind: 'forget', instanceIds: [instance.id], laneIds: gone });
    }
  }

  // ── reports ──────────────────────────────────────────────────────────────────────────────────────────────

  #sample(): void {
    const { clock, machine, process } = this.#options;
    const now = clock.now();
    const threads = [...this.#threads.values()];
    const threadSamples = threads.map((thread) => this.#sampler.thread(thread));
    const all = [...this.#instances.values()];
    const instances = threads.flatMap((thread) =>
      this.#sampler.instances(
        thread,
        all.filter((instance) => instance.threadId === thread.id),
        this.#window,
      ),
    );
    // What was given up has no thread any more, and is reported until it is removed.
    const rest = all.filter((instance) => !this.#threads.has(instance.threadId));
    instances.push(...this.#sampler.instances(null, rest, this.#window));
    const report: Report = {
      machine,
      process,
      incarnation: this.#incarnation,
      sequence: ++this.#sequence,
      atMs: now,
      windowMs: now - this.#lastSampleMs,
      epoch: this.#epoch,
      tables: [...this.#tables.values()].map(({ edgeId, version }) => ({ edgeId, version })),
      machineSample: this.#sampler.machine(now),
      processSample: this.#sampler.process(this.#loopDelay.max / 1e6),
      threads: threadSamples,
      instances,
      events: this.#events,
    };
    this.#events = [];
    this.#loopDelay.reset();
    this.#lastSampleMs = now;
    this.#window++;
    for (const instance of this.#instances.values()) instance.stats[InstanceFloat.window] = this.#window;
    for (const listener of this.#listeners) listener(report);
  }

  /** Takes a sample now: for tests, and before the end. */
  sampleNow(): void {
    this.#sample();
  }
}

function cloneThread(
  name: string,
  nice: number,
): Pick<AgentThreadOptions, 'name' | 'core' | 'nice' | 'scheduling'> {
  return { name, core: -1, nice, scheduling: 'fifo' };
}

function failed(reason: Failure, detail: string): Outcome {
  return { isOk: false, reason, detail };
}

/** What work comes to, or undefined where it takes longer. Leaves no timer behind. */
async function within<T>(work: Promise<T> | undefined, ms: number): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), ms);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

function describeEnd(origin: HostOrigin, end: ThreadEnd): string {
  if (origin === 'run-limit') return 'was ended: it ran over its limit';
  const code = (end.error as { code?: string } | null)?.code;
  if (code === 'ERR_WORKER_OUT_OF_MEMORY')
    return 'ran out of memory (its heap limit is limits.threadHeapMaxMiB)';
  return end.error === null
    ? `exited with code ${end.exitCode}`
    : `died of ${end.error.stack ?? end.error.message}`;
}
