/** What the parts of an agent share: what runs in this process, and what happened. */
import {
  type AppGraph,
  type Clock,
  type GraphMsu,
  type InstanceId,
  instanceId,
  type Limits,
  type MachineId,
  type ProcessId,
  ShoalError,
  type ThreadId,
} from '../model/index.ts';
import type { CommandResult, RoutingTable, RuntimeEvent } from '../wire/index.ts';
import type { AgentInstance } from './agent-instance.ts';
import type { AgentThread } from './agent-thread.ts';
import { Pipes } from './bell.ts';
import { createMessageBlocks } from './message-ids.ts';
import { Sampler } from './sampler.ts';
import { createWiring, type Wiring } from './wiring.ts';

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
  readonly printsTo: 'stdout' | 'stderr';
  readonly log: RuntimeLog;
  readonly onFatal: (reason: FatalReason) => void;
}

export type Failure = Extract<CommandResult, { isOk: false }>['reason'];
export type Outcome =
  | { readonly isOk: true }
  | { readonly isOk: false; readonly reason: Failure; readonly detail: string };
export const ok: Outcome = { isOk: true };

export function failed(reason: Failure, detail: string): Outcome {
  return { isOk: false, reason, detail };
}

/** What work comes to, or undefined where it takes longer. Leaves no timer behind. */
export async function within<T>(work: Promise<T> | undefined, ms: number): Promise<T | undefined> {
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

export class AgentState {
  readonly options: AgentOptions;
  readonly wiring: Wiring;
  readonly threads: Map<ThreadId, AgentThread> = new Map();
  readonly instances: Map<InstanceId, AgentInstance> = new Map();
  /** Tables in force, by edge id. */
  readonly tables: Map<number, RoutingTable> = new Map();
  /** Names of the types that want to be told of failures downstream. */
  readonly withErrorHandler: Set<string> = new Set();
  readonly sampler: Sampler;
  readonly pipes: Pipes = new Pipes();
  /** Where all threads take their message ids from. */
  readonly messageBlocks: SharedArrayBuffer = createMessageBlocks();
  /** What happened since the last report. */
  events: RuntimeEvent[] = [];
  /** When the process last went on after it had stood still. */
  resumedAtMs = 0;
  isClosed = false;

  constructor(options: AgentOptions) {
    this.options = options;
    this.wiring = createWiring(options.graph);
    this.sampler = new Sampler(options.clock.now());
  }

  msu(name: string): GraphMsu {
    const msu = this.options.graph.msus.find((candidate) => candidate.name === name);
    if (msu === undefined)
      throw new ShoalError('SHOAL_START_FAILED', `There is no MSU type '${name}' in the app.`);
    return msu;
  }

  typesOn(thread: AgentThread): Set<string> {
    return new Set([...thread.instances].flatMap((id) => this.instances.get(id)?.msu.name ?? []));
  }

  event(kind: RuntimeEvent['kind'], thread: ThreadId, instance: AgentInstance | null, detail: string): void {
    const event: RuntimeEvent = {
      atMs: this.options.clock.now(),
      kind,
      threadId: thread,
      instanceId: instance?.id ?? instanceId(0),
      msu: instance?.msu.name ?? '',
      detail,
    };
    this.events.push(event);
    if (this.events.length > eventsMax) this.events.shift();
    this.options.log(kind === 'thread-started' ? 'debug' : 'warn', `${kind}: ${detail}`, {
      thread,
      ...(instance === null ? {} : { msu: instance.msu.name, instance: instance.id }),
    });
  }
}
