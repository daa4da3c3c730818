/**
 * Makes the ways between instances: lanes, reply lanes, and the tables that threads send by; and tells threads of
 * instances together with the ways to them.
 *
 * I1. A lane that is made before its instance's worker is told of the instance comes with it; one that is made
 *     afterwards is attached. `isTold` separates the two.
 * I2. A table that a thread has names only instances that are hosted, or were: a lost one keeps its lanes, and its
 *     replacement takes up what waits there. Within the lost one's own thread there is nothing to send to.
 * I3. Of a type with states by key, all tables that lead to it by key are one, whichever came last, and have one version
 *     in all threads. They are given in steps, one table of a type after the other: all instances of the type are told who
 *     owns which keys; those that lose some hand them over; that is in force; then senders are told. Before the next one,
 *     what was sent by the last has been taken and is where it belongs, as long as that takes no more than `settleMaxMs`:
 *     or messages might meet on ways that cross.
 */
import type { GraphEdge, GraphMsu, InstanceId, ThreadId } from '../model/index.ts';
import { createLaneMemory, type LaneBounds, type LaneMemory } from '../transport/index.ts';
import type { Endpoint } from '../wire/index.ts';
import type { AgentInstance } from './agent-instance.ts';
import { type AgentState, failed, type Outcome, ok, within } from './agent-state.ts';
import type { AgentThread } from './agent-thread.ts';
import type { HostOrigin, ThreadEndpoint, ThreadSibling, ThreadTable } from './thread-messages.ts';

/** A table waits at most so long for the one before to settle: a queue may be long, and a thread lost. */
const settleMaxMs = 2_000;
/** Between two looks whether an instance is lost, or back. */
const lostPollMs = 10;

/** What all threads have, or are about to have, of a type with states by key (I3). */
interface KeyedTable {
  readonly version: number;
  readonly endpoints: readonly Endpoint[];
}

export class AgentLinks {
  readonly #state: AgentState;
  /** Version of the newest table; larger than what marks messages that no table decided on (`routedToFormer`, `routedBack`). */
  #version = 2;
  /** By type, what was given last; the edge that it came from; and when its last step is done. */
  readonly #keyedTables = new Map<string, KeyedTable>();
  readonly #keyedEdges = new Map<string, GraphEdge>();
  readonly #keyedSteps = new Map<string, Promise<unknown>>();
  readonly #keyedTurns = new Map<string, Promise<unknown>>();

  constructor(state: AgentState) {
    this.#state = state;
  }

