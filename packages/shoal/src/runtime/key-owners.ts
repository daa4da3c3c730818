/**
 * Who owns which keys of a type, as the instances of the type on one thread see it: who must get what one of them cannot
 * handle, because its key is another's.
 *
 * Instances get a table in two steps, and senders after that. First all instances are told; then it is in force. In
 * between they go by the table before, but whoever loses a bucket takes no new keys in it: they are left to the new owner
 * (its heir). So never do two instances take new keys of a bucket at a time.
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

  /** The table by which messages go: until this one is in force, the one before. */
  get acting(): KeyOwners {
    return this.#previous ?? this;
  }

  /** Until this table is in force: to whom an instance that loses a bucket leaves the keys in it that are new. */
  heirOf(self: InstanceId, bucket: number): Owner | null {
    if (this.#previous === null) return null;
    const before = this.#previous.ownerOf(bucket)?.sibling.instanceId ?? self;
    const heir = this.ownerOf(bucket);
    return before !== self || heir?.sibling.instanceId === self ? null : heir;
  }
}
