import { activeIndices, type Choose, type RouterEndpoint } from './router.ts';
import { createWeightedDraw } from './weighted-draw.ts';

/** Endpoints looked at in search of an idle one. */
const scanMax = 8;

/**
 * Joins an idle endpoint if the scan meets one; else, of up to eight endpoints the one with the shortest queue, and
 * of more the shorter of two drawn at random (the power of two choices: no herd behind a length that is a moment
 * old). The scan starts at an endpoint drawn by weight, so that weights decide among equals.
 */
export function chooseShortestQueue(
  endpoints: readonly RouterEndpoint[],
  random: () => number,
  isWanted?: (endpoint: RouterEndpoint) => boolean,
): Choose {
  const indices = activeIndices(endpoints, isWanted);
  const active = Array.from(indices, (index) => endpoints[index] as RouterEndpoint);
  const count = active.length;
  if (count === 0) return () => -1;
  if (count === 1) return () => indices[0] as number;
  const draw = createWeightedDraw(
    active.map((endpoint) => endpoint.weight),
    random,
  );
  const scanLength = Math.min(count, scanMax);
  return () => {
    const first = draw();
    let shortest = first;
    let length = (active[first] as RouterEndpoint).queueLength();
    if (length === 0) return indices[first] as number;
    const firstLength = length;
    for (let step = 1, at = first; step < scanLength; step++) {
      at = at + 1 === count ? 0 : at + 1;
      const other = (active[at] as RouterEndpoint).queueLength();
      if (other === 0) return indices[at] as number;
      if (other < length) {
        shortest = at;
        length = other;
      }
    }
    if (count <= scanMax) return indices[shortest] as number;
    const second = draw();
    const isShorter = (active[second] as RouterEndpoint).queueLength() < firstLength;
    return indices[isShorter ? second : first] as number;
  };
}
