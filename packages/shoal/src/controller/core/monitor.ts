/**
 * Monitor: reports in, view out.
 *
 * I1 A report changes the view only if its sequence is newer than the last one of its incarnation, and its
 *    incarnation has not ended: lost, late and doubled reports cannot turn the view back.
 * I2 Rates are differences of cumulative counters over the sender's own clock, so that neither loss nor delay of
 *    reports distorts them.
 * I3 A process is judged dead by silence only while another one is heard: if all are silent, it is the controller
 *    that is deaf.
 * I4 A report of a standstill of its process is a new beginning for differences, and no window: it is known how much
 *    happened, but not in which time.
 * I5 An instance whose thread died counts as before while its agent may still bring it back (its queue is kept
 *    meanwhile); it is lost when the agent gives it up, or does not bring it back in time.
 */
import type { AppGraph, ControllerPolicy, Deployment, InstanceId, MachineId } from '../../model/index.ts';
import { type Heartbeat, type InstanceSample, type Report, restPeriods } from '../../wire/index.ts';
import {
  deadAfterPeriods,
  deadlineSpanMaxMs,
  endedIncarnationsMax,
  loadMemoryMs,
  lostGraceMs,
  recentSpanMs,
  restsTooLong,
  suspectAfterPeriods,
  windowsMax,
} from './constants.ts';
import { LoadMemory } from './load-memory.ts';
import type {
  Incident,
  InstanceView,
  InstanceWindow,
  MachineView,
  ProcessKey,
  ProcessView,
  ThreadView,
  TypeView,
} from './view.ts';
import { processKey } from './view.ts';
import { coveredMs, noFigures, sumWindows } from './windows.ts';

/** Per thread: what its instances share in this window. */
interface ThreadUse {
  cpuMs: number;
  coreWaitMs: number;
  busyMs: number;
  instances: number;
  inService: number;
}

/** Difference of a cumulative counter; one that went back was restarted with its thread. */
const grown = (before: number, after: number): number => (after >= before ? after - before : after);

function sum(counts: Readonly<Partial<Record<string, number>>>): number {
  let total = 0;
  for (const reason in counts) total += counts[reason] ?? 0;
  return total;
}

export class Monitor {
  readonly processes: Map<ProcessKey, ProcessView> = new Map();
  readonly machines: Map<MachineId, MachineView> = new Map();
  readonly types: Map<string, TypeView> = new Map();
  readonly instances: Map<InstanceId, InstanceView> = new Map();
  /** Largest instance id seen in any report. */
  instanceIdMax = 0;

  readonly #deployedThreads: Map<ProcessKey, Set<string>> = new Map();
  readonly #samplePeriodMs: number;
  /**
   * A window longer than that counts until a newer one comes, and no longer: a process that was stopped for ten seconds was
   * idle for ten seconds, which would hide for another second what goes on now.
   */
  readonly #windowMaxMs: number;
  readonly #policy: ControllerPolicy;
  #lastCheckMs = Number.NaN;

