/**
 * A simulated machine: threads that run share its cores. A thread uses at most one core; where there are more
 * runnable threads than cores, each gets its share by the weight of its niceness, as under Linux's scheduler.
 */
import type { MachineId } from '../../model/index.ts';
import type { SimulatedInstance, SimulatedMessage } from './instance.ts';

/** Linux: each step of niceness is worth a factor of about 1.25. */
export const niceWeight = (nice: number): number => 1.25 ** -nice;

export class SimulatedThread {
  readonly threadId: number;
  readonly name: string;
  readonly nice: number;
  readonly weight: number;
  readonly machine: SimulatedMachine;
  readonly instances: SimulatedInstance[] = [];
  isSpare = false;
  /** In service. */
  instance: SimulatedInstance | null = null;
  message: SimulatedMessage | null = null;
  remainingMs = 0;
  beganAtMs = 0;
  speed = 0;
  cpuMs = 0;
  waitMs = 0;

  constructor(threadId: number, name: string, nice: number, machine: SimulatedMachine) {
    this.threadId = threadId;
    this.name = name;
    this.nice = nice;
    this.weight = niceWeight(nice);
    this.machine = machine;
  }
}

export class SimulatedMachine {
  readonly name: MachineId;
  readonly cores: number;
  readonly memoryBytes: number;
  /** Cores that other programs use. */
  otherCores = 0;
  /** Threads with a message in service. */
  readonly running: SimulatedThread[] = [];
  /** When its next completion is looked for. */
  plannedAtMs: number = Number.POSITIVE_INFINITY;
  /** Looks for it. */
  complete: () => void = () => undefined;
  /** Core-milliseconds used by others and by the threads since the start. */
  usedMs = 0;
  #advancedAtMs = 0;

  constructor(name: MachineId, cores: number, memoryBytes: number) {
    this.name = name;
    this.cores = cores;
    this.memoryBytes = memoryBytes;
  }

  /** Lets the threads work until now. */
  advance(nowMs: number): void {
    const elapsedMs = nowMs - this.#advancedAtMs;
    if (elapsedMs <= 0) return;
    this.#advancedAtMs = nowMs;
    this.usedMs += Math.min(this.cores, this.otherCores) * elapsedMs;
    for (const thread of this.running) {
      const workMs = thread.speed * elapsedMs;
      thread.remainingMs -= workMs;
      thread.cpuMs += workMs;
      thread.waitMs += elapsedMs - workMs;
      this.usedMs += workMs;
    }
  }

  /** Shares the cores out anew; answers in how many milliseconds the next message ends. */
  share(): number {
    const { running } = this;
    let cores = Math.max(0.05, this.cores - this.otherCores);
    if (running.length <= cores) {
      let next = Number.POSITIVE_INFINITY;
      for (const thread of running) {
        thread.speed = 1;
        if (thread.remainingMs < next) next = thread.remainingMs;
      }
      return Math.max(0, next);
    }
    // Those whose share would exceed a core get one; the rest is shared by weight.
    const open = running.slice().sort((a, b) => b.weight - a.weight);
    let weights = open.reduce((sum, thread) => sum + thread.weight, 0);
    let next = Number.POSITIVE_INFINITY;
    for (const thread of open) {
      thread.speed = Math.min(1, (cores * thread.weight) / weights);
      cores -= thread.speed;
      weights -= thread.weight;
      const endsInMs = thread.remainingMs / thread.speed;
      if (endsInMs < next) next = endsInMs;
    }
    return Math.max(0, next);
  }
}
