import { activeIndices, type Choose, type RouterEndpoint } from './router.ts';

/** Turns of a schedule whose weights are not in the ratio of small whole numbers. */
const turnsMax = 4_096;
/** A smaller share than this is rounded up to it, so that every endpoint has a turn. */
const shareMin = 1 / 2_048;

/**
 * Smooth weighted round robin (nginx's: each turn every endpoint gains its weight, the richest is chosen and pays
 * the sum). The turns are computed once, so that a decision is one read. Weights in the ratio of small whole numbers
 * are kept exactly in every round; others to 1 turn in 4,096.
 */
export function chooseRoundRobin(endpoints: readonly RouterEndpoint[], random: () => number): Choose {
  const active = activeIndices(endpoints);
  if (active.length === 0) return () => -1;
  const turns = schedule(Array.from(active, (index) => endpoints[index]?.weight ?? 1)).map(
    (position) => active[position] as number,
  );
  // Senders start at different turns, or the first endpoint would get the first message of them all.
  let turn = Math.floor(random() * turns.length);
  return () => {
    const chosen = turns[turn] as number;
    turn = turn + 1 === turns.length ? 0 : turn + 1;
    return chosen;
  };
}

/** Positions in the order of their turns, one full round. */
function schedule(weights: readonly number[]): Int32Array {
  const sum = weights.reduce((total, weight) => total + weight, 0);
  const raised = weights.map((weight) => Math.max(weight, sum * shareMin));
  const length = roundLength(raised);
  const total = raised.reduce((partial, weight) => partial + weight, 0);
  const credit = new Float64Array(raised.length);
  const turns = new Int32Array(length);
  for (let turn = 0; turn < length; turn++) {
    let richest = 0;
    for (let i = 0; i < credit.length; i++) {
      credit[i] = (credit[i] as number) + (raised[i] as number);
      if ((credit[i] as number) > (credit[richest] as number)) richest = i;
    }
    credit[richest] = (credit[richest] as number) - total;
    turns[turn] = richest;
  }
  return turns;
}

/** Turns after which weights that are multiples of the smallest (or of a half, a third or a quarter of it) repeat. */
function roundLength(weights: readonly number[]): number {
  const smallest = Math.min(...weights);
  for (const part of [1, 2, 3, 4]) {
    const parts = weights.map((weight) => (weight / smallest) * part);
    const isWhole = parts.every((value) => Math.abs(value - Math.round(value)) < 1e-9);
    const total = parts.reduce((sum, value) => sum + Math.round(value), 0);
    if (isWhole && total <= turnsMax) return total;
  }
  return turnsMax;
}
