// Three threads in one, with feeders and instances of a keyed type: real instances, lanes and tables.
import assert from 'node:assert/strict';
import {
  type App,
  type Clock,
  connect,
  createSeededRandom,
  defaultLimits,
  defineApp,
  defineMsu,
  describeApp,
  type InstanceId,
  instanceId,
  type Key,
  type Limits,
  receives,
  type SendPort,
  sends,
  threadId,
  value,
} from '../../model/index.ts';
import { createLaneMemory, type LaneMemory } from '../../transport/index.ts';
import { Hosting } from '../hosting.ts';
import { createMessageBlocks, MessageIds } from '../message-ids.ts';
import { bucketOf } from '../routing/index.ts';
import { createInstanceBlock, createThreadBlock, viewThreadBlock } from '../shared-block.ts';
import type { ThreadLane, ThreadReport, ThreadRequestBody } from '../thread-messages.ts';
import { ThreadRuntime } from '../thread-runtime.ts';

interface Numbered {
  readonly n: number;
  readonly isLast: boolean;
}

/** Where the first instances of the keyed type are, by thread; feeders are on the first two. */
export const placed: readonly (readonly number[])[] = [[11, 12], [13], [14, 15]];
export const feeders: readonly number[] = [1, 2];
const keepersMax = 10;
const limits: Limits = {
  ...defaultLimits,
  laneMaxMessages: 256,
  laneMaxBytes: 4_096,
  messageMaxBytes: 1_024,
  turnMaxEvents: 1,
};
const bounds = { isOrdered: true, slots: 256, maxMessages: 256, spillBytes: 4_096, messageMaxBytes: 1_024 };

/** Three keys in each of three buckets: several instances come to hold keys of one bucket. */
export const keys: readonly Key[] = (() => {
  const byBucket = new Map<number, Key[]>();
  const found: Key[] = [];
  for (let key = 1; found.length < 9; key++) {
    const bucket = bucketOf(key);
    const same = byBucket.get(bucket) ?? [];
    byBucket.set(bucket, same);
    same.push(key);
    if (same.length === 3) found.push(...same);
  }
  return found;
})();

/** A clock that stands still between turns. */
export interface ManualClock extends Clock {
  advance(ms: number): void;
}

export class KeyedCluster {
  readonly clock: ManualClock;
  readonly threads: { readonly thread: ThreadRuntime; readonly hosting: Hosting }[] = [];
  readonly blocks: readonly SharedArrayBuffer[] = placed.map(() => createThreadBlock());
  /** Instances of the keyed type that are there, with their blocks, by thread. */
  readonly keepers: readonly Map<number, SharedArrayBuffer>[] = placed.map(() => new Map());
  readonly #blockOf: (msu: string) => SharedArrayBuffer;
  readonly #lanes = new Map<string, LaneMemory>();
  readonly #answers = new Map<number, ThreadReport>();
  #asked = 0;
  readonly #ports = new Map<number, SendPort<Numbered>>();
  /** What each keeper holds: the number that must come next, by feeder. */
  readonly held: Map<number, Map<Key, Map<InstanceId, number>>> = new Map();
  readonly problems: string[] = [];
  readonly next: Map<string, number> = new Map();
  readonly #handledNext = new Map<string, number>();
  handled = 0;
  sent = 0;
  /** Of the table being given: what is still to be done, in this order. False: not yet. */
  plan: (() => boolean)[] = [];
  #version = 2;
  #lastId = 100;
  draining: readonly number[] = [];

  constructor(moves: boolean, clock: ManualClock) {
    this.clock = clock;
    const app = this.#app(moves);
    const graph = describeApp(app);
    this.#blockOf = (name) =>
      createInstanceBlock(graph.msus.find((msu) => msu.name === name) as (typeof graph.msus)[number]);
    const messageBlocks = createMessageBlocks();
    for (const [at] of placed.entries()) {
      const thread = new ThreadRuntime({
        id: threadId(at + 1),
        limits,
        block: viewThreadBlock(this.blocks[at] as SharedArrayBuffer),
        clock: this.clock,
        scheduling: 'fifo',
        random: createSeededRandom(at),
        messageIds: new MessageIds(messageBlocks),
        observer: {
          onError: (_instance, what, error) => this.problems.push(`${what}: ${String(error)}`),
          onCounter: () => {},
        },
      });
      const post = (report: ThreadReport): void => {
        if (report.kind === 'answer') this.#answers.set(report.requestId, report);
      };
      const hosting = new Hosting({ thread, graph, loadApp: async () => app, post });
      this.threads.push({ thread, hosting });
    }
  }

