/** What is going to happen, in order of time; at the same time, in the order in which it was entered. A binary heap. */
export class Agenda {
  readonly #times: number[] = [];
  readonly #orders: number[] = [];
  readonly #actions: (() => void)[] = [];
  #entered = 0;

  get nextMs(): number {
    return this.#times[0] ?? Number.POSITIVE_INFINITY;
  }

  at(timeMs: number, action: () => void): void {
    let i = this.#times.length;
    const order = this.#entered++;
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (!this.#isBefore(timeMs, order, parent)) break;
      this.#times[i] = this.#times[parent]!;
      this.#orders[i] = this.#orders[parent]!;
      this.#actions[i] = this.#actions[parent]!;
      i = parent;
    }
    this.#times[i] = timeMs;
    this.#orders[i] = order;
    this.#actions[i] = action;
  }

  /** Takes out what comes first. Only to be called when `nextMs` is finite. */
  take(): () => void {
    const action = this.#actions[0]!;
    const timeMs = this.#times.pop()!;
    const order = this.#orders.pop()!;
    const last = this.#actions.pop()!;
    const length = this.#times.length;
    if (length === 0) return action;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= length) break;
      if (child + 1 < length && this.#isBefore(this.#times[child + 1]!, this.#orders[child + 1]!, child))
        child++;
      if (this.#isBefore(timeMs, order, child)) break;
      this.#times[i] = this.#times[child]!;
      this.#orders[i] = this.#orders[child]!;
      this.#actions[i] = this.#actions[child]!;
      i = child;
    }
    this.#times[i] = timeMs;
    this.#orders[i] = order;
    this.#actions[i] = last;
    return action;
  }

  #isBefore(timeMs: number, order: number, index: number): boolean {
    const other = this.#times[index]!;
    return timeMs < other || (timeMs === other && order < this.#orders[index]!);
  }
}
