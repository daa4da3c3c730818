/**
 * A lane: the queue from one sending thread to one receiving instance, in shared memory, so that it outlives both.
 *
 *   memory ┌ header ──────────────────────────────┐┌ slots ───────────┐┌ states ┐┌ order ┐┌ spill ──────────┐
 *          │ head │ (producer)                    ││ N × 256 bytes:   ││ N words││ N words││ payloads that   │
 *          │ cursor │ counters (consumer)         ││ header + payload ││        ││       ││ do not fit      │
 *          └──────────────────────────────────────┘└──────────────────┘└────────┘└───────┘└─────────────────┘
 *
 * Who may call: one {@link LaneWriter} in the sending thread, one {@link LaneReader} in the thread of the
 * instance. After a thread has died (and only then) its replacement makes a new writer or reader on the same
 * memory and goes on. Nobody waits, and there are no locks.
 *
 * I1. No word of the memory is written by two threads.
 * I2. A message is accepted when `head` is stored; before that it does not exist.
 * I3. `cursor` is `2·ended + running`: so many messages have ended. In an ordered lane they are the first, and an odd
 *     cursor after the death of the consumer names the message that was in service: the poison message.
 * I4. In an unordered lane (priorities, concurrency) ends come out of order. There a message takes any slot whose last
 *     message has ended, so that one that does not end costs one slot and no more; `order` says which slot, until the
 *     consumer has taken the message. Each slot has a tag (producer) that names its message, and a state (consumer)
 *     that says whether the message of that name is running or has ended.
 * I5. A message is counted before its end is marked, in its state and then in `cursor`: so counters are ahead of
 *     either by at most one message, whenever the consumer dies; {@link LaneReader.recover} settles which. Where
 *     several are in service, the consumer writes down which one it is about to count.
 * I6. Payloads in the spill area belong to their slot and are freed when its message has ended, and those that came
 *     before: nothing leaks, but a large one that does not end holds up other large ones when the area has gone round.
 *     The producer finds out when it needs room.
 *
 * Messages are numbered modulo 2^31. A lane holds far fewer, and none that waits is overtaken by so many.
 */
import {
  failureReasons,
  type InstanceId,
  provenanceMax,
  type SchedulingOrder,
  sheddingReasons,
  slotBytes,
} from '../model/index.ts';
import {
  type Codec,
  DecodeError,
  type Envelope,
  type EnvelopeKind,
  extendChain,
  type PayloadMemory,
  payloadMemory,
} from '../wire/index.ts';

const indexMask = 0x7fffffff;

// Words of the header (32 bit); producer and consumer on cache lines of their own.
const headWord = 0;
/** Number of the first message, written when the memory is made. */
const firstWord = 1;
const cursorWord = 16;
/** The slot of the message whose end is being counted (consumer; only where ends come out of order). */
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
/** Number of the slot's message plus one; written last. Unordered lanes only. */
const tagWord = 17;
const routedByWord = 18;
const priorWord = 20;
/** Bits of the word of the kind. */
const portShift = 8;
const priorCountShift = 24;
const tracedBit = 1 << 30;
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
/** By deadline, a message without one ranks as if it had so many milliseconds: it would starve behind those that have. */
export const impliedDeadlineMs = 1_000;

