import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { fnv1a, KeyTable } from './key-table.ts';

test('the table holds what a Map holds, through collisions and growth', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.string({ maxLength: 3 }), fc.nat()), { maxLength: 400 }),
      fc.array(fc.string({ maxLength: 3 })),
      (entries, others) => {
        const table = new KeyTable<number>();
        const map = new Map<string, number>();
        for (const [key, value] of entries) {
          table.set(key, value);
          map.set(key, value);
        }
        assert.equal(table.size, map.size);
        for (const key of [...map.keys(), ...others]) assert.equal(table.get(key), map.get(key));
      },
    ),
  );
});

test('the hash is FNV-1a, as published', () => {
  assert.equal(fnv1a(''), 0x811c9dc5);
  assert.equal(fnv1a('a'), 0xe40c292c);
  assert.equal(fnv1a('foobar'), 0xbf9cf968);
});
