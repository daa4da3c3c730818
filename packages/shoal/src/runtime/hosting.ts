/**
 * Carries out what the agent asks of a thread: creates, attaches, routes, drains and removes instances. Requests
 * are carried out one after the other; each is answered.
 */
import {
  type App,
  type AppGraph,
  type GraphMsu,
  type InstanceId,
  isParkable,
  ShoalError,
} from '../model/index.ts';
import { failedCode, LaneReader, LaneWriter, shedCode } from '../transport/index.ts';
import { createContext, type LiveContext, type Log } from './context.ts';
import { Instance } from './instance.ts';
import { KeyOwners, type Sibling } from './key-owners.ts';
import { type LiveEndpoint, publishedQueueLength, Route } from './route.ts';
import { bucketOf, type EndpointKeys, type KeyedRouting } from './routing/index.ts';
import { InstanceFloat, viewThreadBlock } from './shared-block.ts';
import type { SiblingLink } from './sibling-way.ts';
import type {
  ThreadEndpoint,
  ThreadLane,
  ThreadReport,
  ThreadRequest,
  ThreadRequestBody,
  ThreadSibling,
  ThreadTable,
} from './thread-messages.ts';
import type { ThreadRuntime } from './thread-runtime.ts';

/** Between two looks whether a draining instance is idle. */
const drainPollMs = 10;
/** Between two looks whether what waits has been taken. */
const settlePollMs = 2;

const immediate: ReadonlySet<ThreadRequestBody['kind']> = new Set([
  'tables',
  'reply-ways',
  'attach',
  'begin',
  'forget',
]);

/** All that keep senders from having a table: not even an instance that takes long to create holds them up. */
const urgent: ReadonlySet<ThreadRequestBody['kind']> = new Set(['owners', 'owners-in-force']);

/** Who owns the keys of a type, and the ways from each of its instances here to the others. */
interface OwnersHere {
  readonly owners: KeyOwners;
  readonly links: ReadonlyMap<InstanceId, ReadonlyMap<InstanceId, SiblingLink>>;
}

interface Hosted {
  readonly instance: Instance;
  readonly live: LiveContext | null;
}

export class Hosting {
  readonly #thread: ThreadRuntime;
  readonly #graph: AppGraph;
  readonly #loadApp: () => Promise<App>;
  readonly #post: (report: ThreadReport) => void;
  readonly #hosted = new Map<InstanceId, Hosted>();
  /** By lane id: one writer a lane, however often the lane is posted. */
  readonly #writers = new Map<number, LaneWriter>();
  /** By type. */
  readonly #owners = new Map<string, OwnersHere>();
  /** How the newest table to a type routes by key: all routes to it share it. */
  readonly #keyed = new Map<string, { readonly version: number; readonly keyed: KeyedRouting }>();
  #last: Promise<void> = Promise.resolve();
  #isBusy = 0;
  /** Requests that look again and again, and wait for the event loop in between. */
  #settling = 0;
  /** No instance here needs the event loop, whatever it is doing. */
  #hasOnlyParkable = false;

  constructor(options: {
    thread: ThreadRuntime;
    graph: AppGraph;
    loadApp: () => Promise<App>;
    post: (report: ThreadReport) => void;
  }) {
    this.#thread = options.thread;
    this.#graph = options.graph;
    this.#loadApp = options.loadApp;
    this.#post = options.post;
    for (const edge of options.graph.edges) {
      const from = this.#msu(edge.fromMsu);
      const to = this.#msu(edge.toMsu);
      this.#thread.routes.set(edge.id, new Route(edge, from, to, this.#thread.limits));
    }
  }

