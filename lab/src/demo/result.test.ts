import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { checkShape } from './testing/result-shape.ts';

const published = new URL('../../../bench/results/demo.json', import.meta.url);

test('the published result has the shape that other programs read', () => {
  checkShape(JSON.parse(readFileSync(published, 'utf8')));
});

test('a result that lacks anything has not that shape', () => {
  const without = (path: readonly (string | number)[]): unknown => {
    const result = JSON.parse(readFileSync(published, 'utf8'));
    const last = path.at(-1)!;
    const owner = path.slice(0, -1).reduce((value, key) => value[key], result);
    if (Array.isArray(owner)) owner.splice(Number(last), 1);
    else delete owner[last];
    return result;
  };
  const shoal = ['deployments', 'shoal'];
  for (const path of [
    ['deployments'],
    ['deployments', 'cluster'],
    [...shoal, 'phases', 3],
    [...shoal, 'phases', 0, 'name'],
    [...shoal, 'phases', 1, 'objects', 'successRatio'],
    [...shoal, 'phases', 2, 'regex', 'p50Ms'],
    [...shoal, 'phases', 2, 'regex', 'p99Ms'],
    [...shoal, 'firstCloneServingMs', 'attack-3'],
    [...shoal, 'instancesPeak'],
    [...shoal, 'reclaimedMs'],
    [...shoal, 'failedByReclaim'],
    [...shoal, 'decisions'],
    [...shoal, 'decisions', 0, 'atMs'],
  ]) {
    assert.throws(() => checkShape(without(path)), assert.AssertionError, path.join('.'));
  }
});
