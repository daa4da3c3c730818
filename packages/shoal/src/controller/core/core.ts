/**
 * The controller without clock, network or chance: a step machine. Reports, answers, orders and ticks go in, each
 * with the time at which it came; commands come out. The same inputs give the same commands and decisions, which
 * is how the simulated cluster works, and how a recording is replayed.
 *
 * I1 The truth about what runs is in the reports. An instance that serves and that no decision is about is routed
 *    to; one that is lost or gone is taken out of the tables at once.
 * I2 A controller that meets a newer epoch, or is closed, does nothing any more: it gives no command, and refuses orders.
 */
import type { AppGraph, Deployment, InstanceId } from '../../model/index.ts';
import { instanceId } from '../../model/index.ts';
import {
  type Command,
  type CommandResult,
  type Heartbeat,
  type Report,
  restPeriods,
} from '../../wire/index.ts';
import { Budget } from './budget.ts';
import { blockedRetryMs, failureRetryMaxMs, takeoverIdGap, takeoverWaitReports } from './constants.ts';
import type { Decision } from './decision.ts';
import { DecisionLog } from './decision-log.ts';
import { Executor } from './executor.ts';
import { Monitor } from './monitor.ts';
import { type Order, operate, refuseOrder } from './operate.ts';
import { Outbox } from './outbox.ts';
import type { Parts } from './parts.ts';
import { Placer } from './placement.ts';
import { Repair } from './repair.ts';
import { Scaler } from './scaler.ts';
import { type ControllerView, snapshot } from './snapshot.ts';
import { Tables } from './tables.ts';
import type { Incident, InstanceView } from './view.ts';
import { Weights } from './weights.ts';

export interface CoreOptions {
  readonly graph: AppGraph;
  readonly deployment: Deployment;
  readonly epoch: number;
  /** Uniform in [0, 1). Only breaks ties. */
  readonly random: () => number;
}

export class ControllerCore {
  readonly #parts: Parts;
  readonly #outbox: Outbox;
  readonly #scaler: Scaler;
  readonly #repair: Repair;
  readonly #weights: Weights;
  readonly #epoch: number;
  readonly #processesExpected: number;
  /** Instances that serve, or drain, without a decision of this controller, and are still to be taken over. */
  readonly #strays: Set<InstanceView> = new Set();
  #isDeposed = false;
  #isClosed = false;
  #isTakeover = false;
  #firstReportMs = Number.NaN;
  #evaluatedAtMs = Number.NEGATIVE_INFINITY;
  #lastInstanceId = 0;
  #nowMs = 0;

