/**
 * Scaler: looks at every type once per sample period, and clones or reclaims.
 *
 * I1 What is ordered counts as capacity; nothing is ordered for a type while a decision for it is under way, nor
 *    before a whole window has shown what the last one did.
 * I2 A type that cannot usefully be cloned is said so once, not at every tick.
 */

import {
  blockedRetryMs,
  demandSmoothingMs,
  recentSpanMs,
  reclaimShareMax,
  refusalRepeatMs,
  settleWindows,
  spanMessagesMin,
} from './constants.ts';
import type { Cause, Rejection } from './decision.ts';
import type { Overload } from './detector.ts';
import { overloadsOf } from './detector.ts';
import { type Estimate, estimate, isServing, measureCpuBound } from './estimate.ts';
import type { Parts } from './parts.ts';
import { describeUnits, nameUnits } from './parts.ts';
import type { PlacementRequest } from './placement.ts';
import {
  beginTrial,
  calmNeededMs,
  chooseVictim,
  enough,
  isReclaimDue,
  rememberClone,
  rememberLoad,
  trackCalm,
} from './reclaim.ts';
import { type RightSizing, rightSize } from './right-sizing.ts';
import { size } from './sizing.ts';
import type { InstanceView, ProcessKey, TypeView } from './view.ts';

type OverloadCause = Extract<Cause, { kind: 'overload' }>;

/** Why a type that needs more gets none. */
interface Refusal {
  readonly cause: OverloadCause;
  readonly reason: string;
  readonly rejected: readonly Rejection[];
}

export class Scaler {
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  tick(nowMs: number): void {
    for (const type of this.#parts.monitor.types.values()) this.#evaluate(type, nowMs);
  }

  /** Clones that exist or are ordered, over all types. */
  clones(): number {
    let clones = 0;
    for (const type of this.#parts.monitor.types.values()) {
      const count = type.instances.size + this.#parts.executor.pending(type.msu.name);
      clones += Math.max(0, count - type.floor);
    }
    return clones;
  }

  #evaluate(type: TypeView, nowMs: number): void {
    const { monitor, graph, policy, executor } = this.#parts;
    type.isCpuBound = measureCpuBound(type);
    const recent = estimate(monitor, graph, type, recentSpanMs, nowMs);
    const elapsedMs = Number.isNaN(type.evaluatedAtMs) ? 0 : nowMs - type.evaluatedAtMs;
    type.evaluatedAtMs = nowMs;
    type.demand += (recent.demand - type.demand) * (1 - Math.exp(-elapsedMs / demandSmoothingMs));
    rememberLoad(type, recent.demand, elapsedMs);

    const mayDecide =
      !executor.isBusy(type.msu.name) && nowMs - type.lastServingMs >= settleWindows * policy.windowMs;
    type.isOverloaded = false;
    let refusal: Refusal | null = null;
    for (const overload of overloadsOf(type, graph, policy, nowMs)) {
      if (!mayDecide) {
        type.isOverloaded = true;
        break;
      }
      const answer = this.#consider(type, overload, recent, nowMs);
      if (answer === 'acted') {
        refusal = null;
        break;
      }
      // The first refusal is told.
      if (answer !== 'enough') refusal ??= answer;
    }
    if (refusal !== null) this.#refuse(type, refusal, nowMs);
    const count = this.#count(type);
    trackCalm(type, count, policy, nowMs);
    if (executor.isBusy(type.msu.name)) return;
    const correction = rightSize(type, recent, count, elapsedMs, graph, policy);
    if (correction !== null) this.#rightSize(type, correction, nowMs);
    else if (isReclaimDue(type, count, policy, nowMs)) this.#reclaim(type, nowMs);
  }

  #count(type: TypeView): number {
    let count = 0;
    for (const instance of type.instances) {
      if (isServing(instance) && !this.#parts.executor.leaving.has(instance.instanceId)) count++;
    }
    return count;
  }

