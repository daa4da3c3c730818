/** Figures that come in windows, summed over a span: the windows at rest are longer, and may begin before it. */
import { wholeWindowShare } from './constants.ts';
import type { InstanceWindow, RecentFigures } from './view.ts';

export const noFigures: () => RecentFigures = () => ({
  dtMs: 0,
  queuedMs: 0,
  accepted: 0,
  completed: 0,
  shed: 0,
  busyMs: 0,
  cpuMs: 0,
  coreWaitMs: 0,
  refusedFull: 0,
});

/** How much of a window counts in a span of which `leftMs` are left for it. */
function shareWithin(windowMs: number, leftMs: number): number {
  const share = leftMs / windowMs;
  return share >= wholeWindowShare ? 1 : share;
}

/** How much of a span windows of these lengths cover, the newest last. */
export function coveredMs(lengthsMs: readonly number[], spanMs: number): number {
  let total = 0;
  for (let i = lengthsMs.length - 1; i >= 0 && total < spanMs; i--) {
    const lengthMs = lengthsMs[i] ?? 0;
    total += lengthMs * shareWithin(lengthMs, spanMs - total);
  }
  return total;
}

/**
 * Sums the newest windows until `spanMs` is reached; of the last one needed, which may be long at rest, a part, as if all
 * of it had been alike.
 */
export function sumWindows(windows: readonly InstanceWindow[], spanMs: number): RecentFigures {
  const total = noFigures();
  for (let i = windows.length - 1; i >= 0 && total.dtMs < spanMs; i--) {
    const window = windows[i];
    if (window === undefined) break;
    const share = shareWithin(window.dtMs, spanMs - total.dtMs);
    total.dtMs += share * window.dtMs;
    if (window.isQueued) total.queuedMs += share * window.dtMs;
    total.accepted += share * window.accepted;
    total.completed += share * window.completed;
    total.shed += share * window.shed;
    total.busyMs += share * window.busyMs;
    total.cpuMs += share * window.cpuMs;
    total.coreWaitMs += share * window.coreWaitMs;
    total.refusedFull += share * window.refusedFull;
  }
  return total;
}
