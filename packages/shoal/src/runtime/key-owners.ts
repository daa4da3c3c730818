/**
 * Who owns which keys of a type, as the instances of the type on one thread see it: who must get what one of them cannot
 * handle, because its key is another's.
 *
 * Instances get a table in two steps, and senders after that. First all instances are told; then it is in force. In
 * between, whoever loses a bucket sends its messages on to the new owner at once, while those that have nothing to do with
 * it go on sending to the former one: so never do two instances take new keys of a bucket at a time.
 */
import type { InstanceId } from '../model/index.ts';
import { type BucketTable, buildBucketTable, noEndpoint } from './routing/index.ts';

/** Another instance of the type, or the instance itself. */
export interface Sibling {
  readonly instanceId: InstanceId;
  readonly weight: number;
  readonly isDraining: boolean;
  /** See `HeldKeys`. */
  readonly held: Uint32Array;
  /** Its block. */
  readonly stats: Float64Array;
}

/** The owner of a bucket, and the version of the table that says so. */
export interface Owner {
  readonly sibling: Sibling;
  readonly version: number;
}

export class KeyOwners {
  readonly version: number;
  /** In the order of their ids. */
  readonly siblings: readonly Sibling[];
  readonly #owners: readonly Owner[];
  readonly #table: BucketTable;
  /** The table before, until this one is in force. */
  #previous: KeyOwners | null;

  constructor(version: number, siblings: readonly Sibling[], previous: KeyOwners | null) {
    this.version = version;
    this.siblings = [...siblings].sort((a, b) => a.instanceId - b.instanceId);
    const active = this.siblings.filter((sibling) => !sibling.isDraining);
    this.#owners = active.map((sibling) => ({ sibling, version }));
    this.#table = buildBucketTable(
      active.map(({ instanceId, weight }) => ({ instanceId, weight })),
      previous === null ? undefined : previous.#table,
    );
    this.#previous = previous;
    previous?.putInForce();
  }

  get isInForce(): boolean {
    return this.#previous === null;
  }

  putInForce(): void {
    this.#previous = null;
  }

  /** Null: all are draining. */
  ownerOf(bucket: number): Owner | null {
    const index = this.#table.owners[bucket] as number;
    return index === noEndpoint ? null : (this.#owners[index] as Owner);
  }

  /** To whom an instance sends on what it does not hold; itself: it handles it. */
  ownerFor(self: InstanceId, bucket: number): Owner | null {
    const before = this.#previous?.ownerOf(bucket) ?? null;
    return before === null || before.sibling.instanceId === self ? this.ownerOf(bucket) : before;
  }
}
