import { Heap } from './heap.ts';

/** Something to do at a time. */
export interface DueEntry {
  readonly dueAtMs: number;
  /** Breaks ties: first in, first out. */
  readonly order: number;
  /** It is in the heap: it has not run, and is not cancelled. */
  isWaiting: boolean;
  readonly run: () => void;
}

/** Cancelled entries that may lie in the heap, however few others there are. */
const cancelledMin = 16;

/** The timers and delayed messages of a thread. */
export class DueHeap {
  readonly #heap = new Heap<DueEntry>(
    (a, b) => a.dueAtMs < b.dueAtMs || (a.dueAtMs === b.dueAtMs && a.order < b.order),
  );
  #order = 0;
  #cancelled = 0;

  /** Entries, those cancelled included: fewer than twice as many as wait, and {@link cancelledMin}. */
  get size(): number {
    return this.#heap.size;
  }

  /** When the first entry is due; `Infinity`: there is none. */
  nextDueAtMs(): number {
    return this.#heap.peek()?.dueAtMs ?? Number.POSITIVE_INFINITY;
  }

  add(dueAtMs: number, run: () => void): DueEntry {
    const entry: DueEntry = { dueAtMs, order: this.#order++, isWaiting: true, run };
    this.#heap.push(entry);
    return entry;
  }

  /**
   * Cancels an entry. It stays until it is due or until as many are cancelled as wait, when all of them are thrown
   * out: so cancelling takes no longer than adding, and what is started anew with every message does not pile up.
   */
  cancel(entry: DueEntry): void {
    if (!entry.isWaiting) return;
    entry.isWaiting = false;
    this.#cancelled++;
    if (this.#cancelled <= Math.max(cancelledMin, this.#heap.size / 2)) return;
    this.#heap.keep((candidate) => candidate.isWaiting);
    this.#cancelled = 0;
  }

  /** Runs everything that is due now. What is added meanwhile and already due waits for the next call. */
  runDue(nowMs: number): void {
    const last = this.#order;
    while (this.nextDueAtMs() <= nowMs && (this.#heap.peek() as DueEntry).order < last) {
      const entry = this.#heap.pop() as DueEntry;
      if (!entry.isWaiting) {
        this.#cancelled--;
        continue;
      }
      entry.isWaiting = false;
      entry.run();
    }
  }
}
