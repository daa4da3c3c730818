/**
 * Routes a key by the bucket table of the endpoints that are not draining. Where a key has another owner than before
 * (it moved to one that joined, or its owner drains), the former owner is asked first whether it still holds it: an
 * existing key stays until it ends or is handed over.
 */
import { type BucketTable, bucketOf, buildBucketTable, noEndpoint } from './bucket-table.ts';
import { activeIndices, type Choose, type RouterEndpoint } from './router.ts';

/** What a keyed router remembers for its successor. */
export interface KeyedState {
  /** Over the active endpoints; positions are those of `active`. */
  readonly table: BucketTable;
  /** Endpoint index by bucket, or `noEndpoint`. */
  readonly owners: Uint16Array;
  /** Endpoint that owned the bucket before, by bucket; `null`: nobody else is to be asked. */
  readonly former: Uint16Array | null;
  readonly endpoints: readonly RouterEndpoint[];
}

export function chooseKeyed(state: KeyedState): Choose {
  const { owners, former, endpoints } = state;
  const ownerOf: Choose = (flowKey) => {
    const owner = owners[bucketOf(flowKey)] as number;
    return owner === noEndpoint ? -1 : owner;
  };
  if (former === null) {
    // A single endpoint has every key: no need to look it up in a table that no cache holds.
    const [first] = owners;
    return first !== undefined && owners.every((owner) => owner === first)
      ? () => (first === noEndpoint ? -1 : first)
      : ownerOf;
  }
  return (flowKey) => {
    const bucket = bucketOf(flowKey);
    const owner = owners[bucket] as number;
    const before = former[bucket] as number;
    if (before !== noEndpoint && before !== owner && endpoints[before]?.holds?.(flowKey) === true)
      return before;
    return owner === noEndpoint ? -1 : owner;
  };
}

export function createKeyedState(endpoints: readonly RouterEndpoint[], previous?: KeyedState): KeyedState {
  const active = activeIndices(endpoints);
  const candidates = Array.from(active, (index) => endpoints[index] as RouterEndpoint);
  const table = buildBucketTable(
    candidates.map(({ instanceId, weight }) => ({ instanceId, weight })),
    previous?.table,
  );
  const owners = table.owners.map((owner) => (owner === noEndpoint ? noEndpoint : (active[owner] as number)));
  const former = endpoints.some((endpoint) => endpoint.holds !== undefined)
    ? formerOwners(endpoints, owners, previous)
    : null;
  return { table, owners, former, endpoints };
}

function formerOwners(
  endpoints: readonly RouterEndpoint[],
  owners: Uint16Array,
  previous: KeyedState | undefined,
): Uint16Array | null {
  if (previous === undefined) {
    if (!endpoints.some((endpoint) => endpoint.isDraining)) return null;
    // Nothing is known of the past: the draining ones had what they would own if they were not draining.
    const all = endpoints.map(({ instanceId, weight }) => ({ instanceId, weight }));
    return buildBucketTable(all).owners;
  }
  const indexNow = new Map(endpoints.map((endpoint, index) => [endpoint.instanceId, index]));
  const translate = Uint16Array.from(
    previous.endpoints,
    (endpoint) => indexNow.get(endpoint.instanceId) ?? noEndpoint,
  );
  const former = new Uint16Array(owners.length);
  let isNeeded = false;
  for (let bucket = 0; bucket < owners.length; bucket++) {
    const owner = owners[bucket] as number;
    let before = translate[previous.owners[bucket] as number] ?? noEndpoint;
    // Unmoved this time: who had it before the last move may still hold keys.
    if (before === owner || before === noEndpoint) {
      before = translate[previous.former?.[bucket] ?? noEndpoint] ?? noEndpoint;
    }
    former[bucket] = before;
    if (before !== noEndpoint && before !== owner) isNeeded = true;
  }
  return isNeeded ? former : null;
}
