/**
 * Measures the events of one instance, and publishes the figures in its block: how many wait, when the running one
 * began, how long they take and how long messages were there.
 *
 * It is on the path of every message. What is imported is looked up with every use, and what the module itself declares
 * is part of the code: so the positions in the block are declared here once more.
 */
import { bucketOf as bucketOfTime } from '../wire/index.ts';
import {
  InstanceFloat,
  serviceHistogramFloat,
  sizeMeanFloat,
  sojournHistogramFloat,
} from './shared-block.ts';
import type { ThreadRuntime } from './thread-runtime.ts';

const { runningSince, handlerMs, events, serviceMeanMs, localAccepted, localEnds } = InstanceFloat;
const { queueLength, queueMin, queueMax, window, windowSeen } = InstanceFloat;
const serviceHistogram = serviceHistogramFloat;
const sojournHistogram = sojournHistogramFloat;
const bucketOf = bucketOfTime;

/**
 * Events of a type without a run limit share readings of the clock, 36 ns each, while they last less than this on average,
 * so many at a time. With a run limit each event must have its own: it is what the limit is measured from.
 */
const shortEventMs = 0.002;
const eventsPerReading = 4;

export class EventMeter {
  readonly #stats: Float64Array;
  readonly #thread: ThreadRuntime;
  readonly #hasRunLimit: boolean;
  /** How long an event takes, of whatever kind: weighted mean, weight 1/16. At first it is taken to be long. */
  #eventMeanMs = 1;
  /** Events since the clock was read, when the first of them began, and how many were messages that are done with. */
  #untimed = 0;
  #untimedSinceMs = 0;
  #untimedServed = 0;
  /** Size of the last of them; -1: it came by reference. */
  #untimedBytes = -1;

  constructor(stats: Float64Array, thread: ThreadRuntime, hasRunLimit: boolean) {
    this.#stats = stats;
    this.#thread = thread;
    this.#hasRunLimit = hasRunLimit;
  }

  /** The next event may last: others should not wait for its end. */
  get mayBeLong(): boolean {
    return this.#hasRunLimit || this.#eventMeanMs > shortEventMs;
  }

  /** A message has come by reference. */
  accepted(): void {
    this.#stats[localAccepted] = (this.#stats[localAccepted] as number) + 1;
  }

  /** A message that came by reference has ended; the code of the end. */
  ended(end: number): void {
    const at = localEnds + end;
    this.#stats[at] = (this.#stats[at] as number) + 1;
  }

  /** `length`: how many messages wait; `most`: before one of them was taken. */
  publishQueue(length: number, most: number): void {
    const stats = this.#stats;
    const current = stats[window] as number;
    if (current !== stats[windowSeen]) {
      stats[queueLength] = length;
      stats[queueMin] = length;
      stats[queueMax] = most;
      stats[windowSeen] = current;
      return;
    }
    if (most > (stats[queueMax] as number)) stats[queueMax] = most;
    if (length === stats[queueLength]) return;
    stats[queueLength] = length;
    if (length < (stats[queueMin] as number)) stats[queueMin] = length;
  }

  /** A handler begins. */
  begin(startedAtMs: number): void {
    this.#stats[runningSince] = startedAtMs;
  }

  /** No handler runs: the event is over, its message ended. */
  end(): void {
    this.#stats[runningSince] = 0;
  }

  /** After a handler. `served`: 1 if it was that of a message, and is done with it; `bytes`: see {@link recordService}. */
  account(startedAtMs: number, served: number, bytes = -1): void {
    if (this.#untimed === 0) this.#untimedSinceMs = startedAtMs;
    this.#untimed++;
    this.#untimedServed += served;
    this.#untimedBytes = bytes;
    if (this.mayBeLong || this.#untimed === eventsPerReading) this.settle();
  }

  /** Shares out the time since the clock was read; called when the thread goes on to something else, too. */
  settle(): void {
    const count = this.#untimed;
    if (count === 0) return;
    const tookMs = this.#thread.tick() - this.#untimedSinceMs;
    const stats = this.#stats;
    stats[handlerMs] = (stats[handlerMs] as number) + tookMs;
    stats[events] = (stats[events] as number) + count;
    const eachMs = tookMs / count;
    this.#eventMeanMs += (eachMs - this.#eventMeanMs) / 16;
    if (this.#untimedServed > 0)
      this.recordService(eachMs, this.#untimedServed, count === 1 ? this.#untimedBytes : -1);
    this.#untimed = 0;
    this.#untimedServed = 0;
  }

  /** So many messages took so long each. `bytes`: the size of the one; -1: it came by reference, or there were several. */
  recordService(tookMs: number, count: number, bytes: number): void {
    const stats = this.#stats;
    this.#average(serviceMeanMs, tookMs);
    this.recordSize(tookMs, bytes);
    const at = serviceHistogram + bucketOf(tookMs);
    stats[at] = (stats[at] as number) + count;
  }

  /** What is expected of messages of a size by this one, that was served or killed. `bytes`: see {@link recordService}. */
  recordSize(tookMs: number, bytes: number): void {
    if (bytes >= 0) this.#average(sizeMeanFloat(bytes), tookMs);
  }

  #average(at: number, tookMs: number): void {
    const mean = this.#stats[at] as number;
    this.#stats[at] = mean === 0 ? tookMs : mean + (tookMs - mean) / 16;
  }

  /** From acceptance to the end of its handler. */
  recordSojourn(acceptedAtMs: number): void {
    const stats = this.#stats;
    const at = sojournHistogram + bucketOf(this.#thread.nowMs - acceptedAtMs);
    stats[at] = (stats[at] as number) + 1;
  }
}
