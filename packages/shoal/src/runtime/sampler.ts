/** Makes the reports of a process out of shared memory and the kernel's figures. */
import {
  type AppGraph,
  failureReasons,
  type GraphMsu,
  type InstanceId,
  refusalReasons,
  sheddingReasons,
  type ThreadId,
} from '../model/index.ts';
import type {
  InstanceSample,
  MachineSample,
  PortSample,
  ProcessSample,
  ResourceSample,
  ThreadSample,
  TimeHistogram,
} from '../wire/index.ts';
import { histogramBuckets } from '../wire/index.ts';
import type { AgentInstance } from './agent-instance.ts';
import type { AgentThread } from './agent-thread.ts';
import {
  createProcessReader,
  type MachineReader,
  openMachineReader,
  openThreadReader,
  type ProcessReader,
  type ThreadReader,
} from './procfs/index.ts';
import {
  countersFloat,
  InstanceFloat,
  portBytesFloat,
  readCounts,
  resourcesFloat,
  serviceHistogramFloat,
  sojournHistogramFloat,
  ThreadFloat,
  ThreadWord,
} from './shared-block.ts';

interface ThreadMemory {
  tid: number;
  reader: ThreadReader | null;
  /** Figures of workers that are gone: the sample is cumulative over replacements. */
  base: Pick<ThreadSample, 'cpuMs' | 'runQueueWaitMs'>;
  last: Pick<ThreadSample, 'cpuMs' | 'runQueueWaitMs'>;
  /** CPU time in the last window. */
  windowCpuMs: number;
  /** Faults and switches, as they were when last read. */
  counts: Pick<ThreadSample, 'minorFaults' | 'majorFaults' | 'voluntarySwitches' | 'involuntarySwitches'>;
  /** Samples taken of it. */
  samples: number;
}

/** Faults and switches are read with each so manieth sample: once in one to five seconds, by default. They cost more than the rest. */
const samplesPerCounts = 10;
const noCounts = { minorFaults: 0, majorFaults: 0, voluntarySwitches: 0, involuntarySwitches: 0 };

interface InstanceMemory {
  queueLength: number;
  waitingReported: number;
  handlerMs: number;
  busyMs: number;
  windowHandlerMs: number;
}

export class Sampler {
  readonly #threads = new Map<ThreadId, ThreadMemory>();
  readonly #instances = new Map<InstanceId, InstanceMemory>();
  readonly #process: ProcessReader = createProcessReader();
  readonly #machine: MachineReader;
  #window = 0;

  constructor(nowMs: number) {
    this.#machine = openMachineReader(nowMs);
  }

  close(): void {
    this.#machine.close();
    this.#process.close();
    for (const memory of this.#threads.values()) memory.reader?.close();
  }

  machine(nowMs: number): MachineSample {
    return this.#machine.read(nowMs);
  }

  /** `memoryBytes`: what the process may use; `instances`: those of this report. */
  process(
    loopDelayMs: number,
    graph: AppGraph,
    memoryBytes: number,
    instances: readonly InstanceSample[],
  ): ProcessSample {
    const figures = this.#process.read();
    const pools = new Map<string, ResourceSample>();
    for (const { name, limit } of graph.msus.flatMap(({ resources }) => resources)) {
      if (limit === 0 || pools.has(name)) continue;
      const used = instances.reduce((sum, { resources }) => sum + (resources[name] ?? 0), 0);
      pools.set(name, { name, used, limit });
    }
    return {
      ...figures,
      loopDelayMs,
      resources: [
        { name: 'descriptors', used: figures.openDescriptors, limit: figures.descriptorsMax },
        { name: 'memory', used: figures.residentBytes, limit: memoryBytes },
        ...pools.values(),
      ],
    };
  }

  thread(thread: AgentThread): ThreadSample {
    const memory = this.#threadMemory(thread);
    const figures = this.#readThread(memory);
    const cpuMs = memory.base.cpuMs + (figures?.cpuMs ?? 0);
    const runQueueWaitMs = memory.base.runQueueWaitMs + (figures?.runQueueWaitMs ?? 0);
    memory.windowCpuMs = Math.max(0, cpuMs - memory.last.cpuMs);
    memory.last = { cpuMs: Math.max(cpuMs, memory.last.cpuMs), runQueueWaitMs };
    return {
      threadId: thread.id,
      name: thread.options.name,
      phase: thread.phase,
      cpuMs: memory.last.cpuMs,
      runQueueWaitMs,
      minorFaults: memory.counts.minorFaults,
      majorFaults: memory.counts.majorFaults,
      voluntarySwitches: memory.counts.voluntarySwitches,
      involuntarySwitches: memory.counts.involuntarySwitches,
      heapUsedBytes: thread.block.floats[ThreadFloat.heapUsed] as number,
      heapLimitBytes: thread.block.floats[ThreadFloat.heapLimit] as number,
      restarts: thread.restarts,
    };
  }

  /** CPU time of a thread between its last two samples; 0 where its worker was not there for both: that one was starting. */
  windowCpuMs(thread: AgentThread): number {
    const memory = this.#threads.get(thread.id);
    return memory === undefined || memory.samples <= 1 ? 0 : memory.windowCpuMs;
  }

  #readThread(memory: ThreadMemory): Pick<ThreadSample, 'cpuMs' | 'runQueueWaitMs'> | null {
    if (memory.samples++ % samplesPerCounts !== 0) return memory.reader?.readTimes() ?? null;
    const figures = memory.reader?.read() ?? null;
    memory.counts = figures ?? noCounts;
    return figures;
  }

