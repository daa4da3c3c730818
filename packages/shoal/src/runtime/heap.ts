/** A binary heap. `isBefore` must be a strict order; what is equal by it comes out in any order. */
export class Heap<T> {
  #entries: T[] = [];
  readonly #isBefore: (a: T, b: T) => boolean;

  constructor(isBefore: (a: T, b: T) => boolean) {
    this.#isBefore = isBefore;
  }

  get size(): number {
    return this.#entries.length;
  }

  peek(): T | undefined {
    return this.#entries[0];
  }

  push(entry: T): void {
    const entries = this.#entries;
    let at = entries.length;
    entries.push(entry);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!this.#isBefore(entry, entries[parent] as T)) break;
      entries[at] = entries[parent] as T;
      at = parent;
    }
    entries[at] = entry;
  }

  pop(): T | undefined {
    const first = this.#entries[0];
    const last = this.#entries.pop() as T;
    if (this.#entries.length > 0) this.#sink(0, last);
    return first;
  }

  /** Throws out what is not wanted, in time linear in the size. */
  keep(isWanted: (entry: T) => boolean): void {
    const wanted = this.#entries.filter(isWanted);
    this.#entries = wanted;
    for (let at = (wanted.length >> 1) - 1; at >= 0; at--) this.#sink(at, wanted[at] as T);
  }

  /** Puts an entry where it belongs, at `at` or below. */
  #sink(from: number, entry: T): void {
    const entries = this.#entries;
    let at = from;
    for (;;) {
      let child = at * 2 + 1;
      if (child >= entries.length) break;
      if (child + 1 < entries.length && this.#isBefore(entries[child + 1] as T, entries[child] as T)) child++;
      if (!this.#isBefore(entries[child] as T, entry)) break;
      entries[at] = entries[child] as T;
      at = child;
    }
    entries[at] = entry;
  }
}
