import type { InstanceId, MachineId, ProcessId, ThreadId } from '../../model/index.ts';
import type { CommandResult, Heartbeat, Report, RoutingTable, RuntimeEvent } from '../../wire/index.ts';
import type { SimulatedInstance } from './instance.ts';
import { type SimulatedMachine, SimulatedThread } from './machine.ts';
import type { Ways } from './routing.ts';

/** A simulated runtime process: its threads and instances, and what its agent remembers. */
export class SimulatedProcess {
  readonly key: string;
  readonly machineName: MachineId;
  readonly processName: ProcessId;
  readonly machine: SimulatedMachine;
  readonly instances: Map<InstanceId, SimulatedInstance> = new Map();
  readonly threads: SimulatedThread[] = [];
  readonly tables: RoutingTable[] = [];
  /** By edge id: its table, resolved. */
  readonly ways: Map<number, Ways> = new Map();
  /** Answers given, by command id: a command is carried out once. Null: being carried out. */
  readonly answers: Map<string, CommandResult | null> = new Map();
  epoch = 0;
  isAlive = true;
  /** Reports, commands and answers do not get through. */
  isCutOff = false;
  incarnation = 1;
  sequence = 0;
  /** Limited resources of the process; `used` is the sum over its instances. */
  readonly resourceLimits: Map<string, number> = new Map();
  events: RuntimeEvent[] = [];
  /** The first report is due; or, since the last one, a command has come or was answered. */
  hasNews = true;
  #reportedAtMs = 0;
  #machineUsedMs = 0;
  #nextThreadId = 1;

  constructor(machine: SimulatedMachine, processName: ProcessId) {
    this.machine = machine;
    this.machineName = machine.name;
    this.processName = processName;
    this.key = `${machine.name}/${processName}`;
  }

  startThread(name: string, nice: number): SimulatedThread {
    const thread = new SimulatedThread(this.#nextThreadId++, name, nice, this.machine);
    this.threads.push(thread);
    return thread;
  }

  heartbeat(): Heartbeat {
    return {
      machine: this.machineName,
      process: this.processName,
      incarnation: `${this.key}:${this.incarnation}`,
    };
  }

  /** Whether the agent reports after one sample period, and not at rest. To be asked at every look. */
  isSampleAwaited(): boolean {
    let isAwaited = this.hasNews || this.events.length > 0;
    for (const instance of this.instances.values()) {
      if (instance.isPressed() || instance.phase !== 'serving') isAwaited = true;
    }
    return isAwaited;
  }

  /** What the agent reports now. */
  report(nowMs: number): Report {
    this.machine.advance(nowMs);
    const windowMs = nowMs - this.#reportedAtMs;
    const usedMs = this.machine.usedMs - this.#machineUsedMs;
    this.#reportedAtMs = nowMs;
    this.#machineUsedMs = this.machine.usedMs;
    const freeCores = windowMs > 0 ? Math.max(0, this.machine.cores - usedMs / windowMs) : this.machine.cores;
    const events = this.events;
    this.events = [];
    this.hasNews = false;
    const instances = [...this.instances.values()];
    const { machine, process, incarnation } = this.heartbeat();
    return {
      machine,
      process,
      incarnation,
      sequence: ++this.sequence,
      atMs: nowMs,
      windowMs,
      stoodStillMs: 0,
      epoch: this.epoch,
      tables: this.tables.flatMap(({ edgeId, version }) => [{ edgeId, version }]),
      machineSample: {
        cores: this.machine.cores,
        freeCores,
        memoryBytes: this.machine.memoryBytes,
        memoryFreeBytes: this.machine.memoryBytes * 0.8,
        throttledPeriods: 0,
        throttledMs: 0,
        networkInBytes: 0,
        networkOutBytes: 0,
      },
      processSample: {
        residentBytes: 0,
        openDescriptors: 0,
        descriptorsMax: 0,
        loopDelayMs: 0,
        cpuMs: 0,
        resources: [...this.resourceLimits].map(([name, limit]) => ({
          name,
          limit,
          used: instances.reduce((sum, instance) => sum + (instance.resources[name] ?? 0), 0),
        })),
      },
      threads: this.threads.map((thread) => ({
        threadId: thread.threadId as ThreadId,
        name: thread.name,
        phase: thread.isSpare ? 'spare' : 'serving',
        cpuMs: thread.cpuMs,
        runQueueWaitMs: thread.waitMs,
        minorFaults: 0,
        majorFaults: 0,
        voluntarySwitches: 0,
        involuntarySwitches: 0,
        heapUsedBytes: 0,
        heapLimitBytes: 0,
        restarts: 0,
      })),
      instances: instances.map((instance) => instance.sample()),
      events,
    };
  }
}
