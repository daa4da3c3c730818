/** Repair: what was lost is placed anew, up to the count that the decisions so far amount to. */
import type { GraphMsu } from '../../model/index.ts';
import { repairAfterMs, startGraceMs } from './constants.ts';
import type { Cause } from './decision.ts';
import type { Parts } from './parts.ts';
import { describeUnits, nameUnits } from './parts.ts';
import type { InstanceView, TypeView } from './view.ts';

export class Repair {
  readonly #parts: Parts;
  #startedAtMs = Number.NaN;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  tick(nowMs: number): void {
    if (Number.isNaN(this.#startedAtMs)) this.#startedAtMs = nowMs;
    if (!this.#parts.policy.isActive) return;
    for (const type of this.#parts.monitor.types.values()) {
      this.#removeLost(type, nowMs);
      this.#makeGood(type, nowMs);
    }
  }

  /** Lost instances that no new thread has brought back. */
  #removeLost(type: TypeView, nowMs: number): void {
    const { executor, log } = this.#parts;
    for (const instance of type.instances) {
      if (instance.phase !== 'lost' || executor.isBusy(type.msu.name)) continue;
      if (executor.leaving.has(instance.instanceId)) continue;
      const { instanceId } = instance;
      const cause: Cause = { kind: 'instance-lost', instanceId, detail: lossOf(instance, type.msu) };
      const decisionId = log.open(
        { operator: 'remove', msu: type.msu.name, cause, removes: [instanceId] },
        nowMs,
      );
      type.isLossConfirmed = true;
      this.#obeyRestartPolicy(type, instance, nowMs);
      executor.remove(decisionId, type.msu.name, [instance], nowMs);
    }
  }

  /**
   * What its restart policy does not bring back is not missed. A type that died too often is left alone for a period:
   * for good only with an intensity of 0, or an attacker who kills it would have ended it for ever.
   */
  #obeyRestartPolicy(type: TypeView, { sample }: InstanceView, nowMs: number): void {
    const { kind, intensity, periodMs } = type.msu.restart;
    const isTooOften = sample.givenUp === 'restart-intensity';
    if (kind === 'temporary' || sample.givenUp === 'restart-kind' || (isTooOften && intensity === 0)) {
      type.committed = Math.max(0, type.committed - 1);
      type.floor = Math.min(type.floor, type.committed);
    } else if (isTooOften) {
      type.restsUntilMs = nowMs + periodMs;
    }
  }

  #makeGood(type: TypeView, nowMs: number): void {
    const { executor } = this.#parts;
    const name = type.msu.name;
    let count = executor.pending(name);
    for (const instance of type.instances) {
      const isComing = executor.arriving.has(instance.instanceId) && instance.phase !== 'serving';
      const stays = instance.phase === 'serving' || instance.phase === 'starting';
      // Those on their way are in `pending`.
      if (stays && !isComing && !executor.leaving.has(instance.instanceId)) count++;
    }
    if (count >= type.committed) {
      type.deficitSinceMs = -1;
      type.isLossConfirmed = false;
      return;
    }
    if (type.deficitSinceMs < 0) type.deficitSinceMs = nowMs;
    const isStarting = nowMs - this.#startedAtMs < startGraceMs;
    const waitMs = type.isLossConfirmed ? 0 : repairAfterMs;
    if (nowMs - type.deficitSinceMs < waitMs || (isStarting && !type.isLossConfirmed)) return;
    const { blocked } = type;
    const isBlocked = blocked !== null && blocked.rule === '' && nowMs < blocked.untilMs;
    if (executor.isBusy(name) || isBlocked || nowMs < type.restsUntilMs) return;
    // Processes that die are not deaths of the type: what went with one may be placed anew once in any case.
    const { intensity, periodMs } = type.msu.restart;
    type.repairsAtMs = type.repairsAtMs.filter((atMs) => nowMs - atMs < periodMs);
    const allowed = Math.max(1, intensity) - type.repairsAtMs.length;
    const missing = Math.min(type.committed - count, allowed);
    if (missing > 0)
      this.#place(type, missing, { kind: 'below-count', count, neededCount: type.committed }, nowMs);
  }

  #place(type: TypeView, missing: number, cause: Cause, nowMs: number): void {
    const { placer, executor, log } = this.#parts;
    const isBelowFloor = type.instances.size < type.floor;
    const { units, rejected } = placer.place(
      // What the deployment asks for runs even where no core is free; clones beyond it do not.
      { type, count: missing, processes: null, relieves: '', isForced: isBelowFloor },
      executor.ordered(),
      nowMs,
    );
    if (units.flat().some((planned) => executor.isBusy(planned.msu))) return;
    if (units.length === 0) {
      type.blocked = {
        reason: rejected[0]?.reason ?? 'no process reports',
        rule: '',
        untilMs: nowMs + repairAfterMs,
      };
      // A clone that finds no place any more is not missed until there is overload again.
      if (!isBelowFloor) type.committed = Math.max(type.floor, type.instances.size);
      if (type.refusalsLogged.has('repair')) return;
      type.refusalsLogged.set('repair', nowMs);
      const decisionId = log.open({ operator: 'add', msu: type.msu.name, cause, rejected }, nowMs);
      log.close(decisionId, 'refused', `no place: ${type.blocked.reason}`, nowMs);
      return;
    }
    type.refusalsLogged.delete('repair');
    const named = nameUnits(this.#parts, units);
    const decisionId = log.open(
      { operator: 'add', msu: type.msu.name, cause, placements: describeUnits(named), rejected },
      nowMs,
    );
    for (const _ of units) type.repairsAtMs.push(nowMs);
    executor.add(decisionId, named, nowMs);
  }
}

function lossOf({ sample, process }: InstanceView, { restart }: GraphMsu): string {
  switch (sample.givenUp) {
    case null:
      return `no thread of ${process.key} has brought it back`;
    case 'start-failed':
      return `${process.key} could not start it again`;
    case 'restart-kind':
      return `its thread ended on ${process.key}, and its restart policy is ${restart.kind}: it is not replaced`;
    case 'restart-intensity': {
      const often = `it died more than ${restart.intensity} times within ${restart.periodMs} ms on ${process.key}`;
      return `${often}: it is ${restart.intensity === 0 ? 'not replaced' : `tried again after ${restart.periodMs} ms`}`;
    }
  }
}
