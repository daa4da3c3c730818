/**
 * What threads publish of themselves, in shared memory: it outlives the thread, and the agent reads it without
 * asking. Every word has one writer: the thread, but for those marked *agent*.
 */
import { type GraphMsu, refusalReasons, resourcesMax } from '../model/index.ts';
import { ends } from '../transport/index.ts';
import { histogramBuckets } from '../wire/index.ts';

/** Words (32 bit) of a thread's block. */
export const ThreadWord = {
  /** Counts up whenever there may be something to do; the thread waits on it. Many writers, by `Atomics.add`. */
  bell: 0,
  /** Counts the control messages posted to the thread (agent). */
  control: 1,
  /** Instance whose handler is running; 0: none. */
  running: 2,
  /** Kernel id of the thread; 0: not known. */
  tid: 3,
  /** 1 while the thread is parked: it runs no code, and wakes by itself before long. */
  parked: 4,
} as const;

/** 64-bit floats of a thread's block. */
export const ThreadFloat = {
  /** When the running event began. */
  eventStartedAt: 8,
  /** When the thread last went through its loop. */
  beatAt: 9,
  heapUsed: 10,
  heapLimit: 11,
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
const scalars = refused + refusalReasons.length;

/** 64-bit floats of an instance's block. */
export const InstanceFloat: Readonly<
  Record<
    | 'localAccepted'
    | 'localEnds'
    | 'refused'
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
  handlerMs: scalars,
  events: scalars + 1,
  workItems: scalars + 2,
  errors: scalars + 3,
  states: scalars + 4,
  waitingReported: scalars + 5,
  queueLength: scalars + 6,
  queueMin: scalars + 7,
  queueMax: scalars + 8,
  /** The sampling window to which `queueMin` and `queueMax` belong. */
  windowSeen: scalars + 9,
  inService: scalars + 10,
  /** Exponentially weighted mean of the service time, weight 1/16. */
  serviceMeanMs: scalars + 11,
  /**
   * Replies to requests that are not known any more (timed out, or made by a predecessor), and results of handlers
   * whose message has ended.
   */
  orphans: scalars + 12,
  /** Error notices in whose place a newer one of the same key was sent; and those that are lost. */
  noticesCoalesced: scalars + 13,
  noticesLost: scalars + 14,
  /** Error notices that wait for room now. */
  noticesKept: scalars + 15,
  /** 1: the instance has taken connections, so its work is done outside of handlers too. */
  holdsHandles: scalars + 16,
  /** Sampling window, counted by the agent (agent). */
  window: scalars + 17,
});

export const countersFloat: number = scalars + 18;
export const resourcesFloat: number = countersFloat + countersMax;
export const serviceHistogramFloat: number = resourcesFloat + resourcesMax;
export const sojournHistogramFloat: number = serviceHistogramFloat + histogramBuckets;
/** Bytes received and bytes sent, for each in-port and then for each out-port of the type. */
export const portBytesFloat: number = sojournHistogramFloat + histogramBuckets;

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
