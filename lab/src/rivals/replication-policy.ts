import type { InstanceReport } from '../service/instance-report.ts';

/**
 * When to start another whole server, and when to stop one: the published rules, with no knowledge of attacks.
 * A step machine without I/O or clock.
 */
export interface ReplicationPolicy {
  /** Looks at the latest reports; `add` and `remove` ask for one server more or less. */
  step(reports: readonly InstanceReport[], replicas: number, nowMs: number): 'add' | 'remove' | 'keep';
}

/** A queue that is never empty for this long is persistent. */
const windowMs = 1_000;
/** Busy for this share of a report's period means that the event loop's queue was never empty in it. */
const busyAtLeast = 0.98;
/** Share of its descriptors from which on a process counts as overloaded. */
const descriptorsAtLeast = 0.4;
/** A report older than this comes from an event loop that is stuck. */
const overdueMs = 750;
/** Two additions lie at least this far apart. */
const addSpacingMs = 1_000;
/** A server is taken back after this long without overload, and at least `removeSpacingMs` after the last one. */
const calmMs = 20_000;
const removeSpacingMs = 5_000;

export function createReplicationPolicy(replicasMax: number): ReplicationPolicy {
  /** Since when each instance has been busy without a pause. */
  const busySince = new Map<string, number>();
  let lastAddedMs = Number.NEGATIVE_INFINITY;
  let lastRemovedMs = Number.NEGATIVE_INFINITY;
  let lastOverloadMs = Number.NEGATIVE_INFINITY;

  const isOverloaded = (report: InstanceReport, nowMs: number): boolean => {
    const key = `${report.host}-${report.pid}-${report.thread}`;
    const stuck = nowMs - report.atEpochMs > overdueMs;
    if (!stuck && report.busyShare < busyAtLeast) busySince.delete(key);
    else if (!busySince.has(key)) busySince.set(key, report.atEpochMs);
    const since = busySince.get(key);
    return (since !== undefined && nowMs - since >= windowMs) || report.descriptorShare >= descriptorsAtLeast;
  };

  return {
    step(reports, replicas, nowMs) {
      // Every instance is looked at, so that each one's busy time is followed.
      const overloaded = reports.map((report) => isOverloaded(report, nowMs)).includes(true);
      if (overloaded) {
        lastOverloadMs = nowMs;
        if (replicas >= replicasMax || nowMs - lastAddedMs < addSpacingMs) return 'keep';
        lastAddedMs = nowMs;
        return 'add';
      }
      const calm = nowMs - Math.max(lastOverloadMs, lastAddedMs) >= calmMs;
      if (!calm || replicas === 0 || nowMs - lastRemovedMs < removeSpacingMs) return 'keep';
      lastRemovedMs = nowMs;
      return 'remove';
    },
  };
}
