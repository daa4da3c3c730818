/**
 * A route: one edge of the graph as one thread sees it. Its table is replaced whole; everything on the path of a
 * message is looked up when the table is installed, not when a message is sent.
 */
import {
  type GraphEdge,
  type GraphMsu,
  type InstanceId,
  type Key,
  type Limits,
  machineId,
  type RoutingPolicy,
} from '../model/index.ts';
import type { LaneWriter } from '../transport/index.ts';
import { type Codec, createCodec, type Envelope, routedToFormer } from '../wire/index.ts';
import { queuedWorkMs } from './credit.ts';
import type { Instance } from './instance.ts';
import {
  createRouter,
  type EndpointKeys,
  type KeyedRouting,
  type Router,
  type RouterContext,
  type RouterEndpoint,
} from './routing/index.ts';
import { InstanceFloat, portBytesFloat } from './shared-block.ts';

/** One way to an instance: by reference within the thread, else by a lane. */
export interface LiveEndpoint {
  readonly instanceId: InstanceId;
  readonly weight: number;
  readonly isDraining: boolean;
  readonly local: Instance | null;
  readonly writer: LaneWriter | null;
  /** Bell of the thread of the instance. */
  readonly bell: Int32Array | null;
  /** The block of the instance. */
  readonly stats: Float64Array;
  /** Messages waiting there, as well as can be known from here. */
  readonly queueLength: () => number;
  /** Null: its type keeps no states by key. */
  readonly keys: EndpointKeys | null;
}

