/**
 * Threads that a test drives by hand, on a clock that stands until it is moved: instances, routes, lanes and ways back
 * as in a runtime, but no workers, so that a test says who runs when.
 */
import {
  type App,
  defaultLimits,
  describeApp,
  instanceId,
  type Limits,
  type MsuContext,
  type PublishPort,
  type RequestPort,
  type SendPort,
  threadId,
} from '../../model/index.ts';
import { createLaneMemory, LaneReader, LaneWriter } from '../../transport/index.ts';
import { createContext, type Log } from '../context.ts';
import { Instance } from '../instance.ts';
import { createMessageBlocks, MessageIds } from '../message-ids.ts';
import { type LiveEndpoint, publishedQueueLength, Route } from '../route.ts';
import { createInstanceBlock, createThreadBlock, viewThreadBlock } from '../shared-block.ts';
import { ThreadRuntime } from '../thread-runtime.ts';

export interface ByHand {
  readonly clock: { nowMs: number; now(): number };
  /** In the order of the placement. */
  readonly threads: readonly ThreadRuntime[];
  /** The first instance of a type; and the context that it was given. */
  instance(msu: string): Instance;
  context(msu: string): MsuContext;
  /** An out-port of it. */
  out<P extends SendPort<never> | PublishPort<never> | RequestPort<never, unknown>>(
    msu: string,
    port: string,
  ): P;
  /** Turns of one thread, or of all, until nothing is left to do now. */
  run(thread?: number): void;
}

/** `placement`: names of types, by thread. */
export async function startByHand(
  app: App,
  placement: readonly (readonly string[])[],
  limitsGiven: Partial<Limits> = {},
): Promise<ByHand> {
  const limits: Limits = { ...defaultLimits, ...limitsGiven };
  const graph = describeApp(app);
  const clock = {
    nowMs: 1,
    now(): number {
      return this.nowMs;
    },
  };
  const messageBlocks = createMessageBlocks();
  const typeOf = (name: string) => graph.msus.find((msu) => msu.name === name)!;
  const threads = placement.map(
    (_, at) =>
      new ThreadRuntime({
        id: threadId(at + 1),
        limits,
        block: viewThreadBlock(createThreadBlock()),
        clock,
        scheduling: 'fifo',
        random: () => 0.5,
        messageIds: new MessageIds(messageBlocks),
        observer: { onError: () => {}, onCounter: () => {} },
      }),
  );
  const hosted = placement.flatMap((names, at) => names.map((name) => ({ name, thread: threads[at]! })));
  const instances = hosted.map(({ name, thread }, at) => {
    const msu = typeOf(name);
    return new Instance(thread, instanceId(at + 1), msu, createInstanceBlock(msu));
  });
  for (const thread of threads) {
    for (const edge of graph.edges)
      thread.routes.set(edge.id, new Route(edge, typeOf(edge.fromMsu), typeOf(edge.toMsu), limits));
  }
  const contexts = new Map<Instance, MsuContext>();
  for (const instance of instances) {
    const { create } = app.msus.find((msu) => msu.options.name === instance.graph.name)!;
    const log: Log = () => {};
    const { context } = createContext(instance, log, []);
    contexts.set(instance, context);
    instance.handlers = (await create(context)) as Instance['handlers'];
  }
  for (const thread of threads) {
    const here = instances.filter((instance) => instance.thread === thread);
    const elsewhere = instances.filter((instance) => instance.thread !== thread);
    const { laneMaxBytes, messageMaxBytes, laneMaxMessages, requestsMax } = limits;
    const ways = new Map(
      elsewhere.map((instance) => {
        const { order, execution, concurrency } = instance.graph;
        const isOrdered = order === 'fifo' && (execution !== 'async' || concurrency === 1);
        const bounds = { spillBytes: laneMaxBytes, messageMaxBytes };
        const messages = { slots: laneMaxMessages, maxMessages: laneMaxMessages };
        const replies = { slots: requestsMax * 2, maxMessages: requestsMax * 2 };
        const lane = createLaneMemory({ ...bounds, ...messages, isOrdered });
        const back = createLaneMemory({ ...bounds, ...replies, isOrdered: true });
        instance.inbox.lanes.push(new LaneReader(lane));
        instance.inbox.replyLanes.push(new LaneReader(back));
        const wantsNotices = instance.handlers.onError !== undefined;
        const bell = instance.thread.block.words;
        thread.replyWays.set(instance.id, { writer: new LaneWriter(back), bell, wantsNotices });
        return [instance, { writer: new LaneWriter(lane), bell }];
      }),
    );
    const endpointOf = (instance: Instance): LiveEndpoint => {
      const way = ways.get(instance);
      const queueLength = (): number =>
        way === undefined
          ? instance.waiting + instance.inProgress
          : Math.max(way.writer.pending(), publishedQueueLength(instance.stats));
      return {
        instanceId: instance.id,
        weight: 1,
        isDraining: false,
        stats: instance.stats,
        local: way === undefined ? instance : null,
        writer: way?.writer ?? null,
        bell: way?.bell ?? null,
        queueLength,
        keys: null,
      };
    };
    for (const route of thread.routes.values()) {
      const receivers = instances.filter((instance) => instance.graph.name === route.edge.toMsu);
      route.install(
        1,
        receivers.map(endpointOf),
        () => 0.5,
        () => thread.time(),
      );
    }
    for (const instance of here) thread.add(instance);
  }
  const first = (name: string): Instance => instances.find((instance) => instance.graph.name === name)!;
  const contextOf = (name: string): MsuContext => contexts.get(first(name))!;
  return {
    clock,
    threads,
    instance: first,
    context: contextOf,
    out: (name, port) => (contextOf(name).out as Readonly<Record<string, never>>)[port]!,
    run: (at) => {
      for (const thread of at === undefined ? threads : [threads[at]!]) {
        // Whoever has sent it something may not have had a turn to ring its bell.
        thread.lanesChanged();
        while (thread.turn());
      }
    },
  };
}
