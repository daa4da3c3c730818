/**
 * Starts threads, and replaces those that die: the replacement is hosted, given its tables, and only then begins;
 * what waited in its lanes goes on behind what was in service.
 */
import {
  defaultRestart,
  type GraphMsu,
  isParkable,
  type RestartPolicy,
  type SchedulingOrder,
  threadId,
} from '../model/index.ts';
import type { GiveUpReason } from '../wire/index.ts';
import type { AgentInstance } from './agent-instance.ts';
import type { AgentLinks } from './agent-links.ts';
import { type AgentState, within } from './agent-state.ts';
import {
  AgentThread,
  type AgentThreadOptions,
  describeThrown,
  type GuestLink,
  type ThreadEnd,
} from './agent-thread.ts';
import { setThreadNice, setThreadSlice } from './native/index.ts';
import { InstanceFloat, ThreadWord } from './shared-block.ts';
import type { HostOrigin, ThreadReport } from './thread-messages.ts';

/**
 * A thread that is no longer wanted while it still loads its modules is waited for this long: Node leaves the files open
 * that it was reading. In a busy test run two seconds seem to have been too few: a file stayed open.
 */
export const startMaxMs = 10_000;

/**
 * Time slice of threads at normal priority, ms: shorter than the kernel's (1.4 on two cores), so that one that wakes for
 * a request takes the core at once from clones, from V8's helpers and from the agent.
 */
const servingSliceMs = 0.3;
/**
 * Of threads that park, ms: shorter again (and the least that the kernel grants), so that one takes the core from the
 * thread that rings it.
 */
const parkingSliceMs = 0.1;
/** Share of a core from which a thread keeps it from others. */
const keptCoreShare = 0.5;

/** A thread that exists from the start, and what is on it. */
export interface InitialThread {
  readonly name: string;
  readonly core: number;
  readonly nice: number;
  readonly scheduling: SchedulingOrder;
  readonly instances: readonly string[];
  /** Present for a thread that is there already. */
  readonly guest?: GuestLink;
}

/** That an instance is not brought back, for programs and for people. */
interface GiveUpVerdict {
  readonly reason: GiveUpReason;
  readonly detail: string;
}

export class AgentThreads {
  readonly #state: AgentState;
  readonly #links: AgentLinks;
  readonly #restarts = new Map<string, number[]>();
  #threadIds = 0;

  constructor(state: AgentState, links: AgentLinks) {
    this.#state = state;
    this.#links = links;
  }

