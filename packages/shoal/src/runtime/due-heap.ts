import { Heap } from './heap.ts';

/** Something to do at a time. Cancelled by setting `isCancelled`. */
export interface DueEntry {
  readonly dueAtMs: number;
  /** Breaks ties: first in, first out. */
  readonly order: number;
  isCancelled: boolean;
  readonly run: () => void;
}

/** The timers and delayed messages of a thread. */
export class DueHeap {
  readonly #heap = new Heap<DueEntry>(
    (a, b) => a.dueAtMs < b.dueAtMs || (a.dueAtMs === b.dueAtMs && a.order < b.order),
  );
  #order = 0;

  get size(): number {
    return this.#heap.size;
  }

  /** When the first entry is due; `Infinity`: there is none. */
  nextDueAtMs(): number {
    return this.#heap.peek()?.dueAtMs ?? Number.POSITIVE_INFINITY;
  }

  add(dueAtMs: number, run: () => void): DueEntry {
    const entry: DueEntry = { dueAtMs, order: this.#order++, isCancelled: false, run };
    this.#heap.push(entry);
    return entry;
  }

  /** Runs everything that is due now. What is added meanwhile and already due waits for the next call. */
  runDue(nowMs: number): void {
    const last = this.#order;
    while (this.nextDueAtMs() <= nowMs && (this.#heap.peek() as DueEntry).order < last) {
      const entry = this.#heap.pop() as DueEntry;
      if (!entry.isCancelled) entry.run();
    }
  }
}
