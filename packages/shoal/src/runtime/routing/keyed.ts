/**
 * Routes a key by the bucket table of the endpoints that are not draining. Where the type keeps states by key, a bucket
 * that has moved is settled first: until then its messages go where its keys still are.
 *
 *   settled bucket ──► owner
 *   other bucket   ──► where this thread's last message of it still waits, be it at the owner
 *                      else the first endpoint, by id, that still holds keys of it
 *                      else the owner, and from then on always: it is settled
 *
 * I1. An endpoint that does not own a bucket gets no keys in it any more: receivers have a table before senders do (see
 *     `agent-links.ts`), so what is found to be held when a table is installed can only become less. No history is
 *     needed, and a sender that has just started knows as much as any other.
 * I2. Messages of a key do not overtake each other: a thread leaves an endpoint only when that has taken what the thread
 *     sent it of the bucket. What it then still has on its way elsewhere either counts as held there, or goes before
 *     everything that the owner gets from others (see `moving-keys.ts`).
 * I3. Holders are looked at in the order of their ids, in which messages are passed on among them, and twice before none
 *     is said to hold any: a message may go back once, from the one that it was sent to to the first, and only on from there.
 */
import { type BucketTable, bucketCount, bucketOf, buildBucketTable, noEndpoint } from './bucket-table.ts';
import { activeIndices, type RouterEndpoint } from './router.ts';

/** Buckets that are not settled, and what is known of them. */
interface Settling {
  /** 1: not settled. */
  readonly buckets: Uint8Array;
  count: number;
  /** Where the last message of this thread went, or `noEndpoint`; and its position there. */
  readonly way: Uint16Array;
  readonly position: Float64Array;
  /** Endpoint indices in the order of the ids. */
  readonly byId: Uint16Array;
}

export class KeyedRouting {
  readonly endpoints: readonly RouterEndpoint[];
  /** Over the active endpoints; positions are those of `active`. */
  readonly table: BucketTable;
  /** Endpoint index by bucket, or `noEndpoint`. */
  readonly owners: Uint16Array;
  /** Whether the last choice was not the owner, but one that may still hold the key. */
  isDetour = false;
  /** The endpoint that owns every bucket, -1 for none; -2: there are several. */
  readonly #only: number;
  #settling: Settling | null;

  /** `previous`: its bucket table is updated instead of built anew. */
  constructor(endpoints: readonly RouterEndpoint[], previous?: KeyedRouting) {
    const active = activeIndices(endpoints);
    const candidates = Array.from(active, (index) => endpoints[index] as RouterEndpoint);
    this.endpoints = endpoints;
    this.table = buildBucketTable(
      candidates.map(({ instanceId, weight }) => ({ instanceId, weight })),
      previous?.table,
    );
    this.owners = this.table.owners.map((owner) =>
      owner === noEndpoint ? noEndpoint : (active[owner] as number),
    );
    // A single endpoint has every key: no need to look it up in a table that no cache holds.
    const [first] = this.owners;
    const isOne = this.owners.every((owner) => owner === first);
    this.#only = isOne ? (first === noEndpoint ? -1 : (first as number)) : -2;
    this.#settling = findUnsettled(endpoints, this.owners);
  }

  /** Whether every bucket goes to its owner. */
  get isSettled(): boolean {
    return this.#settling === null;
  }

  /** Index of the endpoint for a key, or -1. */
  choose(flowKey: number): number {
    this.isDetour = false;
    const settling = this.#settling;
    if (settling === null && this.#only !== -2) return this.#only;
    const bucket = bucketOf(flowKey);
    if (settling !== null && settling.buckets[bucket] !== 0) return this.#chooseUnsettled(settling, bucket);
    const owner = this.owners[bucket] as number;
    return owner === noEndpoint ? -1 : owner;
  }

  #chooseUnsettled(settling: Settling, bucket: number): number {
    const { endpoints } = this;
    const owner = this.owners[bucket] as number;
    const last = settling.way[bucket] as number;
    let chosen: number;
    if (
      last !== noEndpoint &&
      endpoints[last]?.keys?.hasEnded(settling.position[bucket] as number, bucket) === false
    ) {
      chosen = last;
    } else {
      chosen = this.#findHolder(settling, bucket, owner);
      if (chosen === noEndpoint) chosen = this.#findHolder(settling, bucket, owner);
    }
    if (chosen === noEndpoint) {
      settling.buckets[bucket] = 0;
      if (--settling.count === 0) this.#settling = null;
      if (owner === noEndpoint) return -1;
      // What was passed on to an owner on this thread is in its lanes by now, and has to be seen before what comes next.
      endpoints[owner]?.keys?.look();
      return owner;
    }
    settling.way[bucket] = chosen;
    settling.position[bucket] = endpoints[chosen]?.keys?.next() ?? 0;
    this.isDetour = true;
    return chosen;
  }

  #findHolder(settling: Settling, bucket: number, owner: number): number {
    for (const index of settling.byId) {
      const held = this.endpoints[index]?.keys?.held;
      if (index !== owner && held !== undefined && Atomics.load(held, bucket) > 0) return index;
    }
    return noEndpoint;
  }
}

function findUnsettled(endpoints: readonly RouterEndpoint[], owners: Uint16Array): Settling | null {
  if (endpoints.length < 2) return null;
  let found: Settling | null = null;
  const note = (bucket: number): Settling => {
    found ??= {
      buckets: new Uint8Array(bucketCount),
      count: 0,
      way: new Uint16Array(bucketCount).fill(noEndpoint),
      position: new Float64Array(bucketCount),
      byId: Uint16Array.from(
        endpoints
          .map((_, index) => index)
          .sort((a, b) => (endpoints[a]?.instanceId ?? 0) - (endpoints[b]?.instanceId ?? 0)),
      ),
    };
    if (found.buckets[bucket] === 0) found.count++;
    found.buckets[bucket] = 1;
    return found;
  };
  for (const [index, { keys }] of endpoints.entries()) {
    if (keys === undefined) continue;
    for (let bucket = 0; bucket < bucketCount; bucket++)
      if (keys.held[bucket] !== 0 && owners[bucket] !== index) note(bucket);
    keys.eachPending((flowKey) => {
      const bucket = bucketOf(flowKey);
      if (owners[bucket] !== index) note(bucket);
    });
  }
  if (found === null) return null;
  const settling: Settling = found;
  // What waits at the owner of a bucket that is not settled is waited for, too: from there it may go elsewhere.
  for (const [index, { keys }] of endpoints.entries()) {
    keys?.eachPending((flowKey, position) => {
      const bucket = bucketOf(flowKey);
      if (settling.buckets[bucket] === 0) return;
      settling.way[bucket] = index;
      settling.position[bucket] = position;
    });
  }
  return settling;
}
