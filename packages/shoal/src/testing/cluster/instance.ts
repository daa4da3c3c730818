import type { GraphMsu, InstanceId } from '../../model/index.ts';
import type { InstanceSample } from '../../wire/index.ts';
import type { SimulatedThread } from './machine.ts';
import type { SimulatedProcess } from './process.ts';

/** One hop of a message: the type that handles it, and its core time there. */
export interface SimulatedHop {
  readonly msu: string;
  readonly workMs: number;
}

export interface SimulatedMessage {
  readonly path: readonly SimulatedHop[];
  hop: number;
  readonly sentAtMs: number;
  arrivedAtMs: number;
  readonly load: LoadOutcomes;
}

/** What became of the messages of one load. Every message sent ends in exactly one of the others. */
export interface LoadOutcomes {
  readonly name: string;
  sent: number;
  done: number;
  /** Past the deadline of a type when its turn came. */
  expired: number;
  /** A queue was full, or no table had an endpoint. */
  refused: number;
  /** In the queue of an instance that was removed, or on a process that died. */
  lost: number;
  /** End to end, of those done; in milliseconds. */
  readonly latencies: number[];
}

/** A FIFO without shifting. */
export class Fifo<T> {
  #items: T[] = [];
  #head = 0;

  get length(): number {
    return this.#items.length - this.#head;
  }

  push(item: T): void {
    this.#items.push(item);
  }

  peek(): T | undefined {
    return this.#items[this.#head];
  }

  shift(): T | undefined {
    const item = this.#items[this.#head];
    if (item === undefined) return undefined;
    this.#head++;
    if (this.#head > 64 && this.#head * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    return item;
  }
}

const nothing: Readonly<Record<string, never>> = Object.freeze({});
const emptyHistogram: readonly number[] = Object.freeze([]);
const noPorts: InstanceSample['ports'] = Object.freeze([]);

/** An instance whose messages take the time that their load says. */
export class SimulatedInstance {
  readonly instanceId: InstanceId;
  readonly msu: GraphMsu;
  readonly process: SimulatedProcess;
  readonly thread: SimulatedThread;
  phase: InstanceSample['phase'] = 'starting';
  givenUp: InstanceSample['givenUp'] = null;
  readonly queue: Fifo<SimulatedMessage> = new Fifo();
  queueMin = 0;
  queueMax = 0;
  accepted = 0;
  done = 0;
  expired = 0;
  refusedFull = 0;
  busyMs = 0;
  sojourn: number[] | null;
  service: number[];
  servingSinceMs = -1;
  isEnded = false;
  /** At the last look: what was in service, and whether something waited. */
  #served: SimulatedMessage | null = null;
  #hadWaiting = false;
  /** Limited resources it holds, by name. */
  resources: Readonly<Record<string, number>> = nothing;

  constructor(instanceId: InstanceId, msu: GraphMsu, process: SimulatedProcess, thread: SimulatedThread) {
    this.instanceId = instanceId;
    this.msu = msu;
    this.process = process;
    this.thread = thread;
    // Only the deadline rule reads it.
    this.sojourn = msu.deadlineMs > 0 ? [] : null;
    this.service = [];
  }

  get inService(): number {
    return this.thread.instance === this ? 1 : 0;
  }

  /** It exists, with its thread. */
  get isThere(): boolean {
    return !this.isEnded && this.phase !== 'lost';
  }

  get isIdle(): boolean {
    return this.thread.message === null && this.queue.length === 0 && this.isThere;
  }

  enqueue(message: SimulatedMessage): void {
    this.queue.push(message);
    if (this.queue.length > this.queueMax) this.queueMax = this.queue.length;
  }

  dequeue(): SimulatedMessage | undefined {
    const message = this.queue.shift();
    if (this.queue.length < this.queueMin) this.queueMin = this.queue.length;
    return message;
  }

  /** As agents judge it (`runtime/agent-instance.ts`). */
  isPressed(): boolean {
    const served = this.thread.instance === this ? this.thread.message : null;
    const hasWaiting = this.queue.length > 0;
    const isPressed = (hasWaiting && this.#hadWaiting) || (served !== null && served === this.#served);
    this.#served = served;
    this.#hadWaiting = hasWaiting;
    return isPressed;
  }

  /** The report's sample; a new window begins. */
  sample(): InstanceSample {
    const length = this.queue.length;
    const sample: InstanceSample = {
      instanceId: this.instanceId,
      msu: this.msu.name,
      threadId: this.thread.threadId as InstanceSample['threadId'],
      phase: this.phase,
      givenUp: this.givenUp,
      queueLength: length,
      queueLengthMin: Math.min(this.queueMin, length),
      queueLengthMax: this.queueMax,
      inService: this.inService,
      accepted: this.accepted,
      done: this.done,
      failed: nothing,
      shed: this.expired > 0 ? { expired: this.expired } : nothing,
      refused: this.refusedFull > 0 ? { 'queue-full': this.refusedFull } : nothing,
      handlerMs: this.busyMs,
      busyMs: this.busyMs,
      items: this.done,
      serviceTime: this.service.slice(),
      sojournTime: this.sojourn === null ? emptyHistogram : this.sojourn.slice(),
      errors: 0,
      states: 0,
      resources: this.resources,
      counters: nothing,
      ports: noPorts,
      orphans: 0,
      noticesCoalesced: 0,
      noticesLost: 0,
    };
    this.queueMin = length;
    this.queueMax = length;
    return sample;
  }
}
