/**
 * Walker's alias method (Vose 1991): one random number and two reads for a draw with given weights, whatever their
 * number. Slot `i` gives `i` with probability `keep[i]`, else `alias[i]`.
 *
 * @returns a function that draws a position in `weights`; -1 if there are none
 */
export function createWeightedDraw(weights: readonly number[], random: () => number): () => number {
  const count = weights.length;
  if (count === 0) return () => -1;
  const mean = weights.reduce((sum, weight) => sum + weight, 0) / count;
  if (weights.every((weight) => weight === weights[0])) return () => Math.floor(random() * count);
  const keep = Float64Array.from(weights, (weight) => weight / mean);
  const alias = Int32Array.from(weights, (_, index) => index);
  const small: number[] = [];
  const large: number[] = [];
  for (let i = 0; i < count; i++) ((keep[i] ?? 0) < 1 ? small : large).push(i);
  while (small.length > 0 && large.length > 0) {
    const less = small.pop() ?? 0;
    const more = large.pop() ?? 0;
    alias[less] = more;
    keep[more] = (keep[more] ?? 0) + (keep[less] ?? 0) - 1;
    ((keep[more] ?? 0) < 1 ? small : large).push(more);
  }
  // What is left is 1 up to rounding.
  for (const i of [...small, ...large]) keep[i] = 1;
  return () => {
    const at = random() * count;
    const slot = Math.floor(at);
    return at - slot < (keep[slot] as number) ? slot : (alias[slot] as number);
  };
}