  #laneBounds(msu: GraphMsu): LaneBounds {
    const { laneMaxMessages, laneMaxBytes, messageMaxBytes } = this.#state.options.limits;
    const maxMessages =
      msu.queueMaxMessages > 0 ? Math.min(laneMaxMessages, msu.queueMaxMessages) : laneMaxMessages;
    const isOrdered = msu.order === 'fifo' && (msu.execution !== 'async' || msu.concurrency === 1);
    return { isOrdered, slots: laneMaxMessages, maxMessages, spillBytes: laneMaxBytes, messageMaxBytes };
  }

  /** Reply lanes hold every outstanding reply, and as many notices. */
  #replyBounds(): LaneBounds {
    const { requestsMax, laneMaxBytes, messageMaxBytes } = this.#state.options.limits;
    return {
      isOrdered: true,
      slots: requestsMax * 2,
      maxMessages: requestsMax * 2,
      spillBytes: laneMaxBytes,
      messageMaxBytes,
    };
  }

  /** May instances of this type have something to tell the instance: a reply, or an error notice? */
  #answersTo(server: string, instance: AgentInstance): boolean {
    const { name } = instance.msu;
    if (this.#state.wiring.serversOf(name).has(server)) return true;
    return this.#state.withErrorHandler.has(name) && this.#state.wiring.downstreamOf(name).has(server);
  }

  /** Makes the ways back from a thread to whoever its instances may have to answer, where they are missing. */
  async giveReplyWays(thread: AgentThread, alsoFor?: string): Promise<void> {
    const types = this.#state.typesOn(thread);
    if (alsoFor !== undefined) types.add(alsoFor);
    const ways: { instance: AgentInstance; lane: LaneMemory }[] = [];
    for (const instance of this.#state.instances.values()) {
      if (instance.threadId === thread.id) continue;
      if (![...types].some((type) => this.#answersTo(type, instance))) continue;
      let lane = instance.replyLanes.get(thread.id);
      if (lane === undefined) {
        lane = createLaneMemory(this.#replyBounds());
        instance.replyLanes.set(thread.id, lane);
        if (instance.isTold) {
          void this.#state.threads
            .get(instance.threadId)
            ?.ask({ kind: 'attach', instanceId: instance.id, lanes: [{ lane, kind: 'reply' }] });
        }
      }
      ways.push({ instance, lane });
    }
    if (ways.length === 0) return;
    await thread.ask({
      kind: 'reply-ways',
      ways: ways.flatMap(({ instance, lane }) => {
        const target = this.#state.threads.get(instance.threadId);
        if (target === undefined) return [];
        const wantsNotices = this.#state.withErrorHandler.has(instance.msu.name);
        return [{ instanceId: instance.id, lane, threadBlock: target.block.buffer, wantsNotices }];
      }),
    });
  }

  /** Creates the instance on its thread, with all ways to and from it. */
  async host(instance: AgentInstance, origin: HostOrigin): Promise<Outcome> {
    const thread = this.#state.threads.get(instance.threadId);
    if (thread === undefined) return failed('no-thread', 'its thread is gone');
    await this.giveReplyWays(thread);
    for (const other of this.#state.threads.values()) {
      if (other === thread || other.instances.size === 0) continue;
      if ([...this.#state.typesOn(other)].some((type) => this.#answersTo(type, instance)))
        await this.giveReplyWays(other);
    }
    thread.hosting++;
    instance.isTold = true;
    const answer = await thread.ask({
      kind: 'host',
      instanceId: instance.id,
      msu: instance.msu.name,
      block: instance.block,
      lanes: instance.allLanes(),
      counterNames: instance.counterNames,
      origin,
      isBuried: false,
    });
    thread.hosting--;
    thread.startedAtMs = this.#state.options.clock.now();
    if (!answer.isOk) return failed('start-failed', answer.detail);
    instance.phase = 'serving';
    const closing = [...instance.lanes.values()].filter(({ isClosing }) => isClosing);
    if (closing.length > 0)
      this.#tellGone(
        [],
        closing.map(({ probe }) => probe.memory.id),
        thread,
      );
    if (answer.hasErrorHandler && !this.#state.withErrorHandler.has(instance.msu.name)) {
      this.#state.withErrorHandler.add(instance.msu.name);
      for (const other of this.#state.threads.values())
        if (other.instances.size > 0) await this.giveReplyWays(other);
    }
    return ok;
  }

  /** Lets hosted instances serve; their threads have the tables by which they send. */
  async begin(instances: readonly AgentInstance[]): Promise<void> {
    for (const instance of instances) {
      await this.#state.threads.get(instance.threadId)?.ask({ kind: 'begin', instanceIds: [instance.id] });
      instance.hasBegun = instance.phase !== 'lost';
    }
  }

  /** Gives tables to every thread that sends by them, or to one. Resolves when all use them. */
  async distribute(edgeIds: readonly number[], only?: AgentThread): Promise<Outcome> {
    const { edges } = this.#state.options.graph;
    const wanted = edgeIds.flatMap((edgeId) => edges[edgeId] ?? []);
    const keyed = wanted.filter((edge) => this.#isByKey(edge));
    const others = wanted.filter((edge) => !keyed.includes(edge));
    const version = ++this.#version;
    const given = [
      this.#giveTables(only, (thread) =>
        others.flatMap((edge) => this.#tableFor(thread, edge, version, this.#endpointsOf(edge))),
      ),
      ...[...new Set(keyed.map((edge) => edge.toMsu))].map((msu) =>
        this.#distributeKeyed(
          msu,
          keyed.filter((edge) => edge.toMsu === msu),
          only,
        ),
      ),
    ];
    const outcomes = await Promise.all(given);
    return outcomes.find((outcome) => !outcome.isOk) ?? ok;
  }

  #isByKey({ toMsu, routing }: GraphEdge): boolean {
    return this.#state.msu(toMsu).state === 'keyed' && (routing === 'keyed' || routing === 'same-instance');
  }

  #edgesByKey(msu: string): GraphEdge[] {
    return this.#state.options.graph.edges.filter((edge) => edge.toMsu === msu && this.#isByKey(edge));
  }

  /** One after the other (I3). What threads answer to the last step is not waited for by the next. */
  async #distributeKeyed(msu: string, changed: readonly GraphEdge[], only?: AgentThread): Promise<Outcome> {
    if (only === undefined) {
      const turn = (this.#keyedTurns.get(msu) ?? Promise.resolve()).then(() => this.#settle(msu));
      this.#keyedTurns.set(msu, turn);
      await turn;
    }
    const before = this.#keyedSteps.get(msu) ?? Promise.resolve();
    const steps = before.then(async () => {
      const table = only === undefined ? this.#newKeyedTable(msu, changed) : this.#keyedTables.get(msu);
      if (table === undefined) return [];
      await this.#giveOwners(msu, table, only);
      return [
        this.#giveTables(only, (thread) =>
          this.#edgesByKey(msu).flatMap((edge) =>
            this.#tableFor(thread, edge, table.version, table.endpoints),
          ),
        ),
      ];
    });
    this.#keyedSteps.set(msu, steps);
    const outcomes = await Promise.all(await steps);
    return outcomes.find((outcome) => !outcome.isOk) ?? ok;
  }

  /** What the table before has set going has come to its end, or has had its time. */
  async #settle(msu: string): Promise<void> {
    const { threads, instances, options } = this.#state;
    const endsAt = options.clock.now() + settleMaxMs;
    const isLost = (): boolean =>
      [...instances.values()].some((instance) => instance.msu.name === msu && instance.phase === 'lost');
    while (isLost() && options.clock.now() < endsAt) {
      await new Promise((resolve) => setTimeout(resolve, lostPollMs));
    }
    const hosts = [...threads.values()].filter((thread) => this.#state.typesOn(thread).has(msu));
    const settled = Promise.all(hosts.map((thread) => thread.ask({ kind: 'settle', msu })));
    await within(settled, Math.max(1, endsAt - options.clock.now()));
  }

  #newKeyedTable(msu: string, changed: readonly GraphEdge[]): KeyedTable | undefined {
    const known = this.#keyedEdges.get(msu);
    // Where all were set, they are alike, or it is not known which is newer.
    const isAll = changed.length === this.#edgesByKey(msu).length;
    const edge = known !== undefined && isAll ? known : changed[changed.length - 1];
    if (edge === undefined) return undefined;
    this.#keyedEdges.set(msu, edge);
    const table = { version: ++this.#version, endpoints: this.#endpointsOf(edge) };
    this.#keyedTables.set(msu, table);
    return table;
  }

  /** Tells the instances of a type who owns which keys; resolves when they have handed over what that takes from them. */
  async #giveOwners(msu: string, table: KeyedTable, only?: AgentThread): Promise<void> {
    const { threads } = this.#state;
    const hosts = [...(only === undefined ? threads.values() : [only])].filter((thread) =>
      this.#state.typesOn(thread).has(msu),
    );
    const { version } = table;
    const isInForce = only !== undefined;
    for (let isDone = false; !isDone; ) {
      const restarts = this.#restartsOf(msu);
      const told = hosts.map((thread) => {
        const siblings = this.#siblingsFor(thread, msu, table);
        return thread.ask({ kind: 'owners', msu, version, isInForce, siblings });
      });
      await Promise.all(told);
      if (isInForce) return;
      const handedOver = Promise.all(hosts.map((thread) => thread.ask({ kind: 'hand-over', msu })));
      // Whoever is lost meanwhile takes with it what it was told: then all begin anew, and do not wait for it.
      while (!isDone && this.#restartsOf(msu) === restarts)
        isDone = (await within(handedOver, lostPollMs)) !== undefined;
    }
    // In force as soon as the thread comes to it: until then it only takes a longer way.
    for (const thread of hosts) void thread.ask({ kind: 'owners-in-force', msu, version });
  }

  /** How often instances of a type have lost their threads. */
  #restartsOf(msu: string): number {
    const instances = [...this.#state.instances.values()].filter((instance) => instance.msu.name === msu);
    return instances.reduce((sum, { restarts }) => sum + restarts, 0);
  }

  #siblingsFor(thread: AgentThread, msu: string, table: KeyedTable): ThreadSibling[] {
    const own = [...thread.instances].flatMap((id) => this.#state.instances.get(id) ?? []);
    const from = own.filter((instance) => instance.msu.name === msu);
    return table.endpoints.flatMap((endpoint) => {
      const instance = this.#state.instances.get(endpoint.instanceId);
      const home = instance === undefined ? undefined : this.#state.threads.get(instance.threadId);
      if (instance === undefined || home === undefined) return [];
      const isHere = home === thread;
      return {
        instanceId: instance.id,
        weight: endpoint.weight,
        isDraining: endpoint.isDraining,
        block: instance.block,
        hasBegun: instance.hasBegun,
        restarts: instance.restarts,
        threadBlock: home.block.buffer,
        lanes: isHere
          ? []
          : from.map(({ id }) => ({ from: id, lane: this.#siblingLane(instance, id, home) })),
      };
    });
  }

  #siblingLane(to: AgentInstance, from: InstanceId, home: AgentThread): LaneMemory {
    const { memory, isNew } = to.siblingLane(from, this.#laneBounds(to.msu));
    if (isNew && to.isTold)
      void home.ask({ kind: 'attach', instanceId: to.id, lanes: [{ lane: memory, kind: 'sibling' }] });
    return memory;
  }

  async #giveTables(
    only: AgentThread | undefined,
    tablesFor: (thread: AgentThread) => ThreadTable[],
  ): Promise<Outcome> {
    const threads = only === undefined ? [...this.#state.threads.values()] : [only];
    const answers = await Promise.all(
      threads.map(async (thread) => {
        if (!thread.isRunning) return ok;
        const tables = tablesFor(thread);
        if (tables.length === 0) return ok;
        const answer = await thread.ask({ kind: 'tables', tables });
        return answer.isOk || !thread.isRunning ? ok : failed('start-failed', answer.detail);
      }),
    );
    return answers.find((answer) => !answer.isOk) ?? ok;
  }

  /** Endpoints of an edge that are there now. */
  #endpointsOf(edge: GraphEdge): Endpoint[] {
    return (this.#state.tables.get(edge.id)?.endpoints ?? []).flatMap((endpoint) => {
      const instance = this.#state.instances.get(endpoint.instanceId);
      if (instance === undefined || endpoint.process !== this.#state.options.process) return [];
      if (instance.phase === 'starting') return [];
      return { ...endpoint, isDraining: endpoint.isDraining || instance.phase === 'draining' };
    });
  }

  #tableFor(
    thread: AgentThread,
    edge: GraphEdge,
    version: number,
    endpoints: readonly Endpoint[],
  ): ThreadTable[] {
    if (!this.#state.typesOn(thread).has(edge.fromMsu) || !this.#state.tables.has(edge.id)) return [];
    const ways = endpoints.flatMap(({ instanceId, weight, isDraining }): ThreadEndpoint[] => {
      const instance = this.#state.instances.get(instanceId);
      if (instance === undefined) return [];
      // An instance without a thread keeps its lanes, and takes up what waits there when it is back; but within
      // its thread there is nothing to send to.
      const isHere = instance.threadId === thread.id;
      if (isHere && instance.phase === 'lost') return [];
      const way = isHere ? null : this.#wayTo(instance, thread);
      const isKeyed = instance.msu.state === 'keyed';
      return [{ instanceId, weight, isDraining, block: instance.block, isKeyed, way }];
    });
    return [{ edgeId: edge.id, version, endpoints: ways }];
  }

  #wayTo(instance: AgentInstance, from: AgentThread): NonNullable<ThreadEndpoint['way']> {
    const { memory, isNew } = instance.lane(from.id, this.#laneBounds(instance.msu));
    const thread = this.#state.threads.get(instance.threadId) as AgentThread;
    if (isNew && instance.isTold) {
      void thread.ask({
        kind: 'attach',
        instanceId: instance.id,
        lanes: [{ lane: memory, kind: 'message' }],
      });
    }
    return { lane: memory, threadBlock: thread.block.buffer };
  }

  async forgetInTables(instance: AgentInstance): Promise<void> {
    const changed: number[] = [];
    for (const [edgeId, table] of this.#state.tables) {
      if (!table.endpoints.some((endpoint) => endpoint.instanceId === instance.id)) continue;
      const endpoints = table.endpoints.filter((endpoint) => endpoint.instanceId !== instance.id);
      this.#state.tables.set(edgeId, { ...table, endpoints });
      changed.push(edgeId);
    }
    await this.distribute(changed);
  }

  /** A thread is gone for good: the lanes that it wrote are dropped by their readers when they are empty. */
  forgetThread(id: ThreadId): void {
    const gone: number[] = [];
    for (const instance of this.#state.instances.values()) {
      const lane = instance.lanes.get(id);
      if (lane !== undefined) {
        lane.isClosing = true;
        gone.push(lane.probe.memory.id);
      }
      const reply = instance.replyLanes.get(id);
      if (reply !== undefined) {
        instance.replyLanes.delete(id);
        gone.push(reply.id);
      }
    }
    if (gone.length > 0) this.#tellGone([], gone);
  }

  /** An instance is gone for good, and all lanes that lead to it, or from it to others of its type. */
  forgetInstance(instance: AgentInstance): void {
    const gone = instance.allLanes().map(({ lane }) => lane.id);
    for (const other of this.#state.instances.values()) {
      const lane = other.siblingLanes.get(instance.id);
      if (lane === undefined) continue;
      lane.isClosing = true;
      gone.push(lane.probe.memory.id);
    }
    this.#tellGone([instance.id], gone);
  }

  #tellGone(instanceIds: readonly InstanceId[], laneIds: readonly number[], only?: AgentThread): void {
    const threads = only === undefined ? this.#state.threads.values() : [only];
    for (const thread of threads) void thread.ask({ kind: 'forget', instanceIds, laneIds });
  }

  /** Ends everything that waits for a lost instance as failed, on a thread that may be another than its own. */
  async bury(instance: AgentInstance, thread: AgentThread, origin: HostOrigin): Promise<void> {
    await this.giveReplyWays(thread, instance.msu.name);
    const answer = await thread.ask({
      kind: 'host',
      instanceId: instance.id,
      msu: instance.msu.name,
      block: instance.block,
      lanes: instance.allLanes(),
      counterNames: instance.counterNames,
      origin,
      isBuried: true,
    });
    if (!answer.isOk) this.#state.event('instance-lost', thread.id, instance, answer.detail);
  }
}
