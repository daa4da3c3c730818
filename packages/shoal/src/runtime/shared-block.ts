/**
 * What threads publish of themselves, in shared memory: it outlives the thread, and the agent reads it without
 * asking. Every word has one writer: the thread, but for those marked *agent*.
 */
import { type GraphMsu, refusalReasons, resourcesMax } from '../model/index.ts';
import { ends } from '../transport/index.ts';
import { histogramBuckets } from '../wire/index.ts';

/** Words (32 bit) of a thread's block. */
export const ThreadWord = {
  /** Counts up whenever there may be something to do; the thread waits on it, the first word. Many writers, by `Atomics.add`. */
  bell: 0,
  /** Counts the control messages posted to the thread (agent). */
  control: 1,
  /** Kernel id of the thread; 0: not known. */
  tid: 2,
  /** How the thread waits (`Waits`). A parked one runs no code, and wakes by itself before long. */
  waits: 3,
  /** Ends of the pipe by which it is woken (`bell.ts`); 0: it has none, or has taken the reading one. */
  pipeReadFd: 4,
  pipeWriteFd: 5,
  /** Not 0: the thread waits by nothing that V8 cannot end, because it may be ended (agent). */
  shunsFutex: 6,
} as const;

/** 64-bit floats of a thread's block. */
export const ThreadFloat = {
  /** When the thread last went through its loop. */
  beatAt: 8,
  heapUsed: 9,
  heapLimit: 10,
} as const;
const threadBlockBytes = 128;

/** The block of a thread. */
export interface ThreadBlock {
  readonly buffer: SharedArrayBuffer;
  readonly words: Int32Array;
  readonly floats: Float64Array;
}

export function createThreadBlock(): SharedArrayBuffer {
  return new SharedArrayBuffer(threadBlockBytes);
}

export function viewThreadBlock(buffer: SharedArrayBuffer): ThreadBlock {
  return { buffer, words: new Int32Array(buffer), floats: new Float64Array(buffer) };
}

/** Custom counters of an instance. */
export const countersMax = 8;

const localEnds = 1;
const refused = localEnds + ends.length;
/** What every event touches comes first, and begins a line of the cache. */
const scalars = Math.ceil((refused + refusalReasons.length) / 8) * 8;

/** 64-bit floats of an instance's block. */
export const InstanceFloat: Readonly<
  Record<
    | 'localAccepted'
    | 'localEnds'
    | 'refused'
    | 'runningSince'
    | 'handlerMs'
    | 'events'
    | 'workItems'
    | 'errors'
    | 'states'
    | 'waitingReported'
    | 'queueLength'
    | 'queueMin'
    | 'queueMax'
    | 'windowSeen'
    | 'inService'
    | 'serviceMeanMs'
    | 'orphans'
    | 'noticesCoalesced'
    | 'noticesLost'
    | 'noticesKept'
    | 'holdsHandles'
    | 'window',
    number
  >
> = Object.freeze({
  /** Messages accepted within the thread, by reference; and from `localEnds` on their ends, by end code. */
  localAccepted: 0,
  localEnds,
  /** Refusals of what this instance sent, by reason. */
  refused,
  /**
   * When its handler that runs now began; 0: none does. One number, so that whoever looks from another thread cannot take
   * one handler's beginning for another's.
   */
  runningSince: scalars,
  handlerMs: scalars + 1,
  events: scalars + 2,
  /** Exponentially weighted mean of the service time, weight 1/16. */
  serviceMeanMs: scalars + 3,
  queueLength: scalars + 4,
  queueMin: scalars + 5,
  queueMax: scalars + 6,
  /** The sampling window to which `queueMin` and `queueMax` belong. */
  windowSeen: scalars + 7,
  /** Sampling window, counted by the agent (agent). */
  window: scalars + 8,
  inService: scalars + 9,
  workItems: scalars + 10,
  errors: scalars + 11,
  states: scalars + 12,
  waitingReported: scalars + 13,
  /**
   * Replies to requests that are not known any more (timed out, or made by a predecessor), and results of handlers
   * whose message has ended.
   */
  orphans: scalars + 14,
  /** Error notices in whose place a newer one of the same key was sent; and those that are lost. */
  noticesCoalesced: scalars + 15,
  noticesLost: scalars + 16,
  /** Error notices that wait for room now. */
  noticesKept: scalars + 17,
  /** 1: the instance has taken connections, so its work is done outside of handlers too. */
  holdsHandles: scalars + 18,
});

export const countersFloat: number = scalars + 19;
export const resourcesFloat: number = countersFloat + countersMax;
export const serviceHistogramFloat: number = resourcesFloat + resourcesMax;
export const sojournHistogramFloat: number = serviceHistogramFloat + histogramBuckets;
/** Classes of payloads from other threads by their size, each twice as large as the one before. */
const sizeClasses = 28;
/** Exponentially weighted mean of the service time of each class, weight 1/16; 0: none of them has been served. */
const sizeMeansFloat: number = sojournHistogramFloat + histogramBuckets;
/** Bytes received and bytes sent, for each in-port and then for each out-port of the type. */
export const portBytesFloat: number = sizeMeansFloat + sizeClasses;

/** Where the mean service time of payloads of about so many bytes is. */
export function sizeMeanFloat(bytes: number): number {
  return sizeMeansFloat + Math.min(32 - Math.clz32(bytes), sizeClasses - 1);
}

export function createInstanceBlock(msu: GraphMsu): SharedArrayBuffer {
  return new SharedArrayBuffer((portBytesFloat + 2 * (msu.in.length + msu.out.length)) * 8);
}

/** Reads a range of counters into an object, leaving out zeros. */
export function readCounts(
  floats: Float64Array,
  start: number,
  names: readonly string[],
): Partial<Record<string, number>> {
  const counts: Partial<Record<string, number>> = {};
  for (let i = 0; i < names.length; i++) {
    const count = floats[start + i] as number;
    if (count !== 0) counts[names[i] as string] = count;
  }
  return counts;
}
