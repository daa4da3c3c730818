/**
 * What an agent reports every sample period, or every {@link restPeriods} of them. Counters are cumulative since the instance, thread or process
 * started, so that a lost report loses nothing; readers take differences.
 */
import type {
  FailureReason,
  InstanceId,
  MachineId,
  ProcessId,
  RefusalReason,
  SheddingReason,
  ThreadId,
} from '../model/index.ts';
import type { TimeHistogram } from './histogram.ts';

/**
 * Why an agent does not bring back an instance whose thread died: the kind of its restart policy says not to; it died
 * more often than the policy's intensity allows; its replacement could not be started.
 */
export type GiveUpReason = 'restart-kind' | 'restart-intensity' | 'start-failed';

export interface InstanceSample {
  readonly instanceId: InstanceId;
  readonly msu: string;
  readonly threadId: ThreadId;
  readonly phase: 'starting' | 'serving' | 'draining' | 'lost';
  /** Of one that is lost for good: why. Null: of any other. */
  readonly givenUp: GiveUpReason | null;
  /** Messages waiting, without those in service; plus what the instance reported by `context.waiting`. */
  readonly queueLength: number;
  /** Smallest and largest queue length seen during the window (also at its ends). */
  readonly queueLengthMin: number;
  readonly queueLengthMax: number;
  readonly inService: number;
  /** Accepted messages, replies and timer events not counted. */
  readonly accepted: number;
  readonly done: number;
  readonly failed: Readonly<Partial<Record<FailureReason, number>>>;
  readonly shed: Readonly<Partial<Record<SheddingReason, number>>>;
  /** Messages this instance tried to send and that were refused, by reason. */
  readonly refused: Readonly<Partial<Record<RefusalReason, number>>>;
  /** Milliseconds spent in handlers (events of every kind). */
  readonly handlerMs: number;
  /** Milliseconds this instance kept its thread busy: handler time, or, where it holds handles, its share of the thread's CPU time. */
  readonly busyMs: number;
  /** Events handled, of every kind, plus items reported by `context.work`. */
  readonly items: number;
  readonly serviceTime: TimeHistogram;
  /** From acceptance until the handler has returned, or what it awaited: of messages that it handled without an error. */
  readonly sojournTime: TimeHistogram;
  readonly errors: number;
  /** Keyed states held. */
  readonly states: number;
  /** Limited resources in use by this instance, by name, in the resource's own unit. */
  readonly resources: Readonly<Record<string, number>>;
  /** Custom counters. */
  readonly counters: Readonly<Record<string, number>>;
  /** In-ports, then out-ports. */
  readonly ports: readonly PortSample[];
  /** Replies to requests that were over, and results of handlers whose message had ended. */
  readonly orphans: number;
  /** Error notices of this instance in whose place a newer one of the same key went upstream; and those that were lost. */
  readonly noticesCoalesced: number;
  readonly noticesLost: number;
}

/**
 * What went through a port in bytes of payloads, replies included. Only what crosses threads has bytes: within a thread
 * messages are passed by reference.
 */
export interface PortSample {
  readonly name: string;
  readonly direction: 'in' | 'out';
  readonly receivedBytes: number;
  readonly sentBytes: number;
}

export interface ThreadSample {
  readonly threadId: ThreadId;
  readonly name: string;
  readonly phase: 'starting' | 'spare' | 'serving' | 'lost';
  /** CPU time used, milliseconds; and time spent runnable but waiting for a core. */
  readonly cpuMs: number;
  readonly runQueueWaitMs: number;
  /** Faults and switches are read once in ten samples. */
  readonly minorFaults: number;
  readonly majorFaults: number;
  readonly voluntarySwitches: number;
  readonly involuntarySwitches: number;
  readonly heapUsedBytes: number;
  /** 0: not known. */
  readonly heapLimitBytes: number;
  readonly restarts: number;
}

/** A resource with a limit, at the process. */
export interface ResourceSample {
  readonly name: string;
  readonly used: number;
  /** 0: no limit. */
  readonly limit: number;
}

export interface ProcessSample {
  readonly residentBytes: number;
  readonly openDescriptors: number;
  readonly descriptorsMax: number;
  /** Largest delay of the agent's event loop in the window, milliseconds. */
  readonly loopDelayMs: number;
  readonly cpuMs: number;
  readonly resources: readonly ResourceSample[];
}

export interface MachineSample {
  /** Cores this machine may use: of the host, or of its cgroup's quota; fractions allowed. */
  readonly cores: number;
  /** Cores' worth of CPU idle over the last window, all programs considered. */
  readonly freeCores: number;
  readonly memoryBytes: number;
  readonly memoryFreeBytes: number;
  /** Periods in which the cgroup was throttled, cumulative; and the time. */
  readonly throttledPeriods: number;
  readonly throttledMs: number;
  readonly networkInBytes: number;
  readonly networkOutBytes: number;
}

/**
 * While nothing waits for long, and nobody has ordered anything, a report comes once in so many sample periods: making one
 * takes most of a millisecond from whoever serves on that core, and the caches too. In the other periods comes a
 * {@link Heartbeat}.
 */
export const restPeriods = 5;

/** A process is well, and has nothing to report. */
export interface Heartbeat {
  readonly machine: MachineId;
  readonly process: ProcessId;
  readonly incarnation: string;
}

/** One report of one process. */
export interface Report {
  readonly machine: MachineId;
  readonly process: ProcessId;
  /** Random per process start: tells a restarted process from the same one. */
  readonly incarnation: string;
  /** Counts up from 1 within the incarnation. */
  readonly sequence: number;
  /** Milliseconds on the machine's monotonic clock at sampling, and the length of the window. */
  readonly atMs: number;
  readonly windowMs: number;
  /**
   * For how long the whole process stood still in this window or the one before it: stopped, frozen, or its machine
   * paused. Counters hold; times and rates of these windows say nothing about loads. 0: it did not.
   */
  readonly stoodStillMs: number;
  /** Newest controller epoch and table versions in force. */
  readonly epoch: number;
  readonly tables: readonly { readonly edgeId: number; readonly version: number }[];
  readonly machineSample: MachineSample;
  readonly processSample: ProcessSample;
  readonly threads: readonly ThreadSample[];
  readonly instances: readonly InstanceSample[];
  /** What happened since the last report that is not a figure. */
  readonly events: readonly RuntimeEvent[];
}

/** A notable event in a process, for the decision log and for people. */
export interface RuntimeEvent {
  readonly atMs: number;
  readonly kind:
    | 'thread-started'
    | 'thread-lost'
    | 'thread-replaced'
    | 'instance-given-up'
    | 'run-limit-kill'
    | 'instance-lost';
  readonly threadId: ThreadId;
  readonly instanceId: InstanceId;
  readonly msu: string;
  readonly detail: string;
}
