import type { InstanceId } from '../../model/index.ts';
import { decisionsMax, rejectionsMax, stepsMax } from './constants.ts';
import type { Cause, Decision, Operator, Placement, Rejection, Step } from './decision.ts';

interface OpenDecision {
  readonly id: number;
  readonly epoch: number;
  readonly atMs: number;
  readonly operator: Operator;
  readonly msu: string;
  readonly cause: Cause;
  readonly placements: readonly Placement[];
  readonly removes: readonly InstanceId[];
  readonly rejected: readonly Rejection[];
  readonly steps: Step[];
  outcome: Decision['outcome'];
  detail: string;
  servingAtMs: number | null;
  endedAtMs: number | null;
}

/** What is known of a decision when it is taken. */
export interface NewDecision {
  readonly operator: Operator;
  readonly msu: string;
  readonly cause: Cause;
  readonly placements?: readonly Placement[];
  readonly removes?: readonly InstanceId[];
  readonly rejected?: readonly Rejection[];
}

/** The decision log: the newest `decisionsMax` decisions. */
export class DecisionLog {
  readonly #decisions: OpenDecision[] = [];
  readonly #epoch: number;
  #nextId = 1;
  /** Decisions dropped because the log was full. */
  dropped = 0;

  constructor(epoch: number) {
    this.#epoch = epoch;
  }

  open(decision: NewDecision, nowMs: number): number {
    const id = this.#nextId++;
    this.#decisions.push({
      id,
      epoch: this.#epoch,
      atMs: nowMs,
      operator: decision.operator,
      msu: decision.msu,
      cause: decision.cause,
      placements: decision.placements ?? [],
      removes: decision.removes ?? [],
      rejected: (decision.rejected ?? []).slice(0, rejectionsMax),
      steps: [],
      outcome: 'running',
      detail: '',
      servingAtMs: null,
      endedAtMs: null,
    });
    if (this.#decisions.length > decisionsMax) {
      this.#decisions.shift();
      this.dropped++;
    }
    return id;
  }

  step(id: number, text: string, nowMs: number): void {
    const decision = this.#find(id);
    if (decision !== undefined && decision.steps.length < stepsMax) {
      decision.steps.push({ atMs: nowMs, text });
    }
  }

  serving(id: number, nowMs: number): void {
    const decision = this.#find(id);
    if (decision !== undefined) decision.servingAtMs ??= nowMs;
  }

  close(id: number, outcome: Decision['outcome'], detail: string, nowMs: number): void {
    const decision = this.#find(id);
    if (decision === undefined) return;
    decision.outcome = outcome;
    decision.detail = detail;
    decision.endedAtMs = nowMs;
  }

  /** Copies, oldest first. */
  list(): Decision[] {
    return this.#decisions.map((decision) => ({ ...decision, steps: [...decision.steps] }));
  }

  get(id: number): Decision | undefined {
    const decision = this.#find(id);
    return decision === undefined ? undefined : { ...decision, steps: [...decision.steps] };
  }

  #find(id: number): OpenDecision | undefined {
    // Ids have no gaps, so that the place of a decision follows from the oldest id.
    return this.#decisions[id - (this.#decisions[0]?.id ?? 0)];
  }
}