  get keeperIds(): number[] {
    return this.keepers.flatMap((ids) => [...ids.keys()]);
  }

  #app(moves: boolean): App {
    const numbered = value<Numbered>();
    const feeder = defineMsu({
      name: 'feeder',
      out: { feed: sends(numbered) },
      create: (context) => {
        this.#ports.set(context.instanceId, context.out.feed);
        return {};
      },
    });
    const keeper = defineMsu({
      name: 'keeper',
      state: 'keyed',
      in: { feed: receives(numbered) },
      create: (context) => {
        const states = context.states<Map<InstanceId, number>>();
        const mine = new Map<Key, Map<InstanceId, number>>();
        this.held.set(context.instanceId, mine);
        const put = (key: Key, state: Map<InstanceId, number>): void => {
          states.set(key, state);
          mine.set(key, state);
        };
        const drop = (key: Key): void => {
          states.delete(key);
          mine.delete(key);
        };
        return {
          feed: ({ n, isLast }, { flowKey, sender }) => {
            this.handled++;
            const state = states.get(flowKey) ?? new Map<InstanceId, number>();
            const elsewhere = this.keeperIds.filter(
              (id) => id !== context.instanceId && this.held.get(id)?.has(flowKey) === true,
            );
            if (elsewhere.length > 0) this.problems.push(`key ${flowKey} is at ${elsewhere}, too`);
            const name = `${sender} ${flowKey}`;
            const wanted = this.#handledNext.get(name) ?? 0;
            this.#handledNext.set(name, wanted + 1);
            if (n !== wanted) this.problems.push(`key ${flowKey} of ${sender}: ${n} instead of ${wanted}`);
            drop(flowKey);
            state.set(sender, n + 1);
            if (!isLast) put(flowKey, state);
          },
          ...(moves
            ? {
                exportState: (key: Key) => {
                  const state = mine.get(key);
                  drop(key);
                  return [...(state ?? [])];
                },
                importState: (key: Key, state: unknown) => put(key, new Map(state as [InstanceId, number][])),
              }
            : {}),
        };
      },
    });
    return defineApp({
      name: 'test',
      msus: [feeder, keeper],
      edges: [connect(feeder.out.feed, keeper.in.feed)],
    });
  }

  #lane(from: string, to: number): LaneMemory {
    const name = `${from} > ${to}`;
    const lane = this.#lanes.get(name) ?? createLaneMemory(bounds);
    this.#lanes.set(name, lane);
    return lane;
  }

  #post(at: number, body: ThreadRequestBody): () => boolean {
    const requestId = ++this.#asked;
    this.threads[at]?.hosting.accept({ requestId, body });
    return () => {
      const answer = this.#answers.get(requestId);
      if (answer === undefined) return false;
      assert.ok(answer.kind === 'answer' && answer.isOk, JSON.stringify(answer));
      return true;
    };
  }

  async ask(at: number, body: ThreadRequestBody): Promise<void> {
    const isAnswered = this.#post(at, body);
    while (!isAnswered()) await new Promise((resolve) => setImmediate(resolve));
  }

  #now(at: number, body: ThreadRequestBody): void {
    assert.ok(this.#post(at, body)());
  }

  async start(): Promise<void> {
    for (const [at, ids] of placed.entries()) for (const id of ids) await this.add(at, id);
    for (const [at, id] of feeders.entries()) await this.#host(at, id, 'feeder', this.#blockOf('feeder'), []);
  }

  async #host(
    at: number,
    id: number,
    msu: string,
    block: SharedArrayBuffer,
    lanes: readonly ThreadLane[],
  ): Promise<void> {
    const rest = { counterNames: [], origin: 'new', isBuried: false } as const;
    await this.ask(at, { kind: 'host', instanceId: instanceId(id), msu, block, lanes, ...rest });
    await this.ask(at, { kind: 'begin', instanceIds: [instanceId(id)] });
  }

  /** An instance of the keyed type, which is in no table yet. */
  async add(at: number, id: number = ++this.#lastId): Promise<void> {
    const lanes = [0, 1]
      .filter((from) => from !== at)
      .map((from) => ({ lane: this.#lane(`thread ${from}`, id), kind: 'message' as const }));
    const block = this.#blockOf('keeper');
    await this.#host(at, id, 'keeper', block, lanes);
    for (const [other, ids] of this.keepers.entries()) {
      if (other === at) continue;
      for (const sibling of ids.keys()) {
        this.#attach(at, id, this.#lane(`${sibling}`, id));
        this.#attach(other, sibling, this.#lane(`${id}`, sibling));
      }
    }
    this.keepers[at]?.set(id, block);
    this.draining = [...this.draining, id];
  }

  #attach(at: number, id: number, lane: LaneMemory): void {
    this.#now(at, { kind: 'attach', instanceId: instanceId(id), lanes: [{ lane, kind: 'sibling' }] });
  }

  /** An instance that gets nothing new leaves, if it has nothing any more. */
  async remove(id: number): Promise<void> {
    if (this.plan.length > 0 || !this.draining.includes(id)) return;
    await this.settle();
    const at = this.keepers.findIndex((ids) => ids.has(id));
    if (this.threads[at]?.thread.instances.get(instanceId(id))?.isIdle !== true) return;
    const block = this.keepers[at]?.get(id);
    this.keepers[at]?.delete(id);
    this.draining = this.draining.filter((one) => one !== id);
    await this.planTable(
      this.keeperIds.filter((one) => !this.draining.includes(one)),
      [0, 1, 2],
    );
    await this.settle();
    assert.ok(block !== undefined);
    assert.equal(this.held.get(id)?.size, 0, 'whoever leaves has nothing');
    await this.ask(at, { kind: 'remove', instanceId: instanceId(id) });
    const gone = [...this.#lanes].filter(([name]) => name.startsWith(`${id} >`) || name.endsWith(`> ${id}`));
    for (const [name] of gone) this.#lanes.delete(name);
    const laneIds = gone.map(([, lane]) => lane.id);
    for (const [other] of placed.entries())
      this.#now(other, { kind: 'forget', instanceIds: [instanceId(id)], laneIds });
  }

  /** Plans a table as the agent gives it, each step to all threads in an order of the test. */
  async planTable(active: readonly number[], shuffle: readonly number[]): Promise<void> {
    if (this.plan.length > 0 || active.length === 0) return;
    // As the agent waits for it: what was sent by the table before is where it belongs.
    await this.settle();
    const { keeperIds } = this;
    this.draining = keeperIds.filter((id) => !active.includes(id));
    const version = ++this.#version;
    const homeOf = (id: number): number => this.keepers.findIndex((ids) => ids.has(id));
    const endpoints = keeperIds.map((id) => ({
      instanceId: instanceId(id),
      weight: 1,
      isDraining: this.draining.includes(id),
      hasBegun: true,
      restarts: 0,
      isKeyed: true,
      block: this.keepers[homeOf(id)]?.get(id) as SharedArrayBuffer,
      home: homeOf(id),
    }));
    const threadBlock = (at: number): SharedArrayBuffer => this.blocks[at] as SharedArrayBuffer;
    const told = shuffle.map((at) => () => {
      const own = [...(this.keepers[at]?.keys() ?? [])];
      const siblings = endpoints.map((endpoint) => ({
        ...endpoint,
        threadBlock: threadBlock(endpoint.home),
        lanes:
          endpoint.home === at
            ? []
            : own.map((id) => ({ from: instanceId(id), lane: this.#lane(`${id}`, endpoint.instanceId) })),
      }));
      this.#now(at, { kind: 'owners', msu: 'keeper', version, isInForce: false, siblings });
      return true;
    });
    const waiting: (() => boolean)[] = [];
    const handOver = shuffle.map((at) => () => {
      waiting.push(this.#post(at, { kind: 'hand-over', msu: 'keeper' }));
      return true;
    });
    const inForce = shuffle.map((at) => () => {
      if (!waiting.every((isAnswered) => isAnswered())) return false;
      this.#now(at, { kind: 'owners-in-force', msu: 'keeper', version });
      return true;
    });
    const tables = [0, 1].map((at) => () => {
      const ways = endpoints.map((endpoint) => {
        const lane = this.#lane(`thread ${at}`, endpoint.instanceId);
        const way = endpoint.home === at ? null : { lane, threadBlock: threadBlock(endpoint.home) };
        return { ...endpoint, way };
      });
      this.#now(at, { kind: 'tables', tables: [{ edgeId: 0, version, endpoints: ways }] });
      return true;
    });
    this.plan = [...told, ...handOver, ...inForce, ...tables];
  }

  /** The next step of the table, if its turn has come. */
  async step(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
    if (this.plan[0]?.() === true) this.plan.shift();
  }

  send(feeder: number, key: Key, isLast: boolean): void {
    const name = `${feeder} ${key}`;
    const n = this.next.get(name) ?? 0;
    const port = this.#ports.get(feeder) as SendPort<Numbered>;
    if (port.send({ n, isLast }, { flowKey: key }) !== 'accepted') return;
    this.next.set(name, n + 1);
    this.sent++;
  }

  turn(at: number): void {
    this.clock.advance(0.2);
    this.threads[at]?.thread.turn();
  }

  /**
   * A step of a test. `t0`: a turn of a thread. `s1.204`: a feeder sends a message of a key; `s1.204!`: the last for now.
   * `T0,2:012`: a table, by which the first and the third instance own everything; its steps come to the threads in the
   * order behind the colon. `p`: the next of its steps. `a1`: another instance on a thread. `r3`: the fourth one leaves.
   */
  async play(step: string): Promise<void> {
    const [first = '', second = ''] = step.slice(1).split(/[.:]/);
    const at = Number(first);
    const ids = this.keeperIds;
    switch (step[0]) {
      case 't':
        return this.turn(at);
      case 's':
        return this.send(at, Number(second.replace('!', '')), second.endsWith('!'));
      case 'T': {
        const active = first.split(',').map(Number);
        return this.planTable(
          ids.filter((_, index) => active.includes(index)),
          [...second].map(Number),
        );
      }
      case 'p':
        return this.step();
      case 'a':
        if (this.plan.length === 0 && ids.length < keepersMax) await this.add(at);
        return;
      case 'r':
        return this.remove(ids[at] ?? 0);
    }
  }

  /** Plays all of it, until everything has come to its end; throws where anything is wrong. */
  async playAll(steps: readonly string[]): Promise<void> {
    await this.start();
    await this.planTable(this.keeperIds, [0, 1, 2]);
    await this.settle();
    for (const step of steps) {
      await this.play(step);
      assert.deepEqual(this.problems, []);
    }
    await this.settle();
    // States move, and what has ended is forgotten, in their own time.
    for (let round = 0; round < 300; round++) for (const at of placed.keys()) this.turn(at);
    assert.deepEqual(this.problems, []);
    assert.equal(this.handled, this.sent);
  }

  /** Everything that is under way comes to its end. */
  async settle(): Promise<void> {
    const isUnderWay = (): boolean =>
      this.plan.length > 0 ||
      this.threads.some(({ thread }) =>
        [...thread.instances.values()].some((instance) => !instance.hasSettled(this.clock.now())),
      );
    for (let rounds = 0; isUnderWay(); rounds++) {
      assert.ok(rounds < 10_000, 'it comes to an end');
      if (this.plan.length > 0) await this.step();
      for (const at of placed.keys()) this.turn(at);
    }
  }
}
