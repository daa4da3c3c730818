import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ratio } from './exact.ts';
import { formatBits, formatSeconds } from './format.ts';

test('figures for people are rounded, but what is not 0 is never told as 0', () => {
  assert.deepEqual([0, ratio(10_001, 3), ratio(1, 3_000_000), ratio(-1, 3_000_000)].map(formatSeconds), [
    '0 s',
    '3,333.666667 s',
    '3.33e-7 s',
    '-3.33e-7 s',
  ]);
  assert.deepEqual([0, 1, ratio(1, 3), ratio(1, 3000)].map(formatBits), [
    '0 bits',
    '1 bit',
    '0.333 bits',
    '0.000333 bits',
  ]);
});