/** What messages are compared by in an order: the smaller is sooner. Milliseconds of the machine's clock, shifted. */
export function rankOf(
  order: SchedulingOrder,
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
      return deadlineAtMs === Number.POSITIVE_INFINITY ? enqueuedAtMs + impliedDeadlineMs : deadlineAtMs;
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
  /** Messages end in the order in which they are taken, one at a time. */
  readonly isOrdered: boolean;
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

/** Makes the memory of a lane. Pages that are never touched cost nothing. `first`: number of the first message. */
export function createLaneMemory(bounds: LaneBounds, first = 0): LaneMemory {
  const size = headerBytes + bounds.slots * (slotBytes + 8) + bounds.spillBytes;
  const buffer = new SharedArrayBuffer(size);
  if (first !== 0) {
    const words = new Int32Array(buffer);
    words[headWord] = first;
    words[firstWord] = first;
    words[cursorWord] = first << 1;
    const states = (headerBytes + bounds.slots * slotBytes) >>> 2;
    words.fill(endedState(first), states, states + bounds.slots);
    for (let slot = 0; slot < bounds.slots; slot++)
      words[((headerBytes + slot * slotBytes) >>> 2) + tagWord] = first;
  }
  return { ...bounds, id: ++lanesMade, buffer };
}

/** What both ends know of a lane. */
abstract class LaneView {
  readonly memory: LaneMemory;
  protected readonly words: Int32Array;
  protected readonly floats: Float64Array;
  protected readonly payloads: PayloadMemory;
  protected readonly slotMask: number;
  protected readonly statesWord: number;
  protected readonly orderWord: number;
  protected readonly spillOffset: number;

  constructor(memory: LaneMemory) {
    this.memory = memory;
    this.words = new Int32Array(memory.buffer);
    this.floats = new Float64Array(memory.buffer, 0, (headerBytes + memory.slots * slotBytes) >>> 3);
    this.payloads = payloadMemory(Buffer.from(memory.buffer));
    this.slotMask = memory.slots - 1;
    this.statesWord = (headerBytes + memory.slots * slotBytes) >>> 2;
    this.orderWord = this.statesWord + memory.slots;
    this.spillOffset = headerBytes + memory.slots * (slotBytes + 8);
  }

  protected slotBase(place: number): number {
    return headerBytes + (place & this.slotMask) * slotBytes;
  }

  protected tag(slot: number): number {
    return this.words[(this.slotBase(slot) >>> 2) + tagWord] as number;
  }

  protected state(slot: number): number {
    return Atomics.load(this.words, this.statesWord + slot);
  }

  /**
   * Of an unordered lane: slots whose message is accepted and has not ended, the oldest first. `head`: what is not
   * accepted by then does not count.
   */
  protected live(head: number): number[] {
    const slots: number[] = [];
    const ages = new Map<number, number>();
    for (let slot = 0; slot < this.memory.slots; slot++) {
      const state = this.state(slot);
      const tag = this.tag(slot);
      if (state === endedState(tag)) continue;
      const isLater = ((tag - head - 1) & indexMask) < this.memory.slots;
      if (isLater && state !== runningState(tag)) continue;
      ages.set(slot, (head - tag) & indexMask);
      slots.push(slot);
    }
    return slots.sort((a, b) => (ages.get(b) as number) - (ages.get(a) as number));
  }
}

/** What {@link LaneWriter.write} answers. */
export type WriteResult = 'accepted' | 'queue-full' | 'too-large';

/** The sending end. */
export class LaneWriter extends LaneView {
  /** Encoded size of the payload that was accepted last. */
  writtenBytes = 0;
  #head: number;
  /** Messages that have ended, as last known: reloaded only when the lane looks full. */
  #ended: number;
  /** The slot that was used last, where any may be used. */
  #slot = 0;
  /** Spill positions only grow; the offset is the position modulo the size. One per slot: where its payload begins. */
  readonly #spillStart: Float64Array;
  #spillHead = 0;
  /** Where the oldest payload began that is still needed, as last known. */
  #spillTail = 0;
  #scratch: PayloadMemory | null = null;

  constructor(memory: LaneMemory) {
    super(memory);
    this.#spillStart = new Float64Array(memory.slots);
    this.#head = Atomics.load(this.words, headWord);
    this.#ended = this.#loadEnded();
    if (!memory.isOrdered) this.#withdrawUnaccepted();
    this.#rebuildSpill();
  }

  #loadEnded(): number {
    return Atomics.load(this.words, cursorWord) >>> 1;
  }

  /** Messages accepted and not ended. */
  pending(): number {
    this.#ended = this.#loadEnded();
    return (this.#head - this.#ended) & indexMask;
  }

  /** Index of the next message. */
  get next(): number {
    return this.#head;
  }

  /** Whether the message of an index, one of the last 2^30 or the next, has ended. */
  hasEnded(index: number): boolean {
    this.#ended = this.#loadEnded();
    if (this.memory.isOrdered) return ((this.#ended - index - 1) & indexMask) < (indexMask + 1) / 2;
    if (index === this.#head) return false;
    const tag = (index + 1) & indexMask;
    // `order` names its slot until as many more have come as there are slots.
    if (((this.#head - index) & indexMask) <= this.memory.slots) {
      const slot = this.words[this.orderWord + (index & this.slotMask)] as number;
      return this.tag(slot) !== tag || this.state(slot) === endedState(tag);
    }
    return !this.live(this.#head).some((slot) => this.tag(slot) === tag);
  }

  /**
   * Visits every message that has not ended, oldest first. `bytes`: size of its payload; `mayRun`: it is in service, or, in
   * an ordered lane, would be the next to be.
   */
  eachPending(
    visit: (flowKey: number, index: number, bytes: number, acceptedAtMs: number, mayRun: boolean) => void,
  ): void {
    const visitPlace = (place: number, index: number, mayRun: boolean): void => {
      const base = this.slotBase(place);
      const f = base >>> 3;
      const flowKey = this.floats[f + flowKeyFloat] as number;
      const bytes = this.words[(base >>> 2) + lengthWord] as number;
      visit(flowKey, index, bytes, this.floats[f + enqueuedAtFloat] as number, mayRun);
    };
    if (this.memory.isOrdered) {
      const first = this.#loadEnded();
      for (let index = first; index !== this.#head; index = (index + 1) & indexMask)
        visitPlace(index, index, index === first);
      return;
    }
    for (const slot of this.#pendingSlots()) {
      const tag = this.tag(slot);
      visitPlace(slot, (tag - 1) & indexMask, this.state(slot) === runningState(tag));
    }
  }

  /** What {@link live} answers of an unordered lane, found where the last messages went: mostly few have not ended. */
  #pendingSlots(): number[] {
    const slots: number[] = [];
    let left = this.pending();
    for (let back = 1; left > 0 && back <= this.memory.slots; back++) {
      const tag = (this.#head - back + 1) & indexMask;
      const slot = this.words[this.orderWord + ((this.#head - back) & this.slotMask)] as number;
      if (this.tag(slot) !== tag || this.state(slot) === endedState(tag)) continue;
      slots.push(slot);
      left--;
    }
    return left === 0 ? slots.reverse() : this.live(this.#head);
  }

  /** Messages that fit now. */
  credit(): number {
    return Math.max(0, this.memory.maxMessages - this.pending());
  }

  /**
   * Accepts a message, or says why not. `reserve` slots are left free (for what must always fit: error notices
   * leave room for replies). `admits`: whether a payload of so many bytes may come; if not, `queue-full`. Throws what the
   * codec throws for a value of the wrong shape.
   */
  write(
    header: Envelope,
    codec: Codec | null,
    payload: unknown,
    reserve = 0,
    admits: ((bytes: number) => boolean) | null = null,
  ): WriteResult {
    const head = this.#head;
    const max = this.memory.maxMessages - reserve;
    if (((head - this.#ended) & indexMask) >= max) {
      this.#ended = this.#loadEnded();
      if (((head - this.#ended) & indexMask) >= max) return 'queue-full';
    }
    const slot = this.memory.isOrdered ? head & this.slotMask : this.#findFree();
    const base = this.slotBase(slot);
    const w = base >>> 2;
    const words = this.words;
    let spillHead = this.#spillHead;
    let length = 0;
    let spill = -1;
    if (codec !== null) {
      length = codec.encode(payload, this.payloads, base + inlineOffset, inlineMax);
      if (length < 0) {
        const packed = this.#pack(codec, payload);
        if (packed === null) return 'too-large';
        if (admits !== null && !admits(packed.length)) return 'queue-full';
        spill = this.#reserveSpill(packed.length);
        if (spill < 0) return 'queue-full';
        length = packed.length;
        packed.copy(this.payloads.bytes, this.spillOffset + spill);
        spillHead = this.#spillHead - length;
      } else if (admits !== null && !admits(length)) return 'queue-full';
    }
    this.#spillStart[slot] = spillHead;
    const f = base >>> 3;
    const floats = this.floats;
    floats[f + enqueuedAtFloat] = header.enqueuedAtMs;
    floats[f + deadlineFloat] = header.deadlineAtMs;
    floats[f + flowKeyFloat] = header.flowKey;
    floats[f + clientKeyFloat] = header.clientKey;
    floats[f + idFloat] = header.id;
    const prior = header.prior;
    words[w + kindWord] =
      header.kind |
      (header.port << portShift) |
      (prior.length << priorCountShift) |
      (header.isTraced ? tracedBit : 0);
    words[w + lengthWord] = length;
    words[w + spillWord] = spill;
    words[w + senderWord] = header.sender;
    words[w + originWord] = header.origin;
    words[w + correlationWord] = header.correlation;
    words[w + priorityWord] = header.priority;
    words[w + routedByWord] = header.routedBy;
    for (let i = 0; i < prior.length; i++) words[w + priorWord + i] = prior[i] as number;
    this.#head = (head + 1) & indexMask;
    if (!this.memory.isOrdered) {
      this.#slot = slot;
      words[this.orderWord + (head & this.slotMask)] = slot;
      words[w + tagWord] = this.#head;
    }
    Atomics.store(words, headWord, this.#head);
    this.writtenBytes = length;
    return 'accepted';
  }

  /** A slot of an unordered lane whose message has ended. There is one: fewer messages than slots have not. */
  #findFree(): number {
    let slot = this.#slot;
    do slot = (slot + 1) & this.slotMask;
    while (this.state(slot) !== endedState(this.tag(slot)));
    return slot;
  }

  /** A predecessor died between naming a message and accepting it (I2): its slot is free again. */
  #withdrawUnaccepted(): void {
    const next = (this.#head + 1) & indexMask;
    for (let slot = 0; slot < this.memory.slots; slot++) {
      const state = this.state(slot);
      if (this.tag(slot) !== next || state === endedState(next) || state === runningState(next)) continue;
      this.words[(this.slotBase(slot) >>> 2) + tagWord] = state >>> 1;
    }
  }

  /** Encodes a payload that does not fit a slot; null where it is larger than a message may be. */
  #pack(codec: Codec, payload: unknown): Buffer | null {
    this.#scratch ??= payloadMemory(Buffer.allocUnsafe(this.memory.messageMaxBytes));
    const length = codec.encode(payload, this.#scratch, 0, this.memory.messageMaxBytes);
    return length < 0 ? null : this.#scratch.bytes.subarray(0, length);
  }

  /** Reserves contiguous bytes of the spill area: their offset, or -1 where it is full. */
  #reserveSpill(length: number): number {
    const size = this.memory.spillBytes;
    this.#ended = this.#loadEnded();
    if (this.#ended === this.#head) {
      // An empty area is used from its start again, so that a quiet lane touches few pages.
      this.#spillHead = 0;
      this.#spillTail = 0;
    }
    let start = this.#spillHead;
    if ((start % size) + length > size) start += size - (start % size);
    if (start + length - this.#spillTail > size) this.#spillTail = this.#findSpillTail();
    if (start + length - this.#spillTail > size) return -1;
    this.#spillHead = start + length;
    return start % size;
  }

  /** Where the oldest payload begins that is still needed. The lane is not empty. */
  #findSpillTail(): number {
    if (this.memory.isOrdered) return this.#spillStart[this.#ended & this.slotMask] as number;
    let tail = this.#spillHead;
    for (let slot = 0; slot < this.memory.slots; slot++) {
      if (this.state(slot) === endedState(this.tag(slot))) continue;
      if ((this.words[(this.slotBase(slot) >>> 2) + spillWord] as number) < 0) continue;
      tail = Math.min(tail, this.#spillStart[slot] as number);
    }
    return tail;
  }

  /** A new writer on the memory of a dead one: finds out which spill bytes are in use. */
  #rebuildSpill(): void {
    const size = this.memory.spillBytes;
    const pending = (this.#head - this.#ended) & indexMask;
    const slots = this.memory.isOrdered
      ? Array.from({ length: pending }, (_, i) => (this.#ended + i) & this.slotMask)
      : this.live(this.#head);
    let position = 0;
    for (const slot of slots) {
      const w = this.slotBase(slot) >>> 2;
      const spill = this.words[w + spillWord] as number;
      if (spill >= 0) {
        const offset = position % size;
        position += spill >= offset ? spill - offset : size - offset + spill;
      }
      this.#spillStart[slot] = position;
      if (spill >= 0) position += this.words[w + lengthWord] as number;
    }
    this.#spillHead = position;
  }
}

/**
 * The receiving end. It names a message by its place: in an ordered lane its number, in an unordered one its slot,
 * which is its own until it has ended.
 */
export class LaneReader extends LaneView {
  #head = 0;
  /** Messages that have ended: in an ordered lane, the number of the lowest that has not. */
  #ended: number;
  /** Next message to be taken, where messages are taken in order. */
  #next: number;
  /** Of an unordered lane: what a dead reader has left waiting, the oldest last. */
  #left: number[] = [];
  /** Of the message whose header was read last. */
  #prior: readonly InstanceId[] = [];
  #sender = -1;
  #chain: readonly InstanceId[] = [];

  constructor(memory: LaneMemory) {
    super(memory);
    this.#ended = Atomics.load(this.words, cursorWord) >>> 1;
    this.#next = this.#ended;
    this.#head = this.#ended;
    if (memory.isOrdered) return;
    this.#head = Atomics.load(this.words, headWord);
    this.#next = this.#head;
    if (this.#head === this.#ended) return;
    this.#left = this.live(this.#head).filter((slot) => this.state(slot) !== runningState(this.tag(slot)));
    this.#left.reverse();
  }

  /** Sees what has been accepted since; answers how many messages wait. */
  poll(): number {
    this.#head = Atomics.load(this.words, headWord);
    return this.waiting;
  }

  /** Messages seen by the last poll and not taken. */
  get waiting(): number {
    return this.#left.length + ((this.#head - this.#next) & indexMask);
  }

  /** Behind the last message seen by the last poll, for {@link hasTaken}. */
  get end(): number {
    return this.#head;
  }

  /** Whether all messages before an {@link end}, one of the last 2^30, have been taken. */
  hasTaken(end: number): boolean {
    return this.#left.length === 0 && ((this.#next - end) & indexMask) < (indexMask + 1) / 2;
  }

  #nextPlace(): number {
    if (this.memory.isOrdered) return this.#next;
    return this.#left.at(-1) ?? (this.words[this.orderWord + (this.#next & this.slotMask)] as number);
  }

  /** When the next message was accepted. There must be one. */
  nextEnqueuedAtMs(): number {
    return this.floats[(this.slotBase(this.#nextPlace()) >>> 3) + enqueuedAtFloat] as number;
  }

  /** Rank of the next message in an order ({@link rankOf}). There must be one. */
  nextRank(order: SchedulingOrder): number {
    const base = this.slotBase(this.#nextPlace());
    const f = base >>> 3;
    return rankOf(
      order,
      this.floats[f + enqueuedAtFloat] as number,
      this.words[(base >>> 2) + priorityWord] as number,
      this.floats[f + deadlineFloat] as number,
    );
  }

  /** Takes the next message into service. Answers its place. */
  take(envelope: Envelope): number {
    const place = this.advanceNext();
    this.start(place);
    this.readHeader(place, envelope);
    return place;
  }

  /** Takes a message into service that {@link advanceNext} has made known to the caller: marks it as running. */
  start(place: number): void {
    if (this.memory.isOrdered) Atomics.store(this.words, cursorWord, ((place << 1) | 1) >>> 0);
    else Atomics.store(this.words, this.statesWord + place, runningState(this.tag(place)));
  }

  /** Lets the caller keep the next message in an order of its own. Answers its place. */
  advanceNext(): number {
    const place = this.#nextPlace();
    if (this.#left.length > 0) this.#left.pop();
    else this.#next = (this.#next + 1) & indexMask;
    return place;
  }

  /** Ends a message. Counted first, then marked (I5). */
  finish(place: number, end: number): void {
    if (!this.memory.isOrdered) this.words[endingWord] = place;
    (this.floats[countersFloat + end] as number)++;
    this.#mark(place);
  }

  #mark(place: number): void {
    if (!this.memory.isOrdered)
      Atomics.store(this.words, this.statesWord + place, endedState(this.tag(place)));
    this.#markInCursor();
  }

  #markInCursor(): void {
    this.#ended = (this.#ended + 1) & indexMask;
    Atomics.store(this.words, cursorWord, (this.#ended << 1) >>> 0);
  }

  /** Reads the header of a message into an envelope; the payload is decoded by {@link payload}. */
  readHeader(place: number, envelope: Envelope): void {
    const base = this.slotBase(place);
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
    envelope.port = (kind >>> portShift) & 0xffff;
    envelope.isTraced = (kind & tracedBit) !== 0;
    envelope.sender = words[w + senderWord] as InstanceId;
    envelope.origin = words[w + originWord] as InstanceId;
    envelope.correlation = words[w + correlationWord] as number;
    envelope.priority = words[w + priorityWord] as number;
    envelope.routedBy = words[w + routedByWord] as number;
    this.#readChain(w, Math.min((kind >>> priorCountShift) & 7, provenanceMax), envelope);
  }

  /** Most messages have come the way of the one before: such have the arrays in common. */
  #readChain(w: number, count: number, envelope: Envelope): void {
    const { words } = this;
    let prior = this.#prior;
    let isSame = prior.length === count && envelope.sender === this.#sender;
    for (let i = 0; isSame && i < count; i++) isSame = words[w + priorWord + i] === prior[i];
    if (!isSame) {
      const read: InstanceId[] = [];
      for (let i = 0; i < count; i++) read.push(words[w + priorWord + i] as InstanceId);
      prior = read;
      this.#prior = read;
      this.#sender = envelope.sender;
      this.#chain = extendChain(read, envelope.sender);
    }
    envelope.prior = prior;
    envelope.knownChain = this.#chain;
  }

  /** Decodes the payload of a message in service. Throws {@link DecodeError}. */
  payload(place: number, codec: Codec): unknown {
    const base = this.slotBase(place);
    const length = this.payloadBytes(place);
    const spill = this.words[(base >>> 2) + spillWord] as number;
    const offset = spill < 0 ? base + inlineOffset : this.spillOffset + spill;
    if (length < 0 || length > this.memory.messageMaxBytes || offset + length > this.payloads.bytes.length)
      throw new DecodeError(`${length} bytes of payload at ${offset}`);
    return codec.decode(this.payloads, offset, length);
  }

  /** Encoded size of the payload of a message. */
  payloadBytes(place: number): number {
    return this.words[(this.slotBase(place) >>> 2) + lengthWord] as number;
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
    const cursor = Atomics.load(this.words, cursorWord);
    this.#head = Atomics.load(this.words, headWord);
    const poison: number[] = [];
    if (!this.memory.isOrdered)
      poison.push(
        ...this.live(this.#head).filter((slot) => this.state(slot) === runningState(this.tag(slot))),
      );
    else if ((cursor & 1) === 1) poison.push(this.#ended);
    let counted = 0;
    for (let end = 0; end < ends.length; end++) counted += this.count(end);
    const marked = this.#ended - (this.words[firstWord] as number);
    const isAhead = ((counted - marked) & indexMask) === 1;
    if (isAhead) {
      // Before any other is counted (I5): this life may end as well.
      const ending = this.memory.isOrdered ? this.#ended : (this.words[endingWord] as number);
      const at = poison.indexOf(ending);
      if (at >= 0) {
        this.#markRecovered(ending);
        poison.splice(at, 1);
      } else {
        // It died between the two marks, and the slot may be another message's by now.
        this.#markInCursor();
      }
    }
    return poison;
  }

  /** Ends a poison message after {@link recover}. */
  finishRecovered(place: number, end: number): void {
    if (!this.memory.isOrdered) this.words[endingWord] = place;
    (this.floats[countersFloat + end] as number)++;
    this.#markRecovered(place);
  }

  #markRecovered(place: number): void {
    this.#mark(place);
    if (this.memory.isOrdered) this.#next = this.#ended;
  }
}

/** State words name the message by its tag, so that what an earlier one left in the slot means nothing. */
function runningState(tag: number): number {
  return (tag << 1) | 1;
}

function endedState(tag: number): number {
  return tag << 1;
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
