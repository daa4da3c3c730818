/**
 * The agent of a runtime process: the thread that runs no user code. It makes threads, instances and lanes,
 * carries out commands, watches for what runs too long or dies, and reports.
 *
 * I1. Every instance has exactly one thread; a lane belongs to the pair (sending thread, receiving instance) and
 *     outlives both ends' workers.
 * I2. Commands are carried out once: a `commandId` seen before is answered as it was. One of an older epoch than
 *     seen is refused (fencing).
 *
 * Its parts: `agent-links.ts` (lanes, tables), `agent-threads.ts` (starting and replacing threads), `agent-watch.ts`
 * (what runs too long), `sampler.ts` (figures); what they share is in `agent-state.ts`.
 */
import { randomUUID } from 'node:crypto';
import { type GraphMsu, type InstanceId, instanceId, ShoalError } from '../model/index.ts';
import {
  type Command,
  type CommandBody,
  type CommandResult,
  type ControlBus,
  type Heartbeat,
  type Report,
  restPeriods,
} from '../wire/index.ts';
import { AgentInstance } from './agent-instance.ts';
import { AgentLinks } from './agent-links.ts';
import { type AgentOptions, AgentState, failed, type Outcome, ok, within } from './agent-state.ts';
import type { AgentThread } from './agent-thread.ts';
import { AgentThreads, type InitialThread, startMaxMs } from './agent-threads.ts';
import { AgentWatch } from './agent-watch.ts';
import { terminateMaxMs } from './ending-allowance.ts';
import { InstanceFloat } from './shared-block.ts';

/**
 * At most between two looks for handlers that run too long. Everything that the agent does at intervals is done in
 * such a beat: each time that the agent wakes takes 0.1 ms from the threads of its core.
 */
const beatMaxMs = 50;
/**
 * A thread with a run limit is woken this often, to see that it still goes through its loop; others, in case something
 * happened to a bell, once in so many times. Those that are parked wake by themselves.
 */
const ringPeriodMs = 100;
const ringsBetweenOthers = 10;
/**
 * A beat that comes so late, by more than what the process's threads had of the cores meanwhile: the process stood still.
 * More than a scheduler lets it wait behind others, and less than half of a window of the controller.
 */
const standstillMinMs = 200;
/** Reports in which times say nothing about loads: that of the standstill, and one in which ends what was in progress. */
export const reportsOfStandstill = 2;
/** Answers to commands that are remembered (I2). */
const commandsMax = 10_000;

/** What all threads of this process have used. */
function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
}

export class Agent implements ControlBus {
  readonly #state: AgentState;
  readonly #links: AgentLinks;
  readonly #threadPool: AgentThreads;
  readonly #watcher: AgentWatch;
  readonly #commands = new Map<string, Promise<CommandResult>>();
  readonly #listeners: ((report: Report) => void)[] = [];
  readonly #heartbeatListeners: ((heartbeat: Heartbeat) => void)[] = [];
  readonly #heartbeat: Heartbeat;
  #beatTimer: NodeJS.Timeout | undefined;
  /** How late a beat came at most since the last report. */
  #loopDelayMs = 0;
  /** For how long the process last stood still, and in how many more reports that is to be said. */
  #stoodStillMs = 0;
  #reportsToSay = 0;
  /** Epoch of the controller that set a table: versions count within it. */
  readonly #tableEpochs = new Map<number, number>();
  #epoch = 0;
  #sequence = 0;
  #window = 0;
  #lastSampleMs = 0;
  /** The first report is due; or, since the last one, a command has come or was answered. */
  #hasNews = true;

  constructor(options: AgentOptions) {
    const { machine, process } = options;
    this.#heartbeat = { machine, process, incarnation: randomUUID() };
    this.#state = new AgentState(options);
    this.#links = new AgentLinks(this.#state);
    this.#threadPool = new AgentThreads(this.#state, this.#links);
    this.#watcher = new AgentWatch(this.#state);
  }

  // ── start and end ────────────────────────────────────────────────────────────────────────────────────────

