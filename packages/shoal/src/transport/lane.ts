/**
 * A lane: the queue from one sending thread to one receiving instance, in shared memory, so that it outlives both.
 *
 *   memory ┌ header ──────────────────────────────┐┌ slots ───────────┐┌ states ──┐┌ spill ──────────┐
 *          │ head │ (producer)                    ││ N × 256 bytes:   ││ N words  ││ payloads that   │
 *          │ cursor │ counters (consumer)         ││ header + payload ││          ││ do not fit      │
 *          └──────────────────────────────────────┘└──────────────────┘└──────────┘└─────────────────┘
 *
 * Who may call: one {@link LaneWriter} in the sending thread, one {@link LaneReader} in the thread of the
 * instance. After a thread has died (and only then) its replacement makes a new writer or reader on the same
 * memory and goes on. Nobody waits, and there are no locks.
 *
 * I1. No word of the memory is written by two threads.
 * I2. A message is accepted when `head` is stored; before that it does not exist.
 * I3. `cursor` is `2·index + running`: every message below `index` has ended. An odd cursor after the death of the
 *     consumer names the message that was in service: the poison message.
 * I4. Ends may come out of order (priorities, concurrency): then each slot's state word tells running from ended,
 *     and `index` is the lowest message that has not ended.
 * I5. A message is counted before its end is marked, so counters are ahead of marks by at most one message,
 *     whenever the consumer dies; {@link LaneReader.recover} settles which. Where several are in service, the
 *     consumer writes down which one it is about to count.
 * I6. Payloads in the spill area belong to their slot and are freed when `index` passes it: nothing leaks.
 *
 * Indices count modulo 2^31; a lane holds far fewer.
 */
import {
  failureReasons,
  type InstanceId,
  provenanceMax,
  type QueueOrder,
  sheddingReasons,
  slotBytes,
} from '../model/index.ts';
import { type Codec, DecodeError, type Envelope, type EnvelopeKind } from '../wire/index.ts';

const indexMask = 0x7fffffff;

// Words of the header (32 bit); producer and consumer on cache lines of their own.
const headWord = 0;
/** Index of the first message, written when the memory is made. */
const firstWord = 1;
const cursorWord = 16;
/** The message whose end is being counted (consumer; only where ends come out of order). */
const endingWord = 17;
/** 64-bit floats from here: counters by outcome, written by the consumer. */
const countersFloat = 16;
const headerBytes = 256;

// Positions in a slot: 64-bit floats, then 32-bit words, then the inline payload.
const enqueuedAtFloat = 0;
const deadlineFloat = 1;
const flowKeyFloat = 2;
const clientKeyFloat = 3;
const idFloat = 4;
const kindWord = 10;
const lengthWord = 11;
const spillWord = 12;
const senderWord = 13;
const originWord = 14;
const correlationWord = 15;
const priorityWord = 16;
/** Three bits: length of the provenance; the others: `routedBy`. */
const priorCountWord = 17;
const priorCountBits = 3;
const priorCountMask = (1 << priorCountBits) - 1;
const priorWord = 18;
const inlineOffset = (priorWord + provenanceMax) * 4;
const inlineMax = slotBytes - inlineOffset;

/** How an accepted message ended: `done`, then the failure reasons, then the shedding reasons; positions are codes. */
export const ends: readonly string[] = ['done', ...failureReasons, ...sheddingReasons];
export const doneCode = 0;
export const failedCode = (reason: (typeof failureReasons)[number]): number =>
  1 + failureReasons.indexOf(reason);
export const shedCode = (reason: (typeof sheddingReasons)[number]): number =>
  1 + failureReasons.length + sheddingReasons.indexOf(reason);

/** Waiting time that is worth one step of priority, so that nothing starves: milliseconds. */
export const priorityAgeMs = 1_000;
/**
 * Messages without a deadline come after all with one, in order of acceptance. 30 years of uptime; larger, the sum would
 * lose the microseconds in which that order is.
 */
const noDeadlineRank = 1e12;

/** What messages are compared by in an order: the smaller is sooner. Milliseconds of the machine's clock, shifted. */
export function rankOf(
  order: QueueOrder,
  enqueuedAtMs: number,
  priority: number,
  deadlineAtMs: number,
): number {
  switch (order) {
    case 'fifo':
      return enqueuedAtMs;
    case 'priority':
      return enqueuedAtMs - priority * priorityAgeMs;
    case 'edf':
      return deadlineAtMs === Number.POSITIVE_INFINITY ? noDeadlineRank + enqueuedAtMs : deadlineAtMs;
  }
}