  constructor(options: CoreOptions) {
    const { graph, deployment, epoch, random } = options;
    const { policy } = deployment;
    this.#epoch = epoch;
    this.#processesExpected = deployment.machines.reduce((sum, machine) => sum + machine.processes.length, 0);
    const monitor = new Monitor(graph, deployment);
    const outbox = new Outbox(epoch);
    const tables = new Tables(graph, outbox);
    const log = new DecisionLog(epoch);
    const executor = new Executor(monitor, tables, outbox, log, deployment.drainMaxMs, {
      serving: (msu, nowMs) => this.#onServing(msu, nowMs),
      failed: (msu, problem, nowMs) => this.#onFailed(msu, problem, nowMs),
    });
    const placer = new Placer(monitor, graph, deployment, random);
    placer.leaving = executor.leaving;
    this.#outbox = outbox;
    this.#parts = {
      graph,
      deployment,
      policy,
      monitor,
      tables,
      executor,
      log,
      placer,
      budget: new Budget(policy),
      newInstanceId: () => this.#newInstanceId(),
    };
    this.#scaler = new Scaler(this.#parts);
    this.#repair = new Repair(this.#parts);
    this.#weights = new Weights(monitor, graph, tables);
  }

  get isDeposed(): boolean {
    return this.#isDeposed;
  }

  /** A report has come. */
  report(report: Report, nowMs: number): Command[] {
    if (report.epoch > this.#epoch) this.#isDeposed = true;
    if (this.#isDeposed || this.#isClosed) return [];
    const { monitor, tables } = this.#parts;
    if (Number.isNaN(this.#firstReportMs)) {
      this.#firstReportMs = nowMs;
      this.#isTakeover = report.epoch > 0;
    }
    this.#handle(monitor.accept(report, nowMs), nowMs);
    const process = monitor.processes.get(`${report.machine}/${report.process}`);
    if (process !== undefined) tables.reported(process, this.#epoch);
    return this.#advance(nowMs);
  }

  /** A heartbeat has come: time has passed, and silence is judged, but nothing else looked at that nobody waits for. */
  heartbeat(heartbeat: Heartbeat, nowMs: number): Command[] {
    if (this.#isDeposed || this.#isClosed) return [];
    const { monitor, executor } = this.#parts;
    const incidents = [...monitor.heard(heartbeat, nowMs), ...monitor.check(nowMs)];
    if (incidents.length === 0 && executor.isIdle && this.#outbox.isIdle) return [];
    this.#handle(incidents, nowMs);
    return this.#advance(nowMs);
  }

  /** A command was answered. */
  result(result: CommandResult, nowMs: number): Command[] {
    if (!result.isOk && result.reason === 'stale-epoch') this.#isDeposed = true;
    if (this.#isDeposed || this.#isClosed || !this.#outbox.answer(result, nowMs)) return [];
    return this.#advance(nowMs);
  }

  /** Time has passed; to be called at least once per sample period. */
  tick(nowMs: number): Command[] {
    return this.#isDeposed || this.#isClosed ? [] : this.#advance(nowMs);
  }

  /** Whether an instance serves already, and no report has shown it: orders do not know it yet. */
  isUnseen(id: InstanceId): boolean {
    return !this.#isDeposed && !this.#isClosed && this.#parts.executor.isUnseen(id);
  }

  /** A person's order. */
  order(order: Order, nowMs: number): { readonly decisionId: number; readonly commands: Command[] } {
    if (this.#isDeposed || this.#isClosed) {
      const reason = this.#isClosed
        ? 'this controller is closed'
        : 'a newer controller has taken over; give the order to that one';
      return { decisionId: refuseOrder(this.#parts, order, reason, nowMs), commands: [] };
    }
    const decisionId = operate(this.#parts, order, nowMs);
    return { decisionId, commands: this.tick(nowMs) };
  }

  /** From now on it gives no commands, and refuses orders. */
  close(): void {
    this.#isClosed = true;
  }

  /** The decisions kept, oldest first. */
  decisions(): Decision[] {
    return this.#parts.log.list();
  }

  decision(id: number): Decision | undefined {
    return this.#parts.log.get(id);
  }

  view(): ControllerView {
    const state = { epoch: this.#epoch, isDeposed: this.#isDeposed, clones: this.#scaler.clones() };
    return snapshot(this.#parts, state, this.#nowMs);
  }

  #advance(nowMs: number): Command[] {
    this.#nowMs = Math.max(this.#nowMs, nowMs);
    const { monitor, executor, tables, deployment } = this.#parts;
    this.#handle(monitor.check(nowMs), nowMs);
    this.#outbox.tick(nowMs);
    executor.tick(nowMs);
    this.#openTables(nowMs);
    this.#takeOver(nowMs);
    // With many processes there are many reports in a period; one look in about a period is enough.
    if (tables.isOpen && nowMs - this.#evaluatedAtMs >= 0.5 * deployment.samplePeriodMs) {
      this.#evaluatedAtMs = nowMs;
      this.#repair.tick(nowMs);
      this.#scaler.tick(nowMs);
      this.#weights.tick(nowMs);
    }
    tables.flush(nowMs);
    const commands = this.#outbox.ready;
    this.#outbox.ready = [];
    return commands;
  }

  #openTables(nowMs: number): void {
    const { monitor, tables, deployment } = this.#parts;
    if (tables.isOpen || Number.isNaN(this.#firstReportMs)) return;
    const isComplete = monitor.processes.size >= this.#processesExpected;
    const waitMs = takeoverWaitReports * restPeriods * deployment.samplePeriodMs;
    // At a fresh start nothing flows without tables, so they go out at once. A controller that takes over would
    // cut off those that it has not heard yet.
    if (this.#isTakeover && !isComplete && nowMs - this.#firstReportMs < waitMs) return;
    for (const instance of this.#strays) {
      if (instance.phase === 'serving') this.#route(instance, false);
    }
    if (this.#isTakeover) {
      for (const type of monitor.types.values()) {
        const serving = [...type.instances].filter((instance) => instance.phase === 'serving').length;
        type.committed = Math.max(type.committed, serving);
      }
    }
    tables.isOpen = true;
  }

  /** Routes to instances that serve without a decision, and goes on with drains that somebody else began. */
  #takeOver(nowMs: number): void {
    const { tables, executor, log } = this.#parts;
    if (!tables.isOpen) return;
    for (const instance of this.#strays) {
      const id = instance.instanceId;
      if (executor.arriving.has(id) || executor.leaving.has(id)) {
        this.#strays.delete(instance);
      } else if (instance.phase === 'serving') {
        // Its process must know where its messages go before it gets any.
        if (tables.lagging(tables.mark(instance.msu, 'from'), instance.process).length > 0) continue;
        this.#route(instance, false);
        this.#strays.delete(instance);
      } else if (instance.phase === 'draining') {
        if (executor.isBusy(instance.msu)) continue;
        this.#route(instance, true);
        this.#strays.delete(instance);
        const detail = 'it was draining when this controller first heard of it';
        const decisionId = log.open(
          { operator: 'remove', msu: instance.msu, cause: { kind: 'resumed', detail }, removes: [id] },
          nowMs,
        );
        executor.remove(decisionId, instance.msu, [instance], nowMs);
      }
    }
  }

  #route(instance: InstanceView, isDraining: boolean): void {
    const { machine, process } = instance.process;
    const { tables } = this.#parts;
    const weight = tables.endpoint(instance.instanceId)?.weight ?? 1;
    tables.add(instance.msu, { instanceId: instance.instanceId, machine, process, weight, isDraining });
  }

  #handle(incidents: readonly Incident[], nowMs: number): void {
    const { tables } = this.#parts;
    for (const incident of incidents) {
      switch (incident.kind) {
        case 'process-joined':
          tables.join(incident.process);
          break;
        case 'process-restarted':
          this.#outbox.abandon(incident.process, nowMs);
          tables.join(incident.process);
          break;
        case 'process-dead':
          this.#outbox.abandon(incident.process, nowMs);
          tables.leave(incident.process);
          break;
        case 'process-back':
          if (!tables.has(incident.process)) tables.join(incident.process);
          break;
        case 'process-suspect':
          break;
        case 'instance-changed':
          this.#instanceChanged(incident.instance, incident.isGone);
          break;
      }
    }
  }

  #instanceChanged(instance: InstanceView, isGone: boolean): void {
    const { tables, monitor, executor } = this.#parts;
    const id = instance.instanceId;
    if (isGone) {
      this.#strays.delete(instance);
      executor.forget(id);
      if (executor.arriving.has(id)) executor.lost(id);
      else if (!monitor.instances.has(id)) tables.remove(id);
      if (instance.process.status === 'dead') monitor.type(instance.msu).isLossConfirmed = true;
      return;
    }
    if (executor.arriving.has(id) || executor.leaving.has(id)) return;
    // The last of its type stays: its lanes outlive its thread, and what is sent meanwhile waits for the replacement.
    if (instance.phase === 'lost' && this.#hasOther(instance)) tables.remove(id);
    if (instance.phase === 'serving' || instance.phase === 'draining') this.#strays.add(instance);
    else this.#strays.delete(instance);
  }

  /** Does another instance of the type serve, to which its messages can go? */
  #hasOther(instance: InstanceView): boolean {
    const { tables, monitor } = this.#parts;
    return tables
      .endpoints(instance.msu)
      .some(
        (endpoint) =>
          endpoint.instanceId !== instance.instanceId &&
          !endpoint.isDraining &&
          monitor.instances.get(endpoint.instanceId)?.phase === 'serving',
      );
  }

  #onServing(msu: string, nowMs: number): void {
    const { monitor, tables, executor } = this.#parts;
    const type = monitor.type(msu);
    type.lastServingMs = nowMs;
    type.blocked = null;
    type.failures = 0;
    const routed = tables
      .endpoints(msu)
      .filter((endpoint) => !endpoint.isDraining && !executor.leaving.has(endpoint.instanceId)).length;
    type.committed = Math.max(type.committed, routed);
  }

  /** What failed is likely to fail again: each time in a row, it is left alone for twice as long. */
  #onFailed(msu: string, problem: string, nowMs: number): void {
    const type = this.#parts.monitor.type(msu);
    const waitMs = Math.min(failureRetryMaxMs, blockedRetryMs * 2 ** type.failures);
    type.failures++;
    type.blocked = { reason: problem, rule: '', untilMs: nowMs + waitMs };
  }

  #newInstanceId(): InstanceId {
    const { instanceIdMax } = this.#parts.monitor;
    const gap = this.#isTakeover && this.#lastInstanceId === 0 ? takeoverIdGap : 0;
    this.#lastInstanceId = Math.max(this.#lastInstanceId, instanceIdMax + gap) + 1;
    return instanceId(this.#lastInstanceId);
  }
}
