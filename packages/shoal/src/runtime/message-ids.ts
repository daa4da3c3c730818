/**
 * Ids of messages: whole numbers that a number holds exactly, none given twice in a runtime process, however many
 * threads there are, and however often they are replaced.
 *
 * Threads take them by blocks, from a count of blocks that they share; what a thread that dies has not used is lost.
 * There are 2^32 blocks: a million messages a second use them up in 142 years, ten threads that die a second in 13.
 */

/** Ids in a block. */
const blockIds = 2 ** 20;
/** Where the ids of a guest begin, which shares no memory with other threads when it starts: after all blocks. */
const guestIds = 2 ** 52;

/** The count that the threads of a process share. */
export function createMessageBlocks(): SharedArrayBuffer {
  return new SharedArrayBuffer(4);
}

export class MessageIds {
  readonly #blocks: Int32Array | null;
  #last: number;
  #lastOfBlock: number;

  /** `blocks`: from {@link createMessageBlocks}; null for a guest, of which a process has one. */
  constructor(blocks: SharedArrayBuffer | null) {
    this.#blocks = blocks === null ? null : new Int32Array(blocks);
    this.#last = blocks === null ? guestIds : 0;
    this.#lastOfBlock = blocks === null ? Number.MAX_SAFE_INTEGER : 0;
  }

  next(): number {
    if (this.#last === this.#lastOfBlock) this.#takeBlock(this.#blocks as Int32Array);
    return ++this.#last;
  }

  #takeBlock(blocks: Int32Array): void {
    this.#last = (Atomics.add(blocks, 0, 1) >>> 0) * blockIds;
    this.#lastOfBlock = this.#last + blockIds;
  }
}
