/**
 * A hash table as many applications have written one for themselves: chains, doubling when full, and a hash
 * without a secret seed (FNV-1a). Whoever knows the hash can choose keys that all land in one chain.
 *
 * ```
 * buckets ─ 0 ─► entry ─► entry
 *           1
 *           2 ─► entry
 * ```
 */
export class KeyTable<Value> {
  #buckets: (Entry<Value> | undefined)[] = new Array<undefined>(initialBuckets).fill(undefined);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get(key: string): Value | undefined {
    return this.#find(key, fnv1a(key))?.value;
  }

  set(key: string, value: Value): void {
    const hash = fnv1a(key);
    const found = this.#find(key, hash);
    if (found !== undefined) {
      found.value = value;
      return;
    }
    if (this.#size >= this.#buckets.length) this.#grow();
    this.#insert({ key, hash, value, next: undefined });
    this.#size += 1;
  }

  #find(key: string, hash: number): Entry<Value> | undefined {
    let entry = this.#buckets[hash % this.#buckets.length];
    while (entry !== undefined && entry.key !== key) entry = entry.next;
    return entry;
  }

  #insert(entry: Entry<Value>): void {
    const at = entry.hash % this.#buckets.length;
    entry.next = this.#buckets[at];
    this.#buckets[at] = entry;
  }

  #grow(): void {
    const old = this.#buckets;
    this.#buckets = new Array<undefined>(old.length * 2).fill(undefined);
    for (let entry of old) {
      while (entry !== undefined) {
        const { next }: Entry<Value> = entry;
        this.#insert(entry);
        entry = next;
      }
    }
  }
}

const initialBuckets = 64;

interface Entry<Value> {
  readonly key: string;
  readonly hash: number;
  value: Value;
  next: Entry<Value> | undefined;
}

/** FNV-1a over the key's character codes. */
export function fnv1a(key: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < key.length; i += 1) hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}