/** The shared memory of a lane and its bounds. Plain data: it is posted to both threads. */
export interface LaneMemory {
  /**
   * Unique in the thread that made it. Every time that a thread is posted the buffer it sees another object: only
   * by this it knows that it has a writer or reader on the lane already.
   */
  readonly id: number;
  readonly buffer: SharedArrayBuffer;
  /** Slots; a power of two. */
  readonly slots: number;
  /** Messages that may wait or be in service; at most `slots`. */
  readonly maxMessages: number;
  readonly spillBytes: number;
  readonly messageMaxBytes: number;
}

/** What a lane may hold. */
export type LaneBounds = Omit<LaneMemory, 'id' | 'buffer'>;

let lanesMade = 0;

/** Makes the memory of a lane. Pages that are never touched cost nothing. `first`: index of the first message. */
export function createLaneMemory(bounds: LaneBounds, first = 0): LaneMemory {
  const size = headerBytes + bounds.slots * (slotBytes + 4) + bounds.spillBytes;
  const buffer = new SharedArrayBuffer(size);
  if (first !== 0) {
    const words = new Int32Array(buffer);
    words[headWord] = first;
    words[firstWord] = first;
    words[cursorWord] = first << 1;
    const states = (headerBytes + bounds.slots * slotBytes) >>> 2;
    words.fill(endedState((first - 1) & indexMask), states, states + bounds.slots);
  }
  return { ...bounds, id: ++lanesMade, buffer };
}

/** What both ends know of a lane. */
abstract class LaneView {
  readonly memory: LaneMemory;
  protected readonly words: Int32Array;
  protected readonly floats: Float64Array;
  protected readonly bytes: Buffer;
  protected readonly slotMask: number;
  protected readonly statesWord: number;
  protected readonly spillOffset: number;

  constructor(memory: LaneMemory) {
    this.memory = memory;
    this.words = new Int32Array(memory.buffer);
    this.floats = new Float64Array(memory.buffer, 0, (headerBytes + memory.slots * slotBytes) >>> 3);
    this.bytes = Buffer.from(memory.buffer);
    this.slotMask = memory.slots - 1;
    this.statesWord = (headerBytes + memory.slots * slotBytes) >>> 2;
    this.spillOffset = headerBytes + memory.slots * (slotBytes + 4);
  }

  protected slotBase(index: number): number {
    return headerBytes + (index & this.slotMask) * slotBytes;
  }
}

/** What {@link LaneWriter.write} answers. */
export type WriteResult = 'accepted' | 'queue-full' | 'too-large';

/** The sending end. */
export class LaneWriter extends LaneView {
  #head: number;
  /** Last known `index` of the consumer: reloaded only when the lane looks full. */
  #consumed: number;
  /** Spill positions only grow; the offset is the position modulo the size. One per slot: where its payload begins. */
  readonly #spillStart: Float64Array;
  #spillHead = 0;
  #scratch: Buffer | null = null;

  constructor(memory: LaneMemory) {
    super(memory);
    this.#spillStart = new Float64Array(memory.slots);
    this.#head = Atomics.load(this.words, headWord);
    this.#consumed = Atomics.load(this.words, cursorWord) >>> 1;
    this.#rebuildSpill();
  }

