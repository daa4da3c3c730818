/** Limits on how much the controller may change, so that nobody can make it clone without bound or wear it out. */
import type { ControllerPolicy } from '../../model/index.ts';
import { decisionShareOfOneType } from './constants.ts';

const minuteMs = 60_000;

export class Budget {
  readonly #policy: ControllerPolicy;
  readonly #taken: { readonly msu: string; readonly atMs: number }[] = [];

  constructor(policy: ControllerPolicy) {
    this.#policy = policy;
  }

  /** Why no decision may be taken for the type now; empty: it may. */
  refusal(msu: string, nowMs: number): string {
    while (this.#taken.length > 0 && nowMs - (this.#taken[0]?.atMs ?? nowMs) >= minuteMs) this.#taken.shift();
    const max = this.#policy.decisionsPerMinuteMax;
    if (this.#taken.length >= max) return `the budget of ${max} decisions per minute is used up`;
    const own = this.#taken.filter((decision) => decision.msu === msu).length;
    const ownMax = Math.max(1, Math.floor(max * decisionShareOfOneType));
    return own >= ownMax ? `${ownMax} decisions per minute is the most that one type may cause` : '';
  }

  take(msu: string, nowMs: number): void {
    this.#taken.push({ msu, atMs: nowMs });
  }

  /** How many more clones may exist beside `clones`. */
  clonesLeft(clones: number): number {
    const { clonesMax } = this.#policy;
    return clonesMax === 0 ? Number.POSITIVE_INFINITY : Math.max(0, clonesMax - clones);
  }
}