  #threadMemory(thread: AgentThread): ThreadMemory {
    let memory = this.#threads.get(thread.id);
    if (memory === undefined) {
      const zero = { cpuMs: 0, runQueueWaitMs: 0 };
      memory = {
        tid: 0,
        reader: null,
        base: zero,
        last: zero,
        windowCpuMs: 0,
        counts: noCounts,
        samples: 0,
      };
      this.#threads.set(thread.id, memory);
    }
    const tid = Atomics.load(thread.block.words, ThreadWord.tid);
    if (tid !== memory.tid) {
      memory.reader?.close();
      memory.reader = tid === 0 ? null : openThreadReader(tid);
      memory.tid = tid;
      memory.base = memory.last;
      memory.samples = 0;
    }
    return memory;
  }

  /** Samples the instances of a thread (null: of none any more); call {@link thread} for it before. */
  instances(
    thread: AgentThread | null,
    instances: readonly AgentInstance[],
    window: number,
  ): InstanceSample[] {
    this.#window = window;
    const samples = instances.map((instance) => this.#instance(instance));
    this.#shareBusyTime(thread === null ? 0 : (this.#threads.get(thread.id)?.windowCpuMs ?? 0), instances);
    for (const sample of samples) sample.busyMs = this.#memory(sample.instanceId).busyMs;
    return samples;
  }

  #memory(id: InstanceId): InstanceMemory {
    let memory = this.#instances.get(id);
    if (memory === undefined) {
      memory = { queueLength: 0, waitingReported: 0, handlerMs: 0, busyMs: 0, windowHandlerMs: 0 };
      this.#instances.set(id, memory);
    }
    return memory;
  }

  forget(id: InstanceId): void {
    this.#instances.delete(id);
  }

  /** A thread that is gone for good. */
  forgetThread(id: ThreadId): void {
    this.#threads.get(id)?.reader?.close();
    this.#threads.delete(id);
  }

  /** All but the busy time. */
  #instance(instance: AgentInstance): { busyMs: number } & Omit<InstanceSample, 'busyMs'> {
    const { stats } = instance;
    const memory = this.#memory(instance.id);
    const { accepted, ended } = instance.counts();
    const endedAll = ended.reduce((sum, count) => sum + count, 0);
    const isRunning = (stats[InstanceFloat.runningSince] as number) > 0;
    const inService = Math.max(stats[InstanceFloat.inService] as number, isRunning ? 1 : 0);
    const waitingReported = stats[InstanceFloat.waitingReported] as number;
    const queueLength = Math.max(0, accepted - endedAll - inService) + waitingReported;
    const seesWindow = stats[InstanceFloat.windowSeen] === this.#window;
    // An instance that took nothing during the window cannot have seen its queue shrink: its ends bound it.
    const ownMin = seesWindow ? (stats[InstanceFloat.queueMin] as number) : Number.POSITIVE_INFINITY;
    const ownMax = seesWindow ? (stats[InstanceFloat.queueMax] as number) : 0;
    const reportedMin = Math.min(memory.waitingReported, waitingReported);
    const queueLengthMin = Math.min(memory.queueLength, queueLength, ownMin + reportedMin);
    const queueLengthMax = Math.max(memory.queueLength, queueLength, ownMax + waitingReported);
    memory.queueLength = queueLength;
    memory.waitingReported = waitingReported;
    const handlerMs = stats[InstanceFloat.handlerMs] as number;
    memory.windowHandlerMs = Math.max(0, handlerMs - memory.handlerMs);
    memory.handlerMs = handlerMs;
    const [done = 0, ...unhappy] = ended;
    return {
      instanceId: instance.id,
      msu: instance.msu.name,
      threadId: instance.threadId,
      phase: instance.phase,
      givenUp: instance.givenUp,
      queueLength,
      queueLengthMin,
      queueLengthMax,
      inService,
      accepted,
      done,
      failed: named(failureReasons, unhappy),
      shed: named(sheddingReasons, unhappy.slice(failureReasons.length)),
      refused: readCounts(stats, InstanceFloat.refused, refusalReasons),
      handlerMs,
      busyMs: 0,
      items: (stats[InstanceFloat.events] as number) + (stats[InstanceFloat.workItems] as number),
      serviceTime: histogram(stats, serviceHistogramFloat),
      sojournTime: histogram(stats, sojournHistogramFloat),
      errors: stats[InstanceFloat.errors] as number,
      states: stats[InstanceFloat.states] as number,
      resources: figures(
        stats,
        resourcesFloat,
        instance.msu.resources.map(({ name }) => name),
      ),
      counters: figures(stats, countersFloat, instance.counterNames),
      ports: ports(stats, instance.msu),
      orphans: stats[InstanceFloat.orphans] as number,
      noticesCoalesced: stats[InstanceFloat.noticesCoalesced] as number,
      noticesLost: stats[InstanceFloat.noticesLost] as number,
    };
  }

  /**
   * Busy time is handler time; but instances that hold handles work outside of handlers too (TLS, sockets): what
   * their thread used beyond the handlers of the others is theirs, in equal shares.
   */
  #shareBusyTime(windowCpuMs: number, instances: readonly AgentInstance[]): void {
    const holders = instances.filter((instance) => instance.stats[InstanceFloat.holdsHandles] === 1);
    let handlers = 0;
    for (const instance of instances) handlers += this.#memory(instance.id).windowHandlerMs;
    const extra = holders.length === 0 ? 0 : Math.max(0, windowCpuMs - handlers) / holders.length;
    for (const instance of instances) {
      const memory = this.#memory(instance.id);
      memory.busyMs += memory.windowHandlerMs + (holders.includes(instance) ? extra : 0);
    }
  }
}

function named(reasons: readonly string[], counts: readonly number[]): Partial<Record<string, number>> {
  const result: Partial<Record<string, number>> = {};
  reasons.forEach((reason, i) => {
    const count = counts[i] ?? 0;
    if (count !== 0) result[reason] = count;
  });
  return result;
}

function figures(stats: Float64Array, start: number, names: readonly string[]): Record<string, number> {
  return Object.fromEntries(names.map((name, i) => [name, stats[start + i] as number]));
}

function ports(stats: Float64Array, msu: GraphMsu): PortSample[] {
  return [...msu.in, ...msu.out].map(({ name }, i) => ({
    name,
    direction: i < msu.in.length ? 'in' : 'out',
    receivedBytes: stats[portBytesFloat + 2 * i] as number,
    sentBytes: stats[portBytesFloat + 2 * i + 1] as number,
  }));
}

function histogram(stats: Float64Array, start: number): TimeHistogram {
  let length = histogramBuckets;
  while (length > 0 && stats[start + length - 1] === 0) length--;
  // Array.from() of a view took a tenth of the agent's instructions.
  const counts: number[] = [];
  for (let i = 0; i < length; i++) counts.push(stats[start + i] as number);
  return counts;
}
