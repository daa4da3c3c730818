import type { AttackContext } from './attack.ts';
import { arrivals, totalDurationMs } from './phases.ts';
import { seededRandom } from './random.ts';

/** Sends one request; resolves to whether it got what it was after, and never takes longer than the plan's timeout. */
export type Fire = (index: number) => Promise<boolean>;

/** Waits, but not beyond the abort of the attack. */
export function waitUnlessAborted(delayMs: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted || delayMs <= 0) return Promise.resolve();
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, delayMs);
    signal.addEventListener('abort', end);
  });
}

/**
 * Fires requests at the plan's times, whether or not earlier ones were answered (open loop), within the plan's
 * bounds; resolves once the plan is over and the last request has ended.
 */
export async function pace(context: AttackContext, fire: Fire): Promise<void> {
  const { plan, meter, signal } = context;
  const underWay = new Set<Promise<void>>();
  const beganMs = meter.elapsedMs();
  let due = 0;
  for (const atMs of arrivals(plan.phases, seededRandom(plan.seed))) {
    await waitUnlessAborted(atMs - (meter.elapsedMs() - beganMs), signal);
    if (signal.aborted || due >= plan.maxRequests) break;
    due += 1;
    if (meter.inFlight >= plan.maxInFlight) {
      meter.skipped += 1;
      continue;
    }
    meter.sent += 1;
    meter.inFlight += 1;
    const request = fire(meter.sent - 1).then((success) => {
      meter.inFlight -= 1;
      if (success) meter.completed += 1;
      else meter.failed += 1;
      underWay.delete(request);
    });
    underWay.add(request);
  }
  if (due < plan.maxRequests) {
    await waitUnlessAborted(totalDurationMs(plan.phases) - (meter.elapsedMs() - beganMs), signal);
  }
  await Promise.all(underWay);
}