export class Route {
  readonly edge: GraphEdge;
  /** Position of the in-port in the receiving type. */
  readonly port: number;
  /** Where the sender's block counts the bytes of its out-port: those received; next, those sent. */
  readonly bytesFloat: number;
  /** Carries connections, whose descriptors somebody must close. */
  readonly isConnection: boolean;
  readonly codec: Codec;
  readonly replyCodec: Codec | null;
  /** Milliseconds from acceptance to the deadline; 0: none. */
  readonly deadlineMs: number;
  readonly timeoutMs: number;
  /** Messages that an instance at the other end may have waiting; 0: as many as its lanes hold. */
  readonly queueMaxMessages: number;
  /** Milliseconds of work that an instance at the other end may have waiting; 0: not bounded. */
  readonly queueMaxWorkMs: number;
  /** The order of the queues at the other end is `sjf`. */
  readonly isShortestFirst: boolean;
  /** Messages are routed by key, and the type has its states by key: all routes of the thread to it go as one. */
  readonly isByKey: boolean;
  /** Of the endpoint that {@link choose} chose last: see {@link Envelope.routedBy}. */
  routedBy = 0;
  version = 0;
  endpoints: readonly LiveEndpoint[] = [];
  /** Those that may get something new: all that `all` sends to. */
  active: readonly LiveEndpoint[] = [];
  #router: Router | null = null;
  /** Of {@link #router}, where {@link isByKey}. */
  #byKey: KeyedRouting | null = null;
  readonly #isSameInstance: boolean;
  readonly #context: MutableContext = {
    originMachine: thisMachine,
    provenance: nobody,
    provenanceLength: 0,
  };

  constructor(edge: GraphEdge, from: GraphMsu, to: GraphMsu, limits: Limits) {
    const port = to.in.findIndex((candidate) => candidate.name === edge.toPort);
    const inPort = to.in[port];
    if (inPort === undefined) throw new Error(`edge ${edge.id} leads to no port`);
    this.edge = edge;
    const outPort = from.out.findIndex((candidate) => candidate.name === edge.fromPort);
    this.port = port;
    this.bytesFloat = portBytesFloat + 2 * (from.in.length + outPort);
    this.isConnection = inPort.message.kind === 'connection';
    this.codec = createCodec(inPort.message);
    this.replyCodec = inPort.reply === null ? null : createCodec(inPort.reply);
    this.#isSameInstance = edge.routing === 'same-instance';
    this.isByKey = to.state === 'keyed' && isByKey(edge.routing);
    this.deadlineMs = to.deadlineMs;
    this.queueMaxMessages = to.queueMaxMessages;
    this.queueMaxWorkMs = to.queueMaxWorkMs > 0 ? to.queueMaxWorkMs : limits.queueMaxWorkMs;
    this.isShortestFirst = to.order === 'sjf';
    this.timeoutMs = from.out[outPort]?.timeoutMs ?? 0;
  }

  /** How the table routes by key, for other routes with the same table. */
  get keyed(): KeyedRouting | null {
    return this.#router?.keyed ?? null;
  }

  /**
   * Replaces the table. An older version is ignored. `nowMs`: the clock of the thread; `keyed`: of a route with the same
   * table.
   */
  install(
    version: number,
    endpoints: readonly LiveEndpoint[],
    random: () => number,
    nowMs: () => number,
    keyed?: KeyedRouting,
  ): void {
    if (version < this.version) return;
    this.version = version;
    this.endpoints = endpoints;
    this.#router = createRouter(
      this.edge.routing,
      endpoints.map((endpoint) => routerEndpoint(this, endpoint, nowMs)),
      random,
      this.#context,
      this.#router ?? undefined,
      keyed,
    );
    this.#byKey = this.isByKey ? this.#router.keyed : null;
    this.active = Array.from(this.#router.active, (index) => endpoints[index] as LiveEndpoint);
  }

  /** The endpoint for a message, or null. `cause`: the message whose chain goes on. */
  choose(flowKey: Key, to: InstanceId | undefined, cause: Envelope | null): LiveEndpoint | null {
    const router = this.#router;
    this.routedBy = 0;
    if (router === null) return null;
    if (to !== undefined) return this.endpoints[router.indexOf(to)] ?? null;
    if (this.#isSameInstance) {
      const provenance = cause?.chain ?? nobody;
      this.#context.provenance = provenance;
      this.#context.provenanceLength = provenance.length;
    }
    const endpoint = this.endpoints[router.choose(flowKey)] ?? null;
    const byKey = this.#byKey;
    if (byKey !== null && endpoint !== null && !this.#hasMet(endpoint))
      this.routedBy = byKey.isDetour ? routedToFormer : this.version;
    return endpoint;
  }

  /** By `same-instance`, one that the chain has met gets the message whatever its key. */
  #hasMet({ instanceId }: LiveEndpoint): boolean {
    return this.#isSameInstance && this.#context.provenance.includes(instanceId);
  }
}

function isByKey(policy: RoutingPolicy): boolean {
  return policy === 'keyed' || policy === 'same-instance';
}

const nobody: readonly InstanceId[] = [];
/** All endpoints are on this machine and in this process: there are no links to others yet. */
const thisMachine = machineId('this');

interface MutableContext extends RouterContext {
  provenance: readonly InstanceId[];
  provenanceLength: number;
}

/** Least work of a message, where none was measured: a queue that holds something is not idle. */
const leastWorkMs = 0.001;

function routerEndpoint(route: Route, endpoint: LiveEndpoint, nowMs: () => number): RouterEndpoint {
  return {
    instanceId: endpoint.instanceId,
    machine: thisMachine,
    isLocalProcess: true,
    weight: endpoint.weight,
    isDraining: endpoint.isDraining,
    // Where work is bounded, the shorter queue is that with less work.
    queueLength:
      route.queueMaxWorkMs === 0
        ? endpoint.queueLength
        : () => Math.max(queuedWorkMs(endpoint, nowMs()), endpoint.queueLength() * leastWorkMs),
    ...(endpoint.keys === null ? {} : { keys: endpoint.keys }),
  };
}

/** Queue length of an instance by its block, for an endpoint within the thread and for one by a lane. */
export function publishedQueueLength(stats: Float64Array): number {
  return (stats[InstanceFloat.queueLength] as number) + (stats[InstanceFloat.inService] as number);
}
