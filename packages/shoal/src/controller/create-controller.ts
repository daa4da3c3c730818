import type { AppGraph, Clock, Deployment, InstanceId } from '../model/index.ts';
import type { Command, ControlBus, Heartbeat, Report } from '../wire/index.ts';
import { ControllerCore } from './core/core.ts';
import type { Decision } from './core/decision.ts';
import type { Order, Place } from './core/operate.ts';
import { explain, renderDecision } from './core/render.ts';
import type { ControllerView } from './core/snapshot.ts';

/** Options of {@link createController}. */
export interface ControllerOptions {
  readonly graph: AppGraph;
  /** Where the app runs, and the policy the controller follows. */
  readonly deployment: Deployment;
  /** The way to the agents. Reports begin to count with the call of {@link createController}. */
  readonly bus: ControlBus;
  /** Milliseconds, monotonic. Need not be the clock of any machine. */
  readonly clock: Clock;
  /** Larger than that of every controller before it, so that agents refuse those. A positive integer. */
  readonly epoch: number;
  /** Uniform in [0, 1). Only breaks ties between equal places. */
  readonly random: () => number;
  /** Called once with every decision when it is taken, and once more when it is over. Default: nobody. */
  readonly log?: (line: string, decision: Decision) => void;
}

/**
 * A live controller: watches every MSU type, clones the one that is overwhelmed and takes the clones back, and
 * carries out what people order. It starts from what the reports say runs, and sends the first routing tables:
 * before that no message flows.
 */
export interface Controller {
  /** Lets time pass without a report. Called by every report and, between them, by a timer of its own. */
  tick(): void;
  /** What the controller knows, as JSON. */
  view(): ControllerView;
  /** The decisions kept, oldest first: what was done, with the figures that caused it, what was tried, what came of it. */
  decisions(): Decision[];
  /** Why there are as many of a type as there are, or why an instance (`7` or `regex#7`) is there. */
  explain(name: string): string;
  /** Adds an instance of a type, on its own thread; at `place`, if given. Resolves when it serves, or will not. */
  add(msu: string, place?: Place): Promise<Decision>;
  /** Adds `count` (default 1) instances where they fit best. They are kept when it is calm. */
  clone(msu: string, count?: number): Promise<Decision>;
  /** Drains an instance and removes it. Resolves when it is gone. */
  remove(instanceId: InstanceId): Promise<Decision>;
  /** Moves an instance to another process: a new one serves there before the old one is drained and removed. */
  reassign(instanceId: InstanceId, place: Place): Promise<Decision>;
  /**
   * Stops deciding. What runs goes on running with the tables it has; open orders resolve as they stand, and later ones
   * are refused.
   */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** Makes a controller and begins to listen on the bus. */
export function createController(options: ControllerOptions): Controller {
  return new LiveController(options);
}

class LiveController implements Controller {
  readonly #core: ControllerCore;
  readonly #bus: ControlBus;
  readonly #clock: Clock;
  readonly #log: (line: string, decision: Decision) => void;
  readonly #silentMs: number;
  #timer: NodeJS.Timeout | undefined;
  readonly #waiting: Map<number, (decision: Decision) => void> = new Map();
  /** Orders that wait for the next report. */
  #held: (() => void)[] = [];
  /** Decisions that were logged and are not over; and the largest id logged. */
  readonly #running: Set<number> = new Set();
  #loggedId = 0;
  #isClosed = false;