  constructor(graph: AppGraph, deployment: Deployment) {
    this.#samplePeriodMs = deployment.samplePeriodMs;
    this.#windowMaxMs = Math.max(recentSpanMs, restsTooLong * restPeriods * deployment.samplePeriodMs);
    this.#policy = deployment.policy;
    const initial = new Map<string, number>();
    for (const machine of deployment.machines) {
      for (const process of machine.processes) {
        this.#deployedThreads.set(
          `${machine.name}/${process.name}`,
          new Set(process.threads.map((thread) => thread.name)),
        );
        for (const name of process.threads.flatMap((thread) => thread.instances)) {
          initial.set(name, (initial.get(name) ?? 0) + 1);
        }
      }
    }
    for (const msu of graph.msus) {
      const floor = Math.max(initial.get(msu.name) ?? msu.instancesInitial, msu.instancesMin);
      this.types.set(msu.name, {
        msu,
        instances: new Set(),
        demand: 0,
        load: new LoadMemory(loadMemoryMs),
        calmLoad: new LoadMemory(),
        isCpuBound: msu.execution === 'sync',
        evaluatedAtMs: Number.NaN,
        calmSinceMs: -1,
        lastReclaimMs: Number.NEGATIVE_INFINITY,
        lastServingMs: Number.NEGATIVE_INFINITY,
        flaps: 0,
        trial: null,
        lastFlapMs: Number.NEGATIVE_INFINITY,
        madeFor: null,
        hasty: null,
        blocked: null,
        failures: 0,
        refusalsLogged: new Map(),
        floor,
        committed: floor,
        deficitSinceMs: -1,
        isLossConfirmed: false,
        repairsAtMs: [],
        restsUntilMs: Number.NEGATIVE_INFINITY,
        isOverloaded: false,
      });
    }
  }

  /** Takes in a report; returns what it changed beyond figures. An outdated one changes nothing. */
  accept(report: Report, nowMs: number): Incident[] {
    const incidents: Incident[] = [];
    const key = processKey(report.machine, report.process);
    let process = this.processes.get(key);
    let isFirst = false;
    if (process === undefined) {
      process = this.#join(report, nowMs);
      isFirst = true;
      incidents.push({ kind: 'process-joined', process });
    } else if (process.incarnation !== report.incarnation) {
      if (process.endedIncarnations.includes(report.incarnation)) return [];
      process.endedIncarnations.push(process.incarnation);
      if (process.endedIncarnations.length > endedIncarnationsMax) process.endedIncarnations.shift();
      this.#forgetInstances(process, incidents);
      process.incarnation = report.incarnation;
      process.threads.clear();
      process.windowLengths = [];
      isFirst = true;
      incidents.push({ kind: 'process-restarted', process });
    } else if (report.sequence <= process.sequence) {
      return [];
    }
    if (process.status !== 'alive') {
      process.status = 'alive';
      incidents.push({ kind: 'process-back', process });
    }
    const hasStoodStill = report.stoodStillMs > 0;
    if (hasStoodStill) forgetWindows(process);
    const dtMs = isFirst || hasStoodStill ? 0 : Math.max(0, report.atMs - process.reportedAtMs);
    process.sequence = report.sequence;
    process.reportedAtMs = report.atMs;
    process.lastReceivedMs = nowMs;
    process.processSample = report.processSample;
    process.reportedEpoch = report.epoch;
    process.reportedTables = report.tables;
    this.#takeMachine(report, nowMs);
    if (dtMs > 0) {
      if (this.#isTooLong(process.windowLengths.at(-1))) process.windowLengths = [];
      process.windowLengths.push(dtMs);
      if (process.windowLengths.length > windowsMax) process.windowLengths.shift();
      process.recentMs = coveredMs(process.windowLengths, recentSpanMs);
    }
    const uses = this.#takeThreads(process, report, dtMs);
    this.#takeInstances(process, report, uses, dtMs, isFirst, nowMs, incidents);
    return incidents;
  }

  /** A process is well; of one that is not known, or counts as dead, only a report says what there is. */
  heard({ machine, process: name, incarnation }: Heartbeat, nowMs: number): Incident[] {
    const process = this.processes.get(processKey(machine, name));
    if (process === undefined || process.incarnation !== incarnation || process.status === 'dead') return [];
    process.lastReceivedMs = nowMs;
    if (process.status === 'alive') return [];
    process.status = 'alive';
    return [{ kind: 'process-back', process }];
  }

  /** Judges silence. To be called at least once per sample period. */
  check(nowMs: number): Incident[] {
    const incidents: Incident[] = [];
    const sinceCheckMs = nowMs - this.#lastCheckMs;
    this.#lastCheckMs = nowMs;
    // The controller itself was held up: nobody can be blamed for silence that it could not have heard.
    if (!(sinceCheckMs <= 3 * this.#samplePeriodMs)) {
      if (sinceCheckMs > 0) {
        for (const process of this.processes.values()) {
          if (process.status !== 'dead') process.lastReceivedMs = nowMs;
        }
      }
      return incidents;
    }
    const heardMs = suspectAfterPeriods * this.#samplePeriodMs;
    let heard = 0;
    for (const process of this.processes.values()) {
      if (nowMs - process.lastReceivedMs <= heardMs) heard++;
    }
    for (const process of this.processes.values()) {
      const silentMs = nowMs - process.lastReceivedMs;
      if (process.status === 'alive' && silentMs > heardMs) {
        process.status = 'suspect';
        incidents.push({ kind: 'process-suspect', process, silentMs });
      }
      const isSilentTooLong = silentMs > deadAfterPeriods * this.#samplePeriodMs;
      if (process.status === 'suspect' && isSilentTooLong && heard > 0) {
        process.status = 'dead';
        this.#forgetInstances(process, incidents);
        incidents.push({ kind: 'process-dead', process, silentMs });
      }
    }
    return incidents;
  }

  type(name: string): TypeView {
    const type = this.types.get(name);
    if (type === undefined) throw new Error(`the graph has no type ${name}`);
    return type;
  }

  #join(report: Report, nowMs: number): ProcessView {
    const key = processKey(report.machine, report.process);
    const process: ProcessView = {
      key,
      machine: report.machine,
      process: report.process,
      incarnation: report.incarnation,
      endedIncarnations: [],
      sequence: 0,
      reportedAtMs: report.atMs,
      lastReceivedMs: nowMs,
      status: 'alive',
      processSample: report.processSample,
      reportedEpoch: report.epoch,
      reportedTables: report.tables,
      threads: new Map(),
      instances: new Map(),
      windowLengths: [],
      recentMs: 0,
    };
    this.processes.set(key, process);
    return process;
  }

  #forgetInstances(process: ProcessView, incidents: Incident[]): void {
    for (const instance of process.instances.values()) this.#drop(instance, incidents);
  }

  #drop(instance: InstanceView, incidents: Incident[]): void {
    instance.process.instances.delete(instance.instanceId);
    this.types.get(instance.msu)?.instances.delete(instance);
    // The id may be in use elsewhere by now: a process that came back reports its own.
    if (this.instances.get(instance.instanceId) === instance) this.instances.delete(instance.instanceId);
    incidents.push({ kind: 'instance-changed', instance, isGone: true });
  }

  #takeMachine(report: Report, nowMs: number): void {
    const { machineSample } = report;
    let machine = this.machines.get(report.machine);
    if (machine === undefined) {
      machine = {
        machine: report.machine,
        cores: machineSample.cores,
        memoryBytes: machineSample.memoryBytes,
        memoryFreeBytes: machineSample.memoryFreeBytes,
        freeSamples: [],
        freeCores: machineSample.freeCores,
      };
      this.machines.set(report.machine, machine);
    }
    machine.cores = machineSample.cores;
    machine.memoryBytes = machineSample.memoryBytes;
    machine.memoryFreeBytes = machineSample.memoryFreeBytes;
    if (report.stoodStillMs > 0) return;
    const samples = machine.freeSamples;
    if (this.#isTooLong(samples.at(-1)?.windowMs)) samples.length = 0;
    samples.push({ atMs: nowMs, windowMs: report.windowMs, freeCores: machineSample.freeCores });
    while (samples.length > 1 && nowMs - (samples[0]?.atMs ?? nowMs) >= recentSpanMs) samples.shift();
    // By their lengths, as CPU times are: those at rest are longer.
    let freeMs = 0;
    let spanMs = 0;
    for (const { atMs, windowMs, freeCores } of samples) {
      const withinMs = Math.min(windowMs, recentSpanMs - (nowMs - atMs));
      freeMs += freeCores * withinMs;
      spanMs += withinMs;
    }
    machine.freeCores = spanMs > 0 ? freeMs / spanMs : machineSample.freeCores;
  }

  #takeThreads(process: ProcessView, report: Report, dtMs: number): Map<number, ThreadUse> {
    const uses = new Map<number, ThreadUse>();
    const seen = new Set<number>();
    for (const sample of report.threads) {
      seen.add(sample.threadId);
      const before = process.threads.get(sample.threadId);
      const cpuMs = before === undefined ? 0 : grown(before.sample.cpuMs, sample.cpuMs);
      const coreWaitMs =
        before === undefined ? 0 : grown(before.sample.runQueueWaitMs, sample.runQueueWaitMs);
      // Without the wait for a core: a thread that is starved by others is not itself too busy.
      const cpuShare = dtMs > 0 ? cpuMs / dtMs : 0;
      const isBusy = cpuShare >= this.#policy.threadCpuMax;
      const thread: ThreadView = {
        sample,
        cpuShare,
        busyForMs: isBusy ? (before?.busyForMs ?? 0) + dtMs : 0,
      };
      process.threads.set(sample.threadId, thread);
      uses.set(sample.threadId, { cpuMs, coreWaitMs, busyMs: 0, instances: 0, inService: 0 });
    }
    for (const threadId of process.threads.keys()) {
      if (!seen.has(threadId)) process.threads.delete(threadId);
    }
    for (const sample of report.instances) {
      const use = uses.get(sample.threadId);
      if (use === undefined) continue;
      const before = process.instances.get(sample.instanceId)?.sample.busyMs ?? sample.busyMs;
      use.busyMs += grown(before, sample.busyMs);
      use.instances++;
      use.inService += Math.min(1, sample.inService);
    }
    return uses;
  }

  #takeInstances(
    process: ProcessView,
    report: Report,
    uses: ReadonlyMap<number, ThreadUse>,
    dtMs: number,
    isFirst: boolean,
    nowMs: number,
    incidents: Incident[],
  ): void {
    const seen = new Set<InstanceId>();
    for (const sample of report.instances) {
      const type = this.types.get(sample.msu);
      if (type === undefined) continue;
      seen.add(sample.instanceId);
      if (sample.instanceId > this.instanceIdMax) this.instanceIdMax = sample.instanceId;
      let instance = process.instances.get(sample.instanceId);
      if (instance === undefined) {
        instance = this.#appear(process, report, sample, nowMs);
        type.instances.add(instance);
        incidents.push({ kind: 'instance-changed', instance, isGone: false });
        // Its counters began after the last report, so that all they hold belongs to this window.
        if (!isFirst && dtMs > 0) this.#measure(instance, null, sample, uses, dtMs, report.windowMs, nowMs);
        else if (isFirst) instance.queuedForMs = sample.queueLengthMin > 0 ? report.windowMs : 0;
        continue;
      }
      const before = instance.sample;
      instance.sample = sample;
      if (dtMs > 0) this.#measure(instance, before, sample, uses, dtMs, report.windowMs, nowMs);
      if (this.#takePhase(instance, sample, nowMs)) {
        incidents.push({ kind: 'instance-changed', instance, isGone: false });
      }
    }
    for (const instance of process.instances.values()) {
      if (!seen.has(instance.instanceId)) this.#drop(instance, incidents);
    }
  }

  /** I5. Answers whether the phase has changed. */
  #takePhase(instance: InstanceView, sample: InstanceSample, nowMs: number): boolean {
    const { phase: reported, givenUp } = sample;
    if (reported !== 'lost') instance.lostSinceMs = -1;
    else if (instance.lostSinceMs < 0) instance.lostSinceMs = nowMs;
    const isLost = givenUp !== null || nowMs - instance.lostSinceMs >= lostGraceMs;
    if (reported === instance.phase || (reported === 'lost' && !isLost)) return false;
    instance.phase = reported;
    if (reported === 'serving' && instance.servingSinceMs < 0) instance.servingSinceMs = nowMs;
    return true;
  }

  #appear(process: ProcessView, report: Report, sample: InstanceSample, nowMs: number): InstanceView {
    const threadName = report.threads.find((thread) => thread.threadId === sample.threadId)?.name ?? '';
    const instance: InstanceView = {
      instanceId: sample.instanceId,
      msu: sample.msu,
      process,
      sample,
      // I5 from the first report on: messages wait in its lanes, instead of finding no endpoint.
      phase: sample.phase === 'lost' && sample.givenUp === null ? 'serving' : sample.phase,
      queuedForMs: 0,
      firstSeenMs: nowMs,
      servingSinceMs: sample.phase === 'serving' ? nowMs : -1,
      lostSinceMs: sample.phase === 'lost' ? nowMs : -1,
      isClone: !(this.#deployedThreads.get(process.key)?.has(threadName) ?? false),
      windows: [],
      endings: [],
      recent: noFigures(),
    };
    process.instances.set(sample.instanceId, instance);
    this.instances.set(sample.instanceId, instance);
    return instance;
  }

  #measure(
    instance: InstanceView,
    before: InstanceSample | null,
    sample: InstanceSample,
    uses: ReadonlyMap<number, ThreadUse>,
    dtMs: number,
    windowMs: number,
    nowMs: number,
  ): void {
    const busyMs = grown(before?.busyMs ?? 0, sample.busyMs);
    const share = shareOfThread(uses.get(sample.threadId), sample, busyMs);
    const observedMs = Math.min(dtMs, windowMs);
    const isQueued = sample.queueLengthMin > 0;
    const completedBefore = before === null ? 0 : before.done + sum(before.failed);
    const window: InstanceWindow = {
      atMs: nowMs,
      dtMs,
      observedMs,
      isQueued,
      accepted: grown(before?.accepted ?? 0, sample.accepted),
      completed: grown(completedBefore, sample.done + sum(sample.failed)),
      shed: grown(before === null ? 0 : sum(before.shed), sum(sample.shed)),
      busyMs,
      cpuMs: share.cpuMs,
      coreWaitMs: share.coreWaitMs,
      refusedFull: grown(before?.refused['queue-full'] ?? 0, sample.refused['queue-full'] ?? 0),
      sojournBefore: before?.sojournTime ?? [],
      serviceBefore: before?.serviceTime ?? [],
      expiredBefore: before?.shed.expired ?? 0,
    };
    instance.queuedForMs = isQueued ? instance.queuedForMs + observedMs : 0;
    if (this.#isTooLong(dtMs)) instance.endings.length = 0;
    else if (this.type(instance.msu).msu.deadlineMs > 0) markEndings(instance, before, nowMs - dtMs);
    if (this.#isTooLong(instance.windows.at(-1)?.dtMs)) instance.windows.length = 0;
    instance.windows.push(window);
    if (instance.windows.length > windowsMax) instance.windows.shift();
    instance.recent = sumWindows(instance.windows, recentSpanMs);
  }

  #isTooLong(windowMs = 0): boolean {
    return windowMs > this.#windowMaxMs;
  }
}

