/**
 * Routes a key by the bucket table of the endpoints that are not draining. Where the type keeps states by key, messages of
 * a bucket that has moved go on to its former owner as long as messages of this thread wait there, and then to the new one
 * for good. Whoever is not, or no longer, the owner passes on what it gets (see `moving-keys.ts`).
 *
 * I1. Messages of a key do not overtake each other: a thread leaves an endpoint only when that has taken what the thread
 *     sent it of the bucket. What it then still has on its way to the new owner goes before everything that the new owner
 *     gets from others.
 */
import { type BucketTable, bucketCount, bucketOf, buildBucketTable, noEndpoint } from './bucket-table.ts';
import { activeIndices, type RouterEndpoint } from './router.ts';

/** Buckets that are not settled: where this thread's last message of each went, and its position there. */
interface Settling {
  /** Endpoint index, or `noEndpoint`: settled. */
  readonly way: Uint16Array;
  readonly position: Float64Array;
  count: number;
}

export class KeyedRouting {
  readonly endpoints: readonly RouterEndpoint[];
  /** Over the active endpoints; positions are those of `active`. */
  readonly table: BucketTable;
  /** Endpoint index by bucket, or `noEndpoint`. */
  readonly owners: Uint16Array;
  /** Whether the last choice was not the owner, but one before it. */
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
    const owner = this.owners[bucket] as number;
    if (settling !== null && settling.way[bucket] !== noEndpoint)
      return this.#chooseUnsettled(settling, bucket, owner);
    return owner === noEndpoint ? -1 : owner;
  }

  #chooseUnsettled(settling: Settling, bucket: number, owner: number): number {
    const former = settling.way[bucket] as number;
    const keys = this.endpoints[former]?.keys;
    if (keys?.hasEnded(settling.position[bucket] as number, bucket) === false) {
      settling.position[bucket] = keys.next();
      this.isDetour = true;
      return former;
    }
    settling.way[bucket] = noEndpoint;
    if (--settling.count === 0) this.#settling = null;
    if (owner === noEndpoint) return -1;
    // What was passed on to an owner on this thread is in its lanes by now, and has to be seen before what comes next.
    this.endpoints[owner]?.keys?.look();
    return owner;
  }
}

function findUnsettled(endpoints: readonly RouterEndpoint[], owners: Uint16Array): Settling | null {
  if (endpoints.length < 2) return null;
  let found: Settling | null = null;
  for (const [index, { keys }] of endpoints.entries()) {
    keys?.eachPending((flowKey, position) => {
      const bucket = bucketOf(flowKey);
      if (owners[bucket] === index) return;
      found ??= {
        way: new Uint16Array(bucketCount).fill(noEndpoint),
        position: new Float64Array(bucketCount),
        count: 0,
      };
      if (found.way[bucket] === noEndpoint) found.count++;
      found.way[bucket] = index;
      found.position[bucket] = position;
    });
  }
  return found;
}