  #msu(name: string): GraphMsu {
    const msu = this.#graph.msus.find((candidate) => candidate.name === name);
    if (msu === undefined)
      throw new ShoalError('SHOAL_START_FAILED', `There is no MSU type '${name}' in the app.`);
    return msu;
  }

  #hostedChanged(): void {
    this.#hasOnlyParkable = [...this.#hosted.values()].every(({ instance }) => isParkable(instance.graph));
  }

  /** A thread may park while nothing is under way here and no instance needs the event loop. */
  get canPark(): boolean {
    if (!this.#hasOnlyParkable || this.#isBusy + this.#settling > 0 || this.#hosted.size === 0) return false;
    for (const { instance } of this.#hosted.values())
      if (instance.isDraining || instance.inProgress > 0) return false;
    return true;
  }

  /** Takes a request; it is answered when it is done. */
  accept(request: ThreadRequest): void {
    const { body } = request;
    // Draining waits for work to end, and must not hold up what comes after it.
    if (body.kind === 'drain') {
      this.#answer(request, this.#drain(body.instanceId));
      return;
    }
    if (body.kind === 'settle' || body.kind === 'hand-over') {
      this.#settling++;
      const done = body.kind === 'settle' ? this.#settle(body.msu) : this.#handOver(body.msu);
      void this.#answer(request, done).finally(() => this.#settling--);
      return;
    }
    // What needs no waiting is carried out at once where nothing is under way: a parked thread can stay so.
    if (urgent.has(body.kind) || (immediate.has(body.kind) && this.#isBusy === 0)) {
      this.#answerNow(request);
      return;
    }
    this.#isBusy++;
    this.#last = this.#last
      .then(() => this.#answer(request, this.#carryOut(body)))
      .finally(() => this.#isBusy--);
  }

  #answerNow(request: ThreadRequest): void {
    try {
      this.#apply(request.body);
      this.#post({ kind: 'answer', requestId: request.requestId, isOk: true, hasErrorHandler: false });
    } catch (error) {
      this.#post({ kind: 'answer', requestId: request.requestId, isOk: false, detail: String(error) });
    }
  }

  async #answer(request: ThreadRequest, work: Promise<boolean>): Promise<void> {
    try {
      const hasErrorHandler = await work;
      this.#post({ kind: 'answer', requestId: request.requestId, isOk: true, hasErrorHandler });
    } catch (error) {
      const detail = error instanceof Error ? (error.stack ?? error.message) : String(error);
      this.#post({ kind: 'answer', requestId: request.requestId, isOk: false, detail });
    }
  }

  async #carryOut(body: ThreadRequestBody): Promise<boolean> {
    switch (body.kind) {
      case 'host':
        return this.#host(body);
      case 'remove':
        await this.#remove(body.instanceId, true);
        return false;
      case 'stop':
        for (const id of [...this.#hosted.keys()]) await this.#remove(id, false);
        return false;
      default:
        this.#apply(body);
        return false;
    }
  }

  /** What needs no waiting. */
  #apply(body: ThreadRequestBody): void {
    switch (body.kind) {
      case 'attach':
        this.#attach(this.#instance(body.instanceId), body.lanes);
        this.#thread.lanesChanged();
        return;
      case 'reply-ways':
        for (const { instanceId, lane, threadBlock, wantsNotices } of body.ways) {
          const bell = viewThreadBlock(threadBlock).words;
          this.#thread.replyWays.set(instanceId, { writer: this.#writer(lane), bell, wantsNotices });
        }
        return;
      case 'tables':
        for (const table of body.tables) this.#install(table);
        return;
      case 'owners':
        this.#takeOwners(body);
        return;
      case 'owners-in-force': {
        if (this.#owners.get(body.msu)?.owners.version !== body.version) return;
        for (const { instance } of this.#hosted.values())
          if (instance.graph.name === body.msu) instance.keys?.putInForce();
        return;
      }
      case 'begin':
        for (const id of body.instanceIds) this.#begin(id);
        return;
      case 'forget':
        this.#forget(body.instanceIds, body.laneIds);
        return;
      default:
        throw new Error(`${body.kind} is not carried out here`);
    }
  }

  #writer(lane: ThreadLane['lane']): LaneWriter {
    let writer = this.#writers.get(lane.id);
    if (writer === undefined) {
      writer = new LaneWriter(lane);
      this.#writers.set(lane.id, writer);
    }
    return writer;
  }

  #install(table: ThreadTable): void {
    const route = this.#thread.routes.get(table.edgeId);
    if (route === undefined) return;
    const endpoints = table.endpoints.map((endpoint) => this.#endpoint(endpoint));
    const msu = route.edge.toMsu;
    const shared = route.isByKey ? this.#keyed.get(msu) : undefined;
    const isSame =
      shared?.version === table.version &&
      shared.keyed.endpoints.length === endpoints.length &&
      shared.keyed.endpoints.every(({ instanceId }, at) => instanceId === endpoints[at]?.instanceId);
    const keyed = isSame ? shared.keyed : undefined;
    route.install(table.version, endpoints, this.#thread.random, () => this.#thread.time(), keyed);
    if (route.isByKey && route.version === table.version && route.keyed !== null)
      this.#keyed.set(msu, { version: table.version, keyed: route.keyed });
  }

  #takeOwners(body: Extract<ThreadRequestBody, { kind: 'owners' }>): void {
    const before = this.#owners.get(body.msu)?.owners ?? null;
    if (before !== null && body.version < before.version) return;
    const siblings = body.siblings.map(
      ({ instanceId, weight, isDraining, hasBegun, restarts, block, lanes }): Sibling => ({
        instanceId,
        weight,
        isDraining,
        isHere: lanes.length === 0,
        hasBegun,
        restarts,
        stats: new Float64Array(block),
      }),
    );
    const owners = new KeyOwners(body.version, siblings, before);
    const here = { owners, links: this.#links(body.siblings) };
    this.#owners.set(body.msu, here);
    for (const { instance } of this.#hosted.values())
      if (instance.graph.name === body.msu) this.#giveOwners(instance, body.isInForce);
  }

  #links(siblings: readonly ThreadSibling[]): OwnersHere['links'] {
    const links = new Map<InstanceId, Map<InstanceId, SiblingLink>>();
    for (const { instanceId, threadBlock, lanes } of siblings) {
      const bell = viewThreadBlock(threadBlock).words;
      for (const { from, lane } of lanes) {
        const own = links.get(from) ?? new Map<InstanceId, SiblingLink>();
        links.set(from, own.set(instanceId, { writer: this.#writer(lane), bell }));
      }
    }
    return links;
  }

  #giveOwners(instance: Instance, isInForce: boolean): void {
    const here = this.#owners.get(instance.graph.name);
    if (here === undefined) return;
    instance.keys?.install(here.owners, here.links.get(instance.id) ?? new Map(), isInForce);
  }

  #endpoint(endpoint: ThreadEndpoint): LiveEndpoint {
    const { instanceId, weight, isDraining, isKeyed, way } = endpoint;
    const stats = new Float64Array(endpoint.block);
    if (way === null) {
      const local = this.#instance(instanceId);
      const queueLength = (): number => local.waiting + local.inProgress;
      const keys = local.keys === null ? null : keysWithin(local);
      return { instanceId, weight, isDraining, stats, local, writer: null, bell: null, queueLength, keys };
    }
    const writer = this.#writer(way.lane);
    const block = viewThreadBlock(way.threadBlock);
    // What this thread has sent there is known exactly; what others have, as of the receiver's last event. An
    // event in service counts as one.
    const queueLength = (): number =>
      Math.max(writer.pending(), publishedQueueLength(stats) + (block.words[2] === instanceId ? 1 : 0));
    const keys = isKeyed ? keysElsewhere(writer) : null;
    return {
      instanceId,
      weight,
      isDraining,
      stats,
      local: null,
      writer,
      bell: block.words,
      queueLength,
      keys,
    };
  }

  #forget(instanceIds: readonly InstanceId[], laneIds: readonly number[]): void {
    for (const id of instanceIds) this.#thread.replyWays.delete(id);
    const gone = new Set(laneIds);
    for (const id of gone) this.#writers.delete(id);
    for (const { instance } of this.#hosted.values()) {
      instance.inbox.closeLanes(gone);
      for (const id of instanceIds) instance.keys?.forget(id);
    }
  }

  #instance(id: InstanceId): Instance {
    const instance = this.#hosted.get(id)?.instance;
    if (instance === undefined) throw new Error(`instance ${id} is not on thread ${this.#thread.id}`);
    return instance;
  }

  #attach(instance: Instance, lanes: readonly ThreadLane[]): void {
    const { inbox } = instance;
    for (const { lane, kind } of lanes) {
      const reader = new LaneReader(lane);
      if (kind === 'reply') inbox.replyLanes.push(reader);
      else if (kind === 'sibling') inbox.addSiblingLane(reader);
      else inbox.addLane(reader);
    }
  }

  async #host(body: Extract<ThreadRequestBody, { kind: 'host' }>): Promise<boolean> {
    const graph = this.#msu(body.msu);
    const instance = new Instance(this.#thread, body.instanceId, graph, body.block);
    this.#attach(instance, body.lanes);
    if (!body.isBuried) this.#giveOwners(instance, true);
    if (body.origin !== 'new') instance.endings.recover(failedCode(body.origin));
    if (body.isBuried) {
      instance.discard(failedCode('thread-lost'));
      return false;
    }
    const app = await this.#loadApp();
    const msu = app.msus.find((candidate) => candidate.options.name === body.msu);
    if (msu === undefined)
      throw new ShoalError('SHOAL_START_FAILED', `The app has no MSU type '${body.msu}' any more.`);
    const log: Log = (level, text, fields = {}) =>
      this.#post({ kind: 'log', level, msu: body.msu, instanceId: body.instanceId, text, fields });
    const live = createContext(instance, log, body.counterNames);
    const handlers = (await msu.create(live.context)) as Instance['handlers'];
    checkHandlers(graph, handlers);
    instance.handlers = handlers;
    this.#hosted.set(body.instanceId, { instance, live });
    // There may be a newer table by now.
    this.#giveOwners(instance, true);
    this.#hostedChanged();
    return instance.handlers.onError !== undefined;
  }

  /** What was sent to a replaced instance waits until it can send in its turn. */
  #begin(id: InstanceId): void {
    const hosted = this.#hosted.get(id);
    if (hosted === undefined) return;
    this.#thread.add(hosted.instance);
    hosted.live?.startTimers();
    this.#thread.requestTurn();
  }

  async #settle(msu: string): Promise<boolean> {
    const since = this.#thread.tick();
    const isUnderWay = (instance: Instance): boolean =>
      instance.graph.name === msu && !instance.hasSettled(since);
    while ([...this.#thread.instances.values()].some(isUnderWay))
      await new Promise<void>((resolve) => this.#thread.after(settlePollMs, resolve));
    return false;
  }

  /** Instances that have not begun have nothing yet. */
  async #handOver(msu: string): Promise<boolean> {
    const instances = [...this.#thread.instances.values()].filter((instance) => instance.graph.name === msu);
    await Promise.all(instances.map((instance) => instance.keys?.handOver()));
    return false;
  }

  /** No new work comes any more: waits until nothing is left. The agent has the deadline. */
  async #drain(id: InstanceId): Promise<boolean> {
    const instance = this.#instance(id);
    instance.isDraining = true;
    // Where no messages come in, work begins with timers.
    if (instance.graph.in.length === 0) this.#hosted.get(id)?.live?.stopTimers();
    await instance.handlers.onDrain?.();
    while (!instance.isIdle && this.#hosted.has(id)) {
      await new Promise<void>((resolve) => this.#thread.after(drainPollMs, resolve));
    }
    return false;
  }

  /** `isAlone`: the others of its type go on. */
  async #remove(id: InstanceId, isAlone: boolean): Promise<void> {
    const hosted = this.#hosted.get(id);
    if (hosted === undefined) return;
    const { instance } = hosted;
    const states = instance.keys?.states.size ?? 0;
    if (isAlone && states > 0) {
      const text = `removed with ${states} states that had not ended and were not handed over: they are lost`;
      this.#post({
        kind: 'log',
        level: 'warn',
        msu: instance.graph.name,
        instanceId: id,
        text,
        fields: { states },
      });
    }
    hosted.live?.stopTimers();
    // What still waits ends as `shed: stopping`; its senders have other endpoints by now.
    hosted.instance.discard(shedCode('stopping'));
    this.#hosted.delete(id);
    this.#hostedChanged();
    const isLast = ![...this.#hosted.values()].some((other) => other.instance.graph === instance.graph);
    if (isLast) this.#owners.delete(instance.graph.name);
    this.#thread.delete(id);
    this.#thread.requestTurn();
    await hosted.instance.handlers.onClose?.();
    hosted.instance.stats[InstanceFloat.queueLength] = 0;
  }
}

/** An instance on this thread: its position is that in its local queue. */
function keysWithin(local: Instance): EndpointKeys {
  const queue = local.inbox.local;
  return {
    next: () => queue.taken + queue.length,
    hasEnded: (position, bucket) =>
      queue.taken > position && !local.isServing((message) => bucketOf(message.flowKey) === bucket),
    eachPending: (visit) => queue.each((envelope, at) => visit(envelope.flowKey, at)),
    look: () => local.poll(),
  };
}

/** An instance on another thread: its position is that in the lane to it. */
function keysElsewhere(writer: LaneWriter): EndpointKeys {
  return {
    next: () => writer.next,
    hasEnded: (position) => writer.hasEnded(position),
    eachPending: (visit) => writer.eachPending(visit),
    look: () => {},
  };
}

/** A JavaScript user gets no help from the compiler: say at start what is missing. */
function checkHandlers(graph: GraphMsu, handlers: Readonly<Record<string, unknown>>): void {
  const names = [...graph.in.map((port) => port.name), ...graph.timers.map((timer) => timer.name)];
  const missing = names.filter((name) => typeof handlers?.[name] !== 'function');
  if (missing.length === 0) return checkMoving(graph, handlers);
  throw new ShoalError(
    'SHOAL_START_FAILED',
    `create() of '${graph.name}' must return a handler function for each in-port and timer; missing: ${missing.join(', ')}.`,
  );
}

/** A state that is exported must be importable at the other end, and the other way about. */
function checkMoving(graph: GraphMsu, handlers: Readonly<Record<string, unknown>>): void {
  const [given, missing] =
    handlers.exportState === undefined ? ['importState', 'exportState'] : ['exportState', 'importState'];
  if (handlers[given as string] === undefined) return;
  if (graph.state !== 'keyed') {
    throw new ShoalError(
      'SHOAL_START_FAILED',
      `create() of '${graph.name}' returns ${given}, but only types with state: 'keyed' have states that move: declare it, or leave ${given} out.`,
    );
  }
  if (typeof handlers[given as string] === 'function' && typeof handlers[missing as string] === 'function')
    return;
  throw new ShoalError(
    'SHOAL_START_FAILED',
    `create() of '${graph.name}' returns ${given} but no ${missing}: keys move only with both functions; add ${missing}, or leave ${given} out.`,
  );
}