/** What was measured before a process stood still is of another time. */
function forgetWindows(process: ProcessView): void {
  process.windowLengths = [];
  process.recentMs = 0;
  for (const instance of process.instances.values()) {
    instance.windows.length = 0;
    instance.endings.length = 0;
    instance.queuedForMs = 0;
    instance.recent = noFigures();
  }
}

function shareOfThread(
  use: ThreadUse | undefined,
  sample: InstanceSample,
  busyMs: number,
): { cpuMs: number; coreWaitMs: number } {
  if (use === undefined || use.instances === 0) return { cpuMs: 0, coreWaitMs: 0 };
  if (use.instances === 1) return { cpuMs: use.cpuMs, coreWaitMs: use.coreWaitMs };
  // Handler time that is not booked yet belongs to those that have a message in service.
  const bookedMs = Math.min(use.busyMs, use.cpuMs);
  const openMs = use.cpuMs - bookedMs;
  const booked = use.busyMs > 0 ? busyMs / use.busyMs : 0;
  const open = use.inService > 0 ? Math.min(1, sample.inService) / use.inService : 1 / use.instances;
  const cpuMs = booked * bookedMs + open * openMs;
  return { cpuMs, coreWaitMs: use.cpuMs > 0 ? (use.coreWaitMs * cpuMs) / use.cpuMs : 0 };
}

/** Keeps what the counts were at `atMs`, once a second. */
function markEndings({ endings }: InstanceView, before: InstanceSample | null, atMs: number): void {
  const last = endings.at(-1);
  if (last !== undefined && atMs - last.atMs < recentSpanMs) return;
  const { sojournTime: sojourn = [], serviceTime: service = [], shed } = before ?? {};
  endings.push({ atMs, expired: shed?.expired ?? 0, sojourn, service });
  if (endings.length > deadlineSpanMaxMs / recentSpanMs) endings.shift();
}
