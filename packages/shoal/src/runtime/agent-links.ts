/**
 * Makes the ways between instances: lanes, reply lanes, and the tables that threads send by; and tells threads of
 * instances together with the ways to them.
 *
 * I1. A lane that is made before its instance's worker is told of the instance comes with it; one that is made
 *     afterwards is attached. `isTold` separates the two.
 * I2. A table that a thread has names only instances that are hosted, or were: a lost one keeps its lanes, and its
 *     replacement takes up what waits there. Within the lost one's own thread there is nothing to send to.
 */
import type { GraphMsu, InstanceId, ThreadId } from '../model/index.ts';
import { createLaneMemory, type LaneBounds, type LaneMemory } from '../transport/index.ts';
import type { RoutingTable } from '../wire/index.ts';
import type { AgentInstance } from './agent-instance.ts';
import { type AgentState, failed, type Outcome, ok } from './agent-state.ts';
import type { AgentThread } from './agent-thread.ts';
import type { HostOrigin, ThreadEndpoint, ThreadTable } from './thread-messages.ts';

export class AgentLinks {
  readonly #state: AgentState;
  #tablesGiven = 0;

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
            ?.ask({ kind: 'attach', instanceId: instance.id, lanes: [{ lane, isReply: true }] });
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
    }
  }

  /** Gives tables to every thread that sends by them, or to one. Resolves when all use them. */
  async distribute(edgeIds: readonly number[], only?: AgentThread): Promise<Outcome> {
    const threads = only === undefined ? [...this.#state.threads.values()] : [only];
    const answers = await Promise.all(
      threads.map(async (thread) => {
        if (!thread.isRunning) return ok;
        const types = this.#state.typesOn(thread);
        const tables = edgeIds.flatMap((edgeId) => {
          const edge = this.#state.options.graph.edges[edgeId];
          const table = this.#state.tables.get(edgeId);
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
      const instance = this.#state.instances.get(endpoint.instanceId);
      if (instance === undefined || endpoint.process !== this.#state.options.process) continue;
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
    const thread = this.#state.threads.get(instance.threadId) as AgentThread;
    if (isNew && instance.isTold) {
      void thread.ask({ kind: 'attach', instanceId: instance.id, lanes: [{ lane: memory, isReply: false }] });
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

  /** An instance is gone for good, and all lanes that lead to it. */
  forgetInstance(instance: AgentInstance): void {
    this.#tellGone(
      [instance.id],
      instance.allLanes().map(({ lane }) => lane.id),
    );
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