  constructor(options: ControllerOptions) {
    const { graph, deployment, bus, clock, epoch, random } = options;
    this.#core = new ControllerCore({ graph, deployment, epoch, random });
    this.#bus = bus;
    this.#clock = clock;
    this.#log = options.log ?? (() => undefined);
    bus.onReport((report) => this.#onReport(report));
    bus.onHeartbeat((heartbeat) => this.#onHeartbeat(heartbeat));
    this.#silentMs = 1.5 * deployment.samplePeriodMs;
    this.#awaitSilence();
  }

  tick(): void {
    if (!this.#isClosed) this.#carryOn(this.#core.tick(this.#clock.now()));
  }

  view(): ControllerView {
    return this.#core.view();
  }

  decisions(): Decision[] {
    return this.#core.decisions();
  }

  explain(name: string): string {
    return explain(name, this.#core.view(), this.#core.decisions());
  }

  add(msu: string, place?: Place): Promise<Decision> {
    return this.#order({ operator: 'add', msu, ...(place === undefined ? {} : { place }) });
  }

  clone(msu: string, count = 1): Promise<Decision> {
    return this.#order({ operator: 'clone', msu, count });
  }

  remove(instanceId: InstanceId): Promise<Decision> {
    return this.#order({ operator: 'remove', instanceId });
  }

  reassign(instanceId: InstanceId, place: Place): Promise<Decision> {
    return this.#order({ operator: 'reassign', instanceId, place });
  }

  close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    this.#core.close();
    this.#orderHeld();
    this.#answerAll();
    return Promise.resolve();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #onReport(report: Report): void {
    if (this.#isClosed) return;
    this.#awaitSilence();
    this.#carryOn(this.#core.report(report, this.#clock.now()));
  }

  #onHeartbeat(heartbeat: Heartbeat): void {
    if (this.#isClosed) return;
    this.#awaitSilence();
    this.#send(this.#core.heartbeat(heartbeat, this.#clock.now()));
  }

  /**
   * Reports and heartbeats drive everything while they come; a timer does when they do not, and each of them puts it off.
   * Node wakes at the old time of a timer that is refreshed, and of one that was cleared while it had no `ref`.
   */
  #awaitSilence(): void {
    clearTimeout(this.#timer?.ref());
    this.#timer = setTimeout(() => {
      this.#awaitSilence();
      this.tick();
    }, this.#silentMs).unref();
  }

  #carryOn(commands: readonly Command[]): void {
    this.#send(commands);
    this.#orderHeld();
  }

  #orderHeld(): void {
    const held = this.#held;
    this.#held = [];
    for (const order of held) order();
  }

  #order(order: Order): Promise<Decision> {
    // An instance that has just been added serves before a report has shown it, and could not be found yet.
    if (!this.#isClosed && 'instanceId' in order && this.#core.isUnseen(order.instanceId))
      return new Promise((resolve) => this.#held.push(() => resolve(this.#order(order))));
    const { decisionId, commands } = this.#core.order(order, this.#clock.now());
    const decided = new Promise<Decision>((resolve) => {
      this.#waiting.set(decisionId, resolve);
    });
    this.#send(commands);
    return decided;
  }

  #send(commands: readonly Command[]): void {
    for (const command of commands) {
      void this.#bus.send(command).then((result) => {
        if (!this.#isClosed) this.#send(this.#core.result(result, this.#clock.now()));
      });
    }
    this.#settle();
  }

  /** Answers open orders as they stand: nothing more will come of them here. */
  #answerAll(): void {
    for (const [id, resolve] of this.#waiting) {
      const decision = this.#core.decision(id);
      if (decision !== undefined) resolve(decision);
    }
    this.#waiting.clear();
  }

  /** Logs what is new, and answers those whose order is over. */
  #settle(): void {
    for (let id = this.#loggedId + 1; ; id++) {
      const decision = this.#core.decision(id);
      if (decision === undefined) break;
      this.#loggedId = id;
      if (decision.outcome === 'running') this.#running.add(id);
      else this.#waiting.get(id)?.(decision);
      if (decision.outcome !== 'running') this.#waiting.delete(id);
      this.#log(renderDecision(decision), decision);
    }
    for (const id of this.#running) {
      const decision = this.#core.decision(id);
      if (decision?.outcome === 'running') continue;
      this.#running.delete(id);
      if (decision === undefined) continue;
      this.#log(renderDecision(decision), decision);
      this.#waiting.get(id)?.(decision);
      this.#waiting.delete(id);
    }
    if (this.#core.isDeposed) this.#answerAll();
  }
}
