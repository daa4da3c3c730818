/** Who owns which keys of a type, by one table, as the instances of the type on one thread see it. */
import type { InstanceId } from '../model/index.ts';
import { type BucketTable, buildBucketTable, noEndpoint } from './routing/index.ts';

/** Another instance of the type, or the instance itself. */
export interface Sibling {
  readonly instanceId: InstanceId;
  readonly weight: number;
  readonly isDraining: boolean;
  /** On the thread itself. */
  readonly isHere: boolean;
  /** It took messages when the thread was told. */
  readonly hasBegun: boolean;
  /** How often it has lost its thread, and what it knew with it. */
  readonly restarts: number;
  /** Its block. */
  readonly stats: Float64Array;
}

export class KeyOwners {
  readonly version: number;
  readonly siblings: readonly Sibling[];
  readonly #active: readonly Sibling[];
  readonly #table: BucketTable;

  /**
   * Where all are draining, those keep their buckets that had them by `previous`: somebody has to decide about what is
   * still under way.
   */
  constructor(version: number, siblings: readonly Sibling[], previous: KeyOwners | null) {
    this.version = version;
    this.siblings = siblings;
    const active = siblings.filter((sibling) => !sibling.isDraining);
    if (active.length === 0 && previous !== null) {
      this.#active = previous.#active;
      this.#table = previous.#table;
      return;
    }
    this.#active = active;
    this.#table = buildBucketTable(
      active.map(({ instanceId, weight }) => ({ instanceId, weight })),
      previous === null ? undefined : previous.#table,
    );
  }

  /** Null: nobody ever owned any. */
  ownerOf(bucket: number): Sibling | null {
    const index = this.#table.owners[bucket] as number;
    return index === noEndpoint ? null : (this.#active[index] as Sibling);
  }

  owns(id: InstanceId, bucket: number): boolean {
    return this.ownerOf(bucket)?.instanceId === id;
  }
}