  /** Starts the initial threads and instances, receivers before senders, with every instance an endpoint. */
  async start(threads: readonly InitialThread[]): Promise<void> {
    process.once('exit', this.#letEnd);
    const placed: { msu: GraphMsu; thread: AgentThread }[] = [];
    for (const initial of threads) {
      const thread = this.#threadPool.newThread(initial);
      for (const name of initial.instances) placed.push({ msu: this.#state.msu(name), thread });
    }
    await Promise.all(
      [...this.#state.threads.values()].map((thread) => this.#threadPool.startThread(thread)),
    );
    const rank = (name: string): number => this.#state.wiring.order.indexOf(name);
    const instances = placed.map(({ msu, thread }, at) => this.#newInstance(instanceId(at + 1), msu, thread));
    // Receivers first; entries only when all tables are in force, so that the first message has somewhere to go.
    const inOrder = [...instances].sort((a, b) => rank(b.msu.name) - rank(a.msu.name));
    const inner = inOrder.filter((instance) => !instance.msu.isEntry);
    for (const instance of inner) await this.#mustHost(instance);
    for (const edge of this.#state.options.graph.edges) {
      const endpoints = instances
        .filter((instance) => instance.msu.name === edge.toMsu)
        .map((instance) => ({
          instanceId: instance.id,
          machine: this.#state.options.machine,
          process: this.#state.options.process,
          weight: 1,
          isDraining: false,
        }));
      this.#state.tables.set(edge.id, { edgeId: edge.id, version: 0, endpoints });
    }
    await this.#links.distribute([...this.#state.tables.keys()]);
    for (const instance of inOrder) if (instance.msu.isEntry) await this.#mustHost(instance);
    await this.#links.distribute([...this.#state.tables.keys()]);
    for (const instance of inOrder) await this.#links.begin([instance]);
    this.#watch();
    for (let i = 0; i < this.#state.options.spareThreads; i++) this.#threadPool.addSpare();
  }

  async #mustHost(instance: AgentInstance): Promise<void> {
    const hosted = await this.#links.host(instance, 'new');
    if (!hosted.isOk) {
      throw new ShoalError(
        'SHOAL_START_FAILED',
        `An instance of '${instance.msu.name}' could not be started: ${hosted.detail}`,
        { msu: instance.msu.name, detail: hosted.detail },
      );
    }
  }

  /** At the end of the process Node waits for its threads. */
  readonly #letEnd = (): void => {
    for (const thread of this.#state.threads.values()) thread.letEnd();
  };

  #watch(): void {
    const { clock, samplePeriodMs } = this.#state.options;
    const beatsPerSample = Math.ceil(samplePeriodMs / beatMaxMs);
    const beatMs = samplePeriodMs / beatsPerSample;
    const beatsPerRing = Math.max(1, Math.floor(ringPeriodMs / beatMs));
    let beats = 0;
    let beatsSinceSample = 0;
    let lastBeatMs = clock.now();
    let lastCpuMs = cpuMs();
    this.#lastSampleMs = lastBeatMs;
    this.#beatTimer = setInterval(() => {
      const now = clock.now();
      const usedMs = cpuMs();
      const stoodStillMs = now - lastBeatMs - (usedMs - lastCpuMs);
      this.#loopDelayMs = Math.max(this.#loopDelayMs, now - lastBeatMs - beatMs);
      lastBeatMs = now;
      lastCpuMs = usedMs;
      beats++;
      if (stoodStillMs >= standstillMinMs) this.#onStandstill(now, stoodStillMs);
      this.#watcher.findRunaways(now);
      if (beats % beatsPerRing === 0) this.#ring(now, beats % (beatsPerRing * ringsBetweenOthers) === 0);
      beatsSinceSample++;
      const periods = this.#isSampleAwaited() ? 1 : restPeriods;
      if (stoodStillMs >= standstillMinMs || beatsSinceSample >= periods * beatsPerSample) {
        beatsSinceSample = 0;
        this.#sample();
      } else if (beatsSinceSample % beatsPerSample === 0) {
        for (const listener of this.#heartbeatListeners) listener(this.#heartbeat);
      }
    }, beatMs);
  }

  /** A pause is no load: handlers have not run for so long, and messages have not waited for want of instances. */
  #onStandstill(now: number, stoodStillMs: number): void {
    this.#state.resumedAtMs = now;
    this.#stoodStillMs = stoodStillMs;
    this.#reportsToSay = reportsOfStandstill;
    const text = `the process stood still for ${Math.round(stoodStillMs)} ms: it was stopped or frozen, its machine paused, or it had no core; what was measured meanwhile is left out`;
    this.#state.options.log('warn', text, {});
  }

  /** Whether there is news, or more to do than there is time for. To be asked in every beat: instances compare with the last. */
  #isSampleAwaited(): boolean {
    let isAwaited = this.#hasNews || this.#reportsToSay > 0 || this.#state.events.length > 0;
    for (const instance of this.#state.instances.values()) {
      if (instance.isPressed() || instance.phase !== 'serving') isAwaited = true;
    }
    return isAwaited;
  }

  #ring(now: number, isForAll: boolean): void {
    for (const thread of this.#state.threads.values()) {
      if (thread.isParked || !(isForAll || this.#watcher.watches(thread))) continue;
      if (thread.hasBeaten) thread.unansweredSinceMs = now;
      thread.ring();
    }
  }

  /**
   * Ends everything that still runs: entries first, each instance when it is idle, within `drainMaxMs` in all.
   * Answers whether all of it ended by itself.
   */
  async drain(): Promise<boolean> {
    const endsAt = this.#state.options.clock.now() + this.#state.options.drainMaxMs;
    let isClean = true;
    for (const name of this.#state.wiring.order) {
      const instances = [...this.#state.instances.values()].filter((instance) => instance.msu.name === name);
      const drained = await Promise.all(
        instances.map((instance) =>
          this.#drain(instance.id, Math.max(1, endsAt - this.#state.options.clock.now())),
        ),
      );
      if (drained.some((outcome) => !outcome.isOk)) isClean = false;
    }
    return isClean;
  }

  /** Stops all threads, whatever they do, ends what still waits, and reports for the last time. */
  async close(): Promise<void> {
    if (this.#state.isClosed) return;
    this.#state.isClosed = true;
    clearInterval(this.#beatTimer);
    const threads = [...this.#state.threads.values()];
    // Node leaves the files open that a thread was reading its modules from when it was ended.
    await within(Promise.all(threads.map((thread) => thread.started)), startMaxMs);
    await Promise.all(threads.map((thread) => within(thread.ask({ kind: 'stop' }), terminateMaxMs)));
    for (const thread of threads) thread.killReason = 'stop';
    await within(Promise.all(threads.map((thread) => thread.end())), terminateMaxMs * 2);
    process.removeListener('exit', this.#letEnd);
    this.#state.pipes.close();
    for (const instance of this.#state.instances.values()) {
      if (this.#state.threads.get(instance.threadId)?.isRunning !== true) instance.settle();
    }
    this.#sample();
    this.#state.sampler.close();
  }

  #newInstance(id: InstanceId, msu: GraphMsu, thread: AgentThread): AgentInstance {
    const instance = new AgentInstance(id, msu, thread.id);
    this.#state.instances.set(id, instance);
    thread.instances.add(id);
    thread.phase = 'serving';
    this.#threadPool.setPriority(thread);
    return instance;
  }

  // ── commands ─────────────────────────────────────────────────────────────────────────────────────────────

  onReport(listener: (report: Report) => void): void {
    this.#listeners.push(listener);
  }

  onHeartbeat(listener: (heartbeat: Heartbeat) => void): void {
    this.#heartbeatListeners.push(listener);
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
    this.#hasNews = true;
    const { commandId } = command;
    const startedAt = this.#state.options.clock.now();
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
    this.#hasNews = true;
    if (outcome.isOk) return { commandId, isOk: true, tookMs: this.#state.options.clock.now() - startedAt };
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
          const current = this.#state.tables.get(table.edgeId);
          const isSameEpoch = this.#tableEpochs.get(table.edgeId) === epoch;
          if (isSameEpoch && current !== undefined && table.version < current.version) continue;
          this.#tableEpochs.set(table.edgeId, epoch);
          this.#state.tables.set(table.edgeId, table);
        }
        return this.#links.distribute(body.tables.map((table) => table.edgeId));
    }
  }

  async #add(body: Extract<CommandBody, { kind: 'add-instance' }>): Promise<Outcome> {
    if (this.#state.instances.has(body.instanceId))
      return failed('start-failed', `instance ${body.instanceId} exists`);
    if (this.#state.instances.size >= this.#state.options.limits.instancesMax) {
      return failed('limit', `limits.instancesMax (${this.#state.options.limits.instancesMax}) is reached`);
    }
    const msu = this.#state.msu(body.msu);
    const thread =
      body.target.kind === 'own'
        ? await this.#threadPool.ownThread(body.nice)
        : (this.#state.threads.get(body.target.threadId) ?? null);
    if (thread === null || !thread.isRunning)
      return failed('no-thread', 'there is no such thread, and none can be made');
    const instance = this.#newInstance(body.instanceId, msu, thread);
    const edges = this.#state.wiring.from(msu.name).map((edge) => edge.id);
    const hosted = await this.#links.host(instance, 'new');
    if (!hosted.isOk) {
      this.#dispose(instance);
      return hosted;
    }
    // Downstream first: it can send before anybody sends to it.
    const distributed = await this.#links.distribute(edges, thread);
    await this.#links.begin([instance]);
    return distributed;
  }

  async #drain(id: InstanceId, maxMs: number): Promise<Outcome> {
    const instance = this.#state.instances.get(id);
    if (instance === undefined) return failed('unknown-instance', `there is no instance ${id}`);
    if (instance.phase === 'lost') return ok;
    instance.phase = 'draining';
    const thread = this.#state.threads.get(instance.threadId);
    const answer = await within(thread?.ask({ kind: 'drain', instanceId: id }), maxMs);
    if (answer?.isOk === true) return ok;
    return failed('not-drained', answer?.detail ?? `still busy after ${Math.round(maxMs)} ms`);
  }

  async #remove(id: InstanceId): Promise<Outcome> {
    const instance = this.#state.instances.get(id);
    if (instance === undefined) return ok; // Gone already: removing is idempotent.
    await this.#links.forgetInTables(instance);
    const thread = this.#state.threads.get(instance.threadId);
    instance.isLeaving = true;
    await this.#settled(instance);
    if (instance.phase !== 'lost') {
      const removed = await thread?.ask({ kind: 'remove', instanceId: id });
      // Its thread may have died over it, of what it was doing.
      if (removed?.isOk !== true) await this.#settled(instance);
    }
    if (instance.phase === 'lost') {
      const isThere = thread?.isRunning === true && thread.killReason === null;
      const undertaker = isThere ? thread : await this.#threadPool.ownThread(0);
      if (undertaker === null)
        return failed('no-thread', 'there is no thread to end what waits for the lost instance');
      await this.#links.bury(instance, undertaker, 'thread-lost');
      if (undertaker !== thread && undertaker.instances.size === 0) this.#threadPool.stopThread(undertaker);
    }
    this.#dispose(instance);
    return ok;
  }

  /** Waits while the instance's thread is being replaced: then it serves again, or is lost for good. */
  async #settled(instance: AgentInstance): Promise<void> {
    const thread = this.#state.threads.get(instance.threadId);
    let awaited: Promise<void> | undefined;
    while (thread !== undefined && thread.replacing !== awaited) {
      awaited = thread.replacing;
      await awaited;
    }
  }

  /** Forgets an instance, and its thread where nothing is left on it. */
  #dispose(instance: AgentInstance): void {
    this.#state.instances.delete(instance.id);
    this.#state.sampler.forget(instance.id);
    const thread = this.#state.threads.get(instance.threadId);
    thread?.instances.delete(instance.id);
    if (thread !== undefined && thread.instances.size === 0) {
      this.#threadPool.stopThread(thread);
      const spares = [...this.#state.threads.values()].filter(
        (candidate) => candidate.instances.size === 0,
      ).length;
      if (spares < this.#state.options.spareThreads) this.#threadPool.addSpare();
    }
    this.#links.forgetInstance(instance);
  }

  // ── reports ──────────────────────────────────────────────────────────────────────────────────────────────

  #sample(): void {
    const now = this.#state.options.clock.now();
    const threads = [...this.#state.threads.values()];
    const windowMs = now - this.#lastSampleMs;
    const threadSamples = threads.map((thread) => this.#state.sampler.thread(thread));
    for (const thread of threads)
      this.#threadPool.onCoreShare(thread, this.#state.sampler.windowCpuMs(thread) / windowMs);
    const all = [...this.#state.instances.values()];
    const instances = threads.flatMap((thread) =>
      this.#state.sampler.instances(
        thread,
        all.filter((instance) => instance.threadId === thread.id),
        this.#window,
      ),
    );
    // What was given up has no thread any more, and is reported until it is removed.
    const rest = all.filter((instance) => !this.#state.threads.has(instance.threadId));
    instances.push(...this.#state.sampler.instances(null, rest, this.#window));
    const machineSample = this.#state.sampler.machine(now);
    const report: Report = {
      ...this.#heartbeat,
      sequence: ++this.#sequence,
      atMs: now,
      windowMs,
      stoodStillMs: this.#reportsToSay > 0 ? this.#stoodStillMs : 0,
      epoch: this.#epoch,
      tables: [...this.#state.tables.values()].map(({ edgeId, version }) => ({ edgeId, version })),
      machineSample,
      processSample: this.#state.sampler.process(
        this.#loopDelayMs,
        this.#state.options.graph,
        machineSample.memoryBytes,
        instances,
      ),
      threads: threadSamples,
      instances,
      events: this.#state.events,
    };
    this.#state.events = [];
    this.#hasNews = false;
    this.#reportsToSay = Math.max(0, this.#reportsToSay - 1);
    this.#loopDelayMs = 0;
    this.#lastSampleMs = now;
    this.#window++;
    for (const instance of this.#state.instances.values())
      instance.stats[InstanceFloat.window] = this.#window;
    for (const listener of this.#listeners) listener(report);
  }
}
