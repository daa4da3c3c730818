import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DecisionFigures } from './result.ts';
import { firstCloneAfter } from './trial.ts';

const clone = (change: Partial<DecisionFigures>): DecisionFigures => ({
  atMs: 1_200,
  servingAtMs: 1_400,
  operator: 'clone',
  msu: 'regex',
  outcome: 'done',
  text: '',
  ...change,
});

test('the first clone after an onset is one of the type under attack that was decided since', () => {
  assert.equal(firstCloneAfter([clone({})], 1_000), 400);
  assert.equal(firstCloneAfter([], 1_000), null);
  const others = [
    clone({ msu: 'http', servingAtMs: 1_100 }),
    clone({ operator: 'remove' }),
    clone({ servingAtMs: null, outcome: 'refused' }),
    // Decided in the calm, ready in the attack.
    clone({ atMs: 900, servingAtMs: 1_050 }),
  ];
  assert.equal(firstCloneAfter(others, 1_000), null);
  assert.equal(firstCloneAfter([...others, clone({ servingAtMs: 1_900 }), clone({})], 1_000), 400);
});