  /** The type shows overload, and nothing is under way: does it need more, and is there room? */
  #consider(
    type: TypeView,
    overload: Overload,
    recent: Estimate,
    nowMs: number,
  ): Refusal | 'acted' | 'enough' {
    const { monitor, graph, policy, executor, budget } = this.#parts;
    const settledMs = nowMs - type.lastServingMs;
    const shownMs = overload.rule === 'persistent-queue' ? overload.queuedForMs : recentSpanMs;
    const slowMs = (spanMessagesMin * 1_000) / recent.trueRatePerSecond;
    const spanMs = Math.min(recentSpanMs, settledMs, Math.max(shownMs, slowMs));
    const figures = estimate(monitor, graph, type, spanMs, nowMs);
    const ordered = executor.pending(type.msu.name);
    const sizing = size(type, figures, overload, policy, ordered, nowMs);
    if (sizing.wanted <= sizing.count && sizing.wanted < type.msu.instancesMax) return 'enough';
    type.isOverloaded = true;
    if (isBlocked(type, overload, nowMs)) return 'enough';
    const cause: OverloadCause = { kind: 'overload', overload, figures: { ...figures, ...sizing } };
    const refused = (reason: string): Refusal => ({ cause, reason, rejected: [] });
    if (sizing.wanted <= sizing.count)
      return refused(`it has its maximum of ${type.msu.instancesMax} instances`);
    if (!policy.isActive) return refused('the policy says to observe only');
    if (nowMs < type.restsUntilMs)
      return refused(`it died more often than its restart policy allows, and rests`);
    const overBudget = budget.refusal(type.msu.name, nowMs);
    if (overBudget !== '') return refused(overBudget);
    const count = Math.min(sizing.wanted - sizing.count, budget.clonesLeft(this.clones()));
    if (count === 0) return refused(`all of the ${policy.clonesMax} clones allowed exist`);
    return this.#clone(type, cause, this.#request(type, overload, count), nowMs);
  }

  #request(type: TypeView, overload: Overload, count: number): PlacementRequest {
    return {
      type,
      count,
      processes: this.#reachable(type, overload),
      relieves: overload.rule === 'limited-resource' ? overload.resource : '',
      isForced: false,
    };
  }

  /** Where a clone would relieve the overload, if messages do not come to the type from anywhere. */
  #reachable(type: TypeView, overload: Overload): ReadonlySet<ProcessKey> | null {
    const { graph, monitor } = this.#parts;
    if (overload.rule !== 'persistent-queue') return null;
    const into = graph.edges.filter((edge) => edge.toMsu === type.msu.name);
    if (into.length === 0) return null;
    if (into.every((edge) => edge.routing === 'same-process')) return new Set([overload.process]);
    if (into.every((edge) => edge.routing === 'same-machine-as-origin')) {
      const machine = monitor.processes.get(overload.process)?.machine;
      const there = [...monitor.processes.values()].filter((process) => process.machine === machine);
      return new Set(there.map((process) => process.key));
    }
    return null;
  }

  #clone(type: TypeView, cause: OverloadCause, request: PlacementRequest, nowMs: number): Refusal | 'acted' {
    const { policy } = this.#parts;
    const count = this.#count(type);
    const answer = this.#place(request, cause, nowMs);
    if (answer === 'waiting') return 'acted';
    if (answer !== 'acted') return { cause, reason: refusalOf(answer), rejected: answer };
    // What a resource asked for goes when the resource is free, whatever the load.
    if (cause.overload.rule !== 'limited-resource') beginTrial(type, count, nowMs);
    rememberClone(type, policy, nowMs);
    return 'acted';
  }

  /** Orders clones where there is room; else says where there is none, and why. */
  #place(request: PlacementRequest, cause: Cause, nowMs: number): 'acted' | 'waiting' | readonly Rejection[] {
    const { executor, placer, budget, log } = this.#parts;
    const { type } = request;
    const { units, rejected } = placer.place(request, executor.ordered(), nowMs);
    if (units.length === 0) return rejected;
    // A dependency that is being changed: decided on when that is over.
    if (units.flat().some((planned) => executor.isBusy(planned.msu))) return 'waiting';
    const named = nameUnits(this.#parts, units);
    const decisionId = log.open(
      { operator: 'clone', msu: type.msu.name, cause, placements: describeUnits(named), rejected },
      nowMs,
    );
    budget.take(type.msu.name, nowMs);
    executor.add(decisionId, named, nowMs);
    return 'acted';
  }

  #refuse(type: TypeView, { cause, reason, rejected }: Refusal, nowMs: number): void {
    type.blocked = { reason, rule: cause.overload.rule, untilMs: nowMs + blockedRetryMs };
    // The figures in a reason change all the time; the reason does not.
    const kind = reason.replaceAll(/[\d.]+/g, '#');
    const loggedAtMs = type.refusalsLogged.get(kind) ?? Number.NEGATIVE_INFINITY;
    if (nowMs - loggedAtMs < refusalRepeatMs) return;
    type.refusalsLogged.set(kind, nowMs);
    const { log } = this.#parts;
    const decisionId = log.open({ operator: 'clone', msu: type.msu.name, cause, rejected }, nowMs);
    log.close(decisionId, 'refused', `not cloned: ${reason}; what is too much is shed`, nowMs);
  }

  #reclaim(type: TypeView, nowMs: number): void {
    const { policy, budget } = this.#parts;
    if (!policy.isActive || budget.refusal(type.msu.name, nowMs) !== '') return;
    const count = this.#count(type);
    // One at a time; where there are very many, a few.
    const most = Math.max(1, Math.floor(count * reclaimShareMax));
    const needed = Math.max(type.floor, enough(type, nowMs));
    const cause: Cause = {
      kind: 'calm',
      demand: type.calmLoad.mean,
      count,
      sufficient: needed,
      calmForMs: nowMs - type.calmSinceMs,
      calmNeededMs: calmNeededMs(type, policy),
    };
    if (!this.#remove(type, Math.min(most, count - needed), cause, nowMs)) type.calmSinceMs = nowMs;
  }

  /** Takes so many back, or as many as can go. False: none can. */
  #remove(type: TypeView, most: number, cause: Cause, nowMs: number): boolean {
    const { executor, graph, monitor, log, budget } = this.#parts;
    const count = this.#count(type);
    const victims: InstanceView[] = [];
    const leaving = new Set(executor.leaving);
    while (victims.length < most) {
      const victim = chooseVictim(type, graph, monitor, leaving);
      if (victim === null) break;
      victims.push(victim);
      leaving.add(victim.instanceId);
    }
    if (victims.length === 0) return false;
    const decisionId = log.open(
      { operator: 'remove', msu: type.msu.name, cause, removes: victims.map((victim) => victim.instanceId) },
      nowMs,
    );
    budget.take(type.msu.name, nowMs);
    type.lastReclaimMs = nowMs;
    type.committed = Math.max(type.floor, Math.min(type.committed, count - victims.length));
    executor.remove(decisionId, type.msu.name, victims, nowMs);
    return true;
  }

  /** Nothing is overloaded: what cannot be placed now is not missed. */
  #rightSize(type: TypeView, cause: RightSizing, nowMs: number): void {
    const { policy, budget } = this.#parts;
    if (!policy.isActive || nowMs < type.restsUntilMs || budget.refusal(type.msu.name, nowMs) !== '') return;
    const more = Math.min(cause.wanted - cause.count, budget.clonesLeft(this.clones()));
    if (more > 0)
      this.#place({ type, count: more, processes: null, relieves: '', isForced: false }, cause, nowMs);
    else this.#remove(type, cause.count - cause.wanted, cause, nowMs);
  }
}

/** What stands in the way of one cure may not stand in that of another. */
function isBlocked({ blocked }: TypeView, { rule }: Overload, nowMs: number): boolean {
  return blocked !== null && nowMs < blocked.untilMs && (blocked.rule === '' || blocked.rule === rule);
}

/** The most common reason; the places that were only unreachable do not count if there are others. */
function refusalOf(rejected: readonly Rejection[]): string {
  const counts = new Map<string, number>();
  for (const { reason } of rejected) counts.set(reason, (counts.get(reason) ?? 0) + 1);
  const sorted = [...counts].sort((a, b) => b[1] - a[1]);
  const main = sorted.find(([reason]) => !reason.startsWith('messages reach')) ?? sorted[0];
  return main === undefined ? 'no process reports' : main[0];
}
