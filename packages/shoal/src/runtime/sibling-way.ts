/** The way from one instance of a keyed type to another, and what is on it. */
import type { InstanceId, Key } from '../model/index.ts';
import type { LaneReader, LaneWriter } from '../transport/index.ts';
import { type Codec, createCodec, type Envelope } from '../wire/index.ts';
import type { LocalQueue } from './local-queue.ts';
import type { ThreadRuntime } from './thread-runtime.ts';

/** Payloads are passed on as they came. */
export const rawCodec: Codec = createCodec({ kind: 'bytes', fields: null });

/** The way to another thread. */
export interface SiblingLink {
  readonly writer: LaneWriter;
  readonly bell: Int32Array;
}

/**
 * Where something is on its way to: messages to the owner of their bucket; to the place of their key; back from there; and
 * what nothing follows.
 */
export type Towards = 'owner' | 'place' | 'back' | 'told';

export interface OnItsWay {
  readonly key: Key;
  readonly position: number;
  readonly towards: Towards;
}

/** All that is on its way, by key. */
export class Underway {
  readonly #byKey = new Map<Key, { readonly way: Way; count: number }>();
  count = 0;

  /** By which something of a key is on its way. */
  wayOf(key: Key): Way | undefined {
    return this.#byKey.get(key)?.way;
  }

  add(key: Key, way: Way): void {
    this.count++;
    const known = this.#byKey.get(key);
    if (known === undefined) this.#byKey.set(key, { way, count: 1 });
    else known.count++;
  }

  remove(key: Key): void {
    this.count--;
    const known = this.#byKey.get(key);
    if (known !== undefined && --known.count === 0) this.#byKey.delete(key);
  }
}

/** To one other instance of the type. */
export class Way {
  readonly to: InstanceId;
  /** What has not been seen to be there, oldest first. */
  onItsWay: OnItsWay[] = [];
  readonly #thread: ThreadRuntime;
  readonly #link: SiblingLink | null;

  /** `link`: null within the thread. */
  constructor(to: InstanceId, thread: ThreadRuntime, link: SiblingLink | null) {
    this.to = to;
    this.#thread = thread;
    this.#link = link;
  }

  get #queue(): LocalQueue | undefined {
    return this.#thread.instances.get(this.to)?.inbox.passedOn;
  }

  next(): number {
    const queue = this.#queue;
    return this.#link === null ? (queue?.taken ?? 0) + (queue?.length ?? 0) : this.#link.writer.next;
  }

  /** What has been handled, or sent on, there. */
  takeEnded(): OnItsWay[] {
    const left = this.onItsWay.findIndex((one) => !this.#hasEnded(one));
    return this.onItsWay.splice(0, left < 0 ? this.onItsWay.length : left);
  }

  #hasEnded({ key, position }: OnItsWay): boolean {
    if (this.#link !== null) return this.#link.writer.hasEnded(position);
    const instance = this.#thread.instances.get(this.to);
    if (instance === undefined) return true;
    return instance.inbox.passedOn.taken > position && instance.keys?.isServing(key) !== true;
  }

  get isTelling(): boolean {
    return this.onItsWay.some(({ towards }) => towards === 'told');
  }

  eachPending(visit: (flowKey: Key, position: number) => void): void {
    if (this.#link !== null) this.#link.writer.eachPending(visit);
  }

  credit(): number {
    if (this.#link !== null) return this.#link.writer.credit();
    const queue = this.#queue;
    return queue === undefined ? 0 : queue.max - queue.length;
  }

  /** By a lane; throws where the value cannot be encoded. */
  write(envelope: Envelope, codec: Codec, payload: unknown): 'accepted' | 'queue-full' | 'too-large' {
    if (this.#link === null) {
      envelope.payload = payload;
      return this.#thread.instances.get(this.to)?.acceptPassedOn(envelope) === true
        ? 'accepted'
        : 'queue-full';
    }
    const written = this.#link.writer.write(envelope, codec, payload);
    if (written === 'accepted') this.#thread.ring(this.#link.bell);
    return written;
  }

  /** A message, as it came. */
  pass(message: Envelope, lane: LaneReader | null, index: number, codec: Codec): boolean {
    if (lane === null) return this.write(message, codec, message.payload) === 'accepted';
    const isLocal = this.#link === null;
    const payload = lane.payload(index, isLocal ? codec : rawCodec);
    return this.write(message, rawCodec, payload) === 'accepted';
  }
}