  /** Messages accepted and not ended. */
  pending(): number {
    this.#consumed = Atomics.load(this.words, cursorWord) >>> 1;
    return (this.#head - this.#consumed) & indexMask;
  }

  /** Index of the next message. */
  get next(): number {
    return this.#head;
  }

  /** Whether the message of an index, one of the last 2^30 or the next, has ended. */
  hasEnded(index: number): boolean {
    this.#consumed = Atomics.load(this.words, cursorWord) >>> 1;
    return ((this.#consumed - index - 1) & indexMask) < (indexMask + 1) / 2;
  }

  /** Flow key and index of every message that has not ended, oldest first. */
  eachPending(visit: (flowKey: number, index: number) => void): void {
    this.#consumed = Atomics.load(this.words, cursorWord) >>> 1;
    for (let index = this.#consumed; index !== this.#head; index = (index + 1) & indexMask) {
      visit(this.floats[(this.slotBase(index) >>> 3) + flowKeyFloat] as number, index);
    }
  }

  /** Messages that fit now. */
  credit(): number {
    return Math.max(0, this.memory.maxMessages - this.pending());
  }

  /**
   * Accepts a message, or says why not. `reserve` slots are left free (for what must always fit: error notices
   * leave room for replies). Throws what the codec throws for a value of the wrong shape.
   */
  write(header: Envelope, codec: Codec | null, payload: unknown, reserve = 0): WriteResult {
    const head = this.#head;
    const max = this.memory.maxMessages - reserve;
    if (((head - this.#consumed) & indexMask) >= max) {
      this.#consumed = Atomics.load(this.words, cursorWord) >>> 1;
      if (((head - this.#consumed) & indexMask) >= max) return 'queue-full';
    }
    const base = this.slotBase(head);
    const w = base >>> 2;
    const words = this.words;
    let spillHead = this.#spillHead;
    let length = 0;
    let spill = -1;
    if (codec !== null) {
      length = codec.encode(payload, this.bytes, base + inlineOffset, inlineMax);
      if (length < 0) {
        const packed = this.#pack(codec, payload);
        if (packed === null) return 'too-large';
        spill = this.#reserveSpill(packed.length);
        if (spill < 0) return 'queue-full';
        length = packed.length;
        packed.copy(this.bytes, this.spillOffset + spill);
        spillHead = this.#spillHead - length;
      }
    }
    this.#spillStart[head & this.slotMask] = spillHead;
    const f = base >>> 3;
    const floats = this.floats;
    floats[f + enqueuedAtFloat] = header.enqueuedAtMs;
    floats[f + deadlineFloat] = header.deadlineAtMs;
    floats[f + flowKeyFloat] = header.flowKey;
    floats[f + clientKeyFloat] = header.clientKey;
    floats[f + idFloat] = header.id;
    words[w + kindWord] = header.kind | (header.port << 8) | (header.isTraced ? 1 << 30 : 0);
    words[w + lengthWord] = length;
    words[w + spillWord] = spill;
    words[w + senderWord] = header.sender;
    words[w + originWord] = header.origin;
    words[w + correlationWord] = header.correlation;
    words[w + priorityWord] = header.priority;
    const prior = header.prior;
    words[w + priorCountWord] = prior.length | (header.routedBy << priorCountBits);
    for (let i = 0; i < prior.length; i++) words[w + priorWord + i] = prior[i] as number;
    this.#head = (head + 1) & indexMask;
    Atomics.store(words, headWord, this.#head);
    return 'accepted';
  }

  /** Encodes a payload that does not fit a slot; null where it is larger than a message may be. */
  #pack(codec: Codec, payload: unknown): Buffer | null {
    this.#scratch ??= Buffer.allocUnsafe(this.memory.messageMaxBytes);
    const length = codec.encode(payload, this.#scratch, 0, this.memory.messageMaxBytes);
    return length < 0 ? null : this.#scratch.subarray(0, length);
  }

  /** Reserves contiguous bytes of the spill area: their offset, or -1 where it is full. */
  #reserveSpill(length: number): number {
    const size = this.memory.spillBytes;
    this.#consumed = Atomics.load(this.words, cursorWord) >>> 1;
    const isEmpty = this.#consumed === this.#head;
    // An empty area is used from its start again, so that a quiet lane touches few pages.
    if (isEmpty) this.#spillHead = 0;
    const tail = isEmpty ? 0 : (this.#spillStart[this.#consumed & this.slotMask] as number);
    let start = this.#spillHead;
    if ((start % size) + length > size) start += size - (start % size);
    if (start + length - tail > size) return -1;
    this.#spillHead = start + length;
    return start % size;
  }

  /** A new writer on the memory of a dead one: finds out which spill bytes are in use. */
  #rebuildSpill(): void {
    const size = this.memory.spillBytes;
    let position = 0;
    for (let index = this.#consumed; index !== this.#head; index = (index + 1) & indexMask) {
      const w = this.slotBase(index) >>> 2;
      const spill = this.words[w + spillWord] as number;
      if (spill >= 0) {
        const offset = position % size;
        position += spill >= offset ? spill - offset : size - offset + spill;
      }
      this.#spillStart[index & this.slotMask] = position;
      if (spill >= 0) position += this.words[w + lengthWord] as number;
    }
    this.#spillHead = position;
  }
}

/** The receiving end. `isOrdered`: messages end in the order in which they are taken, one at a time. */
export class LaneReader extends LaneView {
  readonly isOrdered: boolean;
  #head = 0;
  /** Lowest message that has not ended. */
  #index: number;
  /** Next message to be taken, where messages are taken in order. */
  #next: number;

  constructor(memory: LaneMemory, isOrdered: boolean) {
    super(memory);
    this.isOrdered = isOrdered;
    this.#index = Atomics.load(this.words, cursorWord) >>> 1;
    this.#next = this.#index;
    this.#head = this.#index;
  }

  /** Sees what has been accepted since; answers how many messages wait. */
  poll(): number {
    this.#head = Atomics.load(this.words, headWord);
    this.#skipEnded();
    return (this.#head - this.#next) & indexMask;
  }

  /** Messages seen by the last poll and not taken. */
  get waiting(): number {
    return (this.#head - this.#next) & indexMask;
  }

  /** Index of the next message to take. */
  get next(): number {
    return this.#next;
  }

  /** When the next message was accepted. There must be one. */
  nextEnqueuedAtMs(): number {
    return this.floats[(this.slotBase(this.#next) >>> 3) + enqueuedAtFloat] as number;
  }

  /** Rank of the next message in an order ({@link rankOf}). There must be one. */
  nextRank(order: QueueOrder): number {
    const base = this.slotBase(this.#next);
    const f = base >>> 3;
    return rankOf(
      order,
      this.floats[f + enqueuedAtFloat] as number,
      this.words[(base >>> 2) + priorityWord] as number,
      this.floats[f + deadlineFloat] as number,
    );
  }

  /** Takes the next message into service. In an ordered lane this marks it as running (I3). */
  take(envelope: Envelope): number {
    const index = this.#next;
    this.#next = (index + 1) & indexMask;
    if (this.isOrdered) Atomics.store(this.words, cursorWord, ((index << 1) | 1) >>> 0);
    else {
      Atomics.store(this.words, this.statesWord + (index & this.slotMask), runningState(index));
      this.#skipEnded();
    }
    this.readHeader(index, envelope);
    return index;
  }

  /** Takes a message out of order: {@link advanceNext} has made it known to the caller before. */
  start(index: number, envelope: Envelope): void {
    Atomics.store(this.words, this.statesWord + (index & this.slotMask), runningState(index));
    this.readHeader(index, envelope);
  }

  /** Lets the caller keep the next message in an order of its own. Answers its index. */
  advanceNext(): number {
    const index = this.#next;
    this.#next = (index + 1) & indexMask;
    this.#skipEnded();
    return index;
  }

  /** Ends a message. Counted first, then marked (I5). */
  finish(index: number, end: number): void {
    if (!this.isOrdered) this.words[endingWord] = index;
    (this.floats[countersFloat + end] as number)++;
    this.#mark(index);
  }

  #mark(index: number): void {
    if (this.isOrdered) {
      this.#index = (index + 1) & indexMask;
      Atomics.store(this.words, cursorWord, (this.#index << 1) >>> 0);
    } else {
      Atomics.store(this.words, this.statesWord + (index & this.slotMask), endedState(index));
      this.#passEnded();
    }
  }

  #passEnded(): void {
    let index = this.#index;
    while (
      index !== this.#head &&
      this.words[this.statesWord + (index & this.slotMask)] === endedState(index)
    ) {
      index = (index + 1) & indexMask;
    }
    if (index === this.#index) return;
    this.#index = index;
    Atomics.store(this.words, cursorWord, (index << 1) >>> 0);
  }

  /** Reads the header of a message into an envelope; the payload is decoded by {@link payload}. */
  readHeader(index: number, envelope: Envelope): void {
    const base = this.slotBase(index);
    const f = base >>> 3;
    const w = base >>> 2;
    const floats = this.floats;
    const words = this.words;
    envelope.enqueuedAtMs = floats[f + enqueuedAtFloat] as number;
    envelope.deadlineAtMs = floats[f + deadlineFloat] as number;
    envelope.flowKey = floats[f + flowKeyFloat] as number;
    envelope.clientKey = floats[f + clientKeyFloat] as number;
    envelope.id = floats[f + idFloat] as number;
    const kind = words[w + kindWord] as number;
    envelope.kind = (kind & 255) as EnvelopeKind;
    envelope.port = (kind >>> 8) & 0xffff;
    envelope.isTraced = (kind & (1 << 30)) !== 0;
    envelope.sender = words[w + senderWord] as InstanceId;
    envelope.origin = words[w + originWord] as InstanceId;
    envelope.correlation = words[w + correlationWord] as number;
    envelope.priority = words[w + priorityWord] as number;
    const priorCount = words[w + priorCountWord] as number;
    envelope.routedBy = priorCount >>> priorCountBits;
    const count = priorCount & priorCountMask;
    if (count > 0) {
      const prior: InstanceId[] = [];
      for (let i = 0; i < count && i < provenanceMax; i++) prior.push(words[w + priorWord + i] as InstanceId);
      envelope.prior = prior;
    }
  }

  /** Decodes the payload of a message in service. Throws {@link DecodeError}. */
  payload(index: number, codec: Codec): unknown {
    const base = this.slotBase(index);
    const length = this.payloadBytes(index);
    const spill = this.words[(base >>> 2) + spillWord] as number;
    if (length < 0 || length > this.memory.messageMaxBytes)
      throw new DecodeError(`${length} bytes of payload`);
    return codec.decode(this.bytes, spill < 0 ? base + inlineOffset : this.spillOffset + spill, length);
  }

  /** Encoded size of the payload of a message. */
  payloadBytes(index: number): number {
    return this.words[(this.slotBase(index) >>> 2) + lengthWord] as number;
  }

  /** Messages that ended so far, by end code ({@link ends}). */
  count(end: number): number {
    return this.floats[countersFloat + end] as number;
  }

  /**
   * Settles what a dead consumer left behind, and answers the poison messages: those that were in service and are
   * not counted. The caller ends each with {@link finishRecovered}. Waiting messages stay.
   */
  recover(): number[] {
    const head = Atomics.load(this.words, headWord);
    const cursor = Atomics.load(this.words, cursorWord);
    const index = cursor >>> 1;
    this.#head = head;
    let marked = 0;
    const poison: number[] = [];
    if (this.isOrdered) {
      if ((cursor & 1) === 1) poison.push(index);
    } else {
      for (let i = index; i !== head; i = (i + 1) & indexMask) {
        const state = this.words[this.statesWord + (i & this.slotMask)];
        if (state === endedState(i)) marked++;
        else if (state === runningState(i)) poison.push(i);
      }
    }
    let counted = 0;
    for (let end = 0; end < ends.length; end++) counted += this.count(end);
    // The counters say how many have ended; the marks say how many are known to have (modulo 2^31).
    const passed = index - (this.words[firstWord] as number) + marked;
    const isAhead = ((counted - passed) & indexMask) === 1;
    if (isAhead) {
      // Before any other is counted (I5): this life may end as well.
      const ending = this.isOrdered ? index : (this.words[endingWord] as number);
      this.#markRecovered(ending);
      poison.splice(poison.indexOf(ending), 1);
    }
    // It may have died between a mark and the cursor: nobody else would free those slots, and the lane might be full.
    if (!this.isOrdered) this.#passEnded();
    return poison;
  }

  /** Ends a poison message after {@link recover}. */
  finishRecovered(index: number, end: number): void {
    if (!this.isOrdered) this.words[endingWord] = index;
    (this.floats[countersFloat + end] as number)++;
    this.#markRecovered(index);
  }

  #markRecovered(index: number): void {
    this.#mark(index);
    if (this.isOrdered) this.#next = this.#index;
    else this.#skipEnded();
  }

  /** After a recovery, messages that have ended lie between waiting ones: they are not taken again. */
  #skipEnded(): void {
    if (this.isOrdered) return;
    let next = this.#next;
    while (next !== this.#head && this.words[this.statesWord + (next & this.slotMask)] === endedState(next)) {
      next = (next + 1) & indexMask;
    }
    this.#next = next;
  }
}

/** State words name the message, so that what an earlier round left in the slot means nothing. */
function runningState(index: number): number {
  return (index << 1) | 1 | 0;
}

function endedState(index: number): number {
  return ((index + 1) << 1) | 0;
}

/** Reads the counters of a lane from outside, and how far its head has moved: for the agent. */
export class LaneProbe extends LaneView {
  #head: number;
  #accepted = 0;

  constructor(memory: LaneMemory) {
    super(memory);
    this.#head = this.words[firstWord] as number;
  }

  /**
   * `accepted` = all of `ended` (by end code) + `waiting` (not ended). Never goes back: `accepted` is read off the
   * sender's word, after the counters. To be read at least once in 2^31 messages.
   */
  read(): { accepted: number; waiting: number; ended: number[] } {
    const ended: number[] = [];
    let sum = 0;
    for (let end = 0; end < ends.length; end++) {
      const count = this.floats[countersFloat + end] as number;
      ended.push(count);
      sum += count;
    }
    const head = Atomics.load(this.words, headWord);
    this.#accepted += (head - this.#head) & indexMask;
    this.#head = head;
    return { accepted: this.#accepted, waiting: this.#accepted - sum, ended };
  }
}