  newThread(
    thread: Pick<AgentThreadOptions, 'name' | 'core' | 'nice' | 'scheduling' | 'guest'>,
  ): AgentThread {
    const { appUrl, graph, limits, seed, printsTo } = this.#state.options;
    const { name, core, nice, scheduling, guest } = thread;
    const id = threadId(++this.#threadIds);
    const made = new AgentThread(
      {
        threadId: id,
        name,
        appUrl,
        graph,
        limits,
        core,
        nice,
        scheduling,
        printsTo,
        seed: seed + id * 1_000,
        messageBlocks: this.#state.messageBlocks,
        ...(guest === undefined ? {} : { guest }),
      },
      this.#state.pipes,
    );
    this.#state.threads.set(id, made);
    return made;
  }

  async startThread(thread: AgentThread): Promise<void> {
    await thread.start(
      this.#state.options.clock.now(),
      (report) => this.#onThreadReport(report),
      (end) => this.#onThreadEnd(thread, end),
    );
    if (!thread.isRunning) return;
    this.setPriority(thread);
    thread.phase = thread.instances.size > 0 ? 'serving' : 'spare';
  }

  /**
   * Says to the kernel how soon a thread is to run, which depends on what is on it. A refusal changes nothing else: nobody
   * is told.
   */
  setPriority({ block, nice, options, instances }: AgentThread): void {
    if (options.guest !== undefined) return;
    const tid = Atomics.load(block.words, ThreadWord.tid);
    if (nice > 0) {
      setThreadNice(nice, tid);
      setThreadSlice(0, tid);
      return;
    }
    const parks =
      instances.size > 0 && [...instances].every((id) => isParkable(this.#state.instances.get(id)!.msu));
    setThreadSlice(parks ? parkingSliceMs : servingSliceMs, tid);
  }

  /**
   * Told of each report: a thread that has used so much of a core since the last one yields from now on, if it is to
   * yield at all. One that uses less takes little from the others, and would wait for them each time.
   */
  onCoreShare(thread: AgentThread, share: number): void {
    const { nice } = thread.options;
    if (share > keptCoreShare && nice > thread.nice && thread.isRunning) {
      thread.nice = nice;
      this.setPriority(thread);
    }
  }

  addSpare(): AgentThread {
    const thread = this.newThread(cloneThread(`spare-${this.#threadIds + 1}`));
    void this.startThread(thread);
    return thread;
  }

  /** A thread for an instance of its own: a spare one, else a new one. */
  async ownThread(nice: number): Promise<AgentThread | null> {
    let thread = [...this.#state.threads.values()].find((candidate) => candidate.phase === 'spare');
    if (thread === undefined) {
      if (this.#state.threads.size >= this.#state.options.limits.threadsMax) return null;
      thread = this.newThread(cloneThread(`clone-${this.#threadIds + 1}`));
      // It is made because there is too much to do.
      thread.nice = nice;
      await this.startThread(thread);
    }
    thread.phase = 'serving';
    if (thread.nice !== nice) {
      thread.nice = nice;
      this.setPriority(thread);
    }
    return thread;
  }

  #onThreadReport(report: ThreadReport): void {
    switch (report.kind) {
      case 'log':
        this.#state.options.log(report.level, report.text, {
          ...report.fields,
          ...(report.msu === '' ? {} : { msu: report.msu, instance: report.instanceId }),
        });
        return;
      case 'counter': {
        const instance = this.#state.instances.get(report.instanceId);
        if (instance !== undefined) instance.counterNames[report.slot] = report.name;
        return;
      }
      case 'ready':
      case 'answer':
        return;
    }
  }

  /** A worker is gone. Its instances get a replacement, unless their restart policy says no. */
  #onThreadEnd(thread: AgentThread, end: ThreadEnd): void {
    if (this.#state.isClosed) return;
    if (thread.killReason === 'stop') return;
    const origin: HostOrigin = thread.killReason === 'run-limit' ? 'run-limit' : 'thread-lost';
    const why = describeEnd(origin, end);
    const instances = [...thread.instances].flatMap((id) => this.#state.instances.get(id) ?? []);
    this.#state.event('thread-lost', thread.id, null, `thread ${thread.options.name} ${why}`);
    for (const instance of instances) {
      instance.phase = 'lost';
      instance.stats[InstanceFloat.runningSince] = 0;
      instance.hasBegun = false;
      instance.restarts++;
      instance.givenUp = null;
      instance.isTold = false;
    }
    if (instances.length === 0 || thread.options.guest !== undefined) {
      this.#forget(thread);
      thread.forget();
      if (thread.options.guest === undefined && this.#isWithinIntensity('', defaultRestart)) this.addSpare();
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
    const staying = instances.filter((instance) => !instance.isLeaving);
    const verdicts = new Map(staying.map((one) => [one, this.#giveUpVerdict(one.msu, isNormalEnd)]));
    const kept = staying.filter((instance) => verdicts.get(instance) === null);
    const gone = instances.filter((instance) => !kept.includes(instance));
    thread.restarts++;
    const generation = thread.generation + 1;
    await this.startThread(thread);
    // It may die again at any time: then another replacement goes on from there, and this one must not touch it.
    const isOver = (): boolean => !thread.isRunning || thread.generation !== generation;
    if (isOver()) return;
    await this.#links.giveReplyWays(thread);
    for (const instance of gone) {
      if (isOver()) return;
      await this.#links.forgetInTables(instance);
      await this.#links.bury(instance, thread, originOf(instance));
      thread.instances.delete(instance.id);
      const verdict = verdicts.get(instance) ?? null;
      if (verdict === null) continue;
      instance.givenUp = verdict.reason;
      this.#state.event('instance-given-up', thread.id, instance, verdict.detail);
    }
    await this.#links.distribute([...this.#state.tables.keys()], thread);
    for (const instance of kept) {
      if (isOver()) return;
      // It may have been removed meanwhile.
      if (!thread.instances.has(instance.id)) continue;
      const hosted = await this.#links.host(instance, originOf(instance));
      if (hosted.isOk) continue;
      instance.givenUp = 'start-failed';
      this.#state.event('instance-lost', thread.id, instance, hosted.detail);
    }
    if (isOver()) return;
    await this.#links.distribute([...this.#state.tables.keys()]);
    await this.#links.begin(kept);
    this.#state.event(
      'thread-replaced',
      thread.id,
      kept[0] ?? null,
      `thread ${thread.options.name} runs again`,
    );
    if (thread.instances.size === 0) this.stopThread(thread);
  }

  /** Why the restart policy of the type says not to bring an instance back; null: it is brought back. */
  #giveUpVerdict(msu: GraphMsu, isNormalEnd: boolean): GiveUpVerdict | null {
    const { name, restart } = msu;
    if (restart.kind === 'temporary')
      return { reason: 'restart-kind', detail: `'${name}' is temporary: it is not started again` };
    if (restart.kind === 'transient' && isNormalEnd) {
      const detail = `'${name}' is transient, and its thread ended normally: it is not started again`;
      return { reason: 'restart-kind', detail };
    }
    if (this.#isWithinIntensity(name, restart)) return null;
    const detail = `restart intensity of '${name}' is used up: more than ${restart.intensity} within ${restart.periodMs} ms`;
    return { reason: 'restart-intensity', detail };
  }

  /** Counts a restart of a type, or of spare threads (no name). */
  #isWithinIntensity(name: string, { intensity, periodMs }: RestartPolicy): boolean {
    const now = this.#state.options.clock.now();
    const recent = (this.#restarts.get(name) ?? []).filter((at) => at > now - periodMs);
    recent.push(now);
    this.#restarts.set(name, recent);
    return recent.length <= intensity;
  }

  stopThread(thread: AgentThread): void {
    thread.killReason = 'stop';
    void within(thread.started, startMaxMs).then(() => thread.end());
    this.#forget(thread);
  }

  #forget(thread: AgentThread): void {
    this.#state.threads.delete(thread.id);
    this.#state.sampler.forgetThread(thread.id);
    this.#links.forgetThread(thread.id);
  }
}

function cloneThread(name: string): Pick<AgentThreadOptions, 'name' | 'core' | 'nice' | 'scheduling'> {
  return { name, core: -1, nice: 0, scheduling: 'fifo' };
}

function describeEnd(origin: HostOrigin, end: ThreadEnd): string {
  if (origin === 'run-limit') return 'was ended: it ran over its limit';
  const code = (end.error as { code?: string } | null)?.code;
  if (code === 'ERR_WORKER_OUT_OF_MEMORY')
    return 'ran out of memory (its heap limit is limits.threadHeapMaxMiB)';
  return end.error === null ? `exited with code ${end.exitCode}` : `died of ${describeThrown(end.error)}`;
}
