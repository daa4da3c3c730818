/**
 * The dataflow graph: an app without its handlers, with every default filled in. Plain data (it crosses threads
 * and the network): what the agent and the controller know of an app.
 */
import type { AnyMsuType, App, RoutingPolicy } from './app.ts';
import type { MessageKind, RecordFields } from './message-type.ts';
import {
  type CostHint,
  type Dependency,
  defaultRestart,
  type ExecutionKind,
  type QueueOrder,
  type RestartPolicy,
  type StateKind,
} from './msu.ts';
import type { InPort, OutPort, TimerSpec } from './port.ts';
import { withDefaults } from './with-defaults.ts';

/** What a port carries. `fields`: of records; else null. */
export interface GraphMessage {
  readonly kind: MessageKind;
  readonly fields: RecordFields | null;
}

/** An in-port. `reply`: of `serves`; else null. */
export interface GraphInPort {
  readonly name: string;
  readonly kind: InPort['kind'];
  readonly message: GraphMessage;
  readonly reply: GraphMessage | null;
}

/** An out-port. `reply`: of `requests`; else null. */
export interface GraphOutPort {
  readonly name: string;
  readonly kind: OutPort['kind'];
  readonly message: GraphMessage;
  readonly reply: GraphMessage | null;
  /** `requests` only; else 0. */
  readonly timeoutMs: number;
}

/** A timer with its defaults resolved: milliseconds, and its priority among the events of the instance. */
export interface GraphTimer {
  readonly name: string;
  readonly periodMs: number;
  readonly delayMs: number;
  readonly priority: number;
}

/** A limited resource. `limit` 0: the process knows it. */
export interface GraphResource {
  readonly name: string;
  readonly limit: number;
}

/** An MSU type with its defaults resolved. 0 stands for "none" in `deadlineMs`, `runLimitMs` and the bounds of queues. */
export interface GraphMsu {
  readonly name: string;
  readonly state: StateKind;
  readonly execution: ExecutionKind;
  readonly concurrency: number;
  readonly order: QueueOrder;
  readonly deadlineMs: number;
  readonly runLimitMs: number;
  readonly queueMaxMessages: number;
  readonly queueMaxWorkMs: number;
  readonly instancesInitial: number;
  readonly instancesMin: number;
  readonly instancesMax: number;
  /** Empty: any machine. */
  readonly machines: readonly string[];
  /** Empty: none. */
  readonly colocation: string;
  readonly dependencies: readonly Dependency[];
  readonly resources: readonly GraphResource[];
  readonly cost: Required<CostHint>;
  readonly restart: RestartPolicy;
  readonly isEntry: boolean;
  readonly isExit: boolean;
  readonly in: readonly GraphInPort[];
  readonly out: readonly GraphOutPort[];
  readonly timers: readonly GraphTimer[];
}

/** A connection of an out-port to an in-port, with the policy by which one of several instances is chosen. */
export interface GraphEdge {
  /** Position in `AppGraph.edges`. */
  readonly id: number;
  readonly fromMsu: string;
  readonly fromPort: string;
  readonly toMsu: string;
  readonly toPort: string;
  readonly routing: RoutingPolicy;
}

/** An app as plain data, with all defaults resolved: what the runtime, the controller and the agents read. */
export interface AppGraph {
  readonly name: string;
  readonly msus: readonly GraphMsu[];
  readonly edges: readonly GraphEdge[];
}

const defaultRouting: Readonly<Record<StateKind, RoutingPolicy>> = {
  none: 'shortest-queue',
  keyed: 'keyed',
  instance: 'shortest-queue',
  pinned: 'same-process',
};

function describeMessage(message: { kind: MessageKind; fields?: RecordFields }): GraphMessage {
  return { kind: message.kind, fields: message.fields ?? null };
}

function describeMsu(msu: AnyMsuType): GraphMsu {
  const o = msu.options;
  const inPorts: [string, InPort][] = Object.entries(msu.in);
  const outPorts: [string, OutPort][] = Object.entries(msu.out);
  const timers: [string, TimerSpec][] = Object.entries(msu.timers);
  const min = o.instances?.min ?? 1;
  return {
    name: o.name,
    state: o.state ?? 'none',
    execution: o.execution ?? 'sync',
    concurrency: o.concurrency ?? 1,
    order: o.order ?? 'fifo',
    deadlineMs: o.deadlineMs ?? 0,
    runLimitMs: o.runLimitMs ?? 0,
    queueMaxMessages: o.queueMaxMessages ?? 0,
    queueMaxWorkMs: o.queueMaxWorkMs ?? 0,
    instancesInitial: o.instances?.initial ?? Math.max(1, min),
    instancesMin: min,
    instancesMax: o.instances?.max ?? 64,
    machines: o.machines ?? [],
    colocation: o.colocation ?? '',
    dependencies: o.dependencies ?? [],
    resources: (o.resources ?? []).map((resource) =>
      typeof resource === 'string'
        ? { name: resource, limit: 0 }
        : { name: resource.name, limit: resource.limit },
    ),
    cost: { serviceTimeMs: o.cost?.serviceTimeMs ?? 1, memoryMiB: o.cost?.memoryMiB ?? 16 },
    restart: withDefaults(defaultRestart, o.restart),
    isEntry: o.entry ?? inPorts.length === 0,
    isExit: o.exit ?? outPorts.length === 0,
    in: inPorts.map(([name, port]) => ({
      name,
      kind: port.kind,
      message: describeMessage(port.message),
      reply: port.kind === 'serves' ? describeMessage(port.reply) : null,
    })),
    out: outPorts.map(([name, port]) => ({
      name,
      kind: port.kind,
      message: describeMessage(port.message),
      reply: port.kind === 'requests' ? describeMessage(port.reply) : null,
      timeoutMs: port.kind === 'requests' ? port.timeoutMs : 0,
    })),
    timers: timers.map(([name, timer]) => ({
      name,
      periodMs: timer.periodMs,
      delayMs: timer.delayMs ?? timer.periodMs,
      priority: timer.priority ?? 0,
    })),
  };
}

/** The graph of an app. Does not validate: an unknown name in an edge stays as it is. */
export function describeApp(app: App): AppGraph {
  const stateOf = new Map(app.msus.map((msu) => [msu.options.name, msu.options.state ?? 'none']));
  return {
    name: app.name,
    msus: app.msus.map(describeMsu),
    edges: app.edges.map((edge, id) => ({
      id,
      fromMsu: edge.from.msu,
      fromPort: edge.from.port,
      toMsu: edge.to.msu,
      toPort: edge.to.port,
      routing: edge.routing === 'default' ? defaultRouting[stateOf.get(edge.to.msu) ?? 'none'] : edge.routing,
    })),
  };
}
