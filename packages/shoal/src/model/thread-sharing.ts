/** Which types may share a thread: threads are the unit of death, so what dies together is chosen. Pure. */
import type { GraphMsu } from './graph.ts';

/** Mean milliseconds of an event from which a `sync` type counts as CPU-heavy, by its cost hint. */
export const cpuHeavyServiceTimeMs = 5;

/** True if the death of the thread loses something that instances of the type hold. */
export function holdsState(msu: GraphMsu): boolean {
  return msu.state !== 'none';
}

/** True if the type may get its thread killed. */
export function isRunLimited(msu: GraphMsu): boolean {
  return msu.runLimitMs > 0;
}

/** True if events of the type keep their thread from serving others, by its cost hint. */
export function isCpuHeavy(msu: GraphMsu): boolean {
  return msu.execution === 'sync' && msu.cost.serviceTimeMs >= cpuHeavyServiceTimeMs;
}

/** True if a thread needs no event loop for the type: with nothing else on it, it parks between messages. */
export function isParkable(msu: GraphMsu): boolean {
  return msu.execution === 'sync' && msu.state !== 'pinned';
}

const takesConnections = (msu: GraphMsu): boolean =>
  msu.in.some((port) => port.message.kind === 'connection');
const sendsConnections = (msu: GraphMsu): boolean =>
  msu.out.some((port) => port.message.kind === 'connection');

/**
 * Why instances of two types cannot share a thread, as a phrase that follows their names; null if they can.
 * Two instances of one type are asked about with the type twice.
 */
export function threadConflict(a: GraphMsu, b: GraphMsu): string | null {
  for (const msu of [a, b]) {
    if (msu.execution === 'blocking') return `"${msu.name}" may block its thread`;
  }
  if (a.name === b.name) return null;
  for (const [limited, other] of [
    [a, b],
    [b, a],
  ] as const) {
    if (isRunLimited(limited) && holdsState(other)) {
      return `"${limited.name}" has a run limit, and a kill would lose the state of "${other.name}"`;
    }
  }
  for (const [door, other] of [
    [a, b],
    [b, a],
  ] as const) {
    // Within a thread a connection is passed by reference: if the thread died, nobody would know of its descriptor.
    if (sendsConnections(door) && (takesConnections(other) || !sendsConnections(other))) {
      return `"${door.name}" hands connections on, which "${other.name}" could hold up, or lose with the thread`;
    }
  }
  if (a.colocation !== b.colocation) {
    const group = (msu: GraphMsu): string =>
      msu.colocation === ''
        ? `"${msu.name}" is in no colocation group`
        : `"${msu.name}" in colocation group "${msu.colocation}"`;
    return `${group(a)} and ${group(b)}`;
  }
  return null;
}
