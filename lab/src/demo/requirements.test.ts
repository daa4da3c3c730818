import assert from 'node:assert/strict';
import { test } from 'node:test';
import { judge } from './requirements.ts';
import type { DeploymentFigures, KindFigures } from './result.ts';

const good: KindFigures = {
  successRatio: 1,
  p50Ms: 1,
  p99Ms: 5,
  sent: 100,
  refused: 0,
  refusedP99Ms: 0,
  timedOut: 0,
  failed: 0,
};

const coresLeft = (available: number): DeploymentFigures['searchCores'] => ({
  'attack-1.3': { used: 1.3, available, asked: 1.3 },
  'attack-3': { used: available, available, asked: 3 },
});

function figures(change: Partial<DeploymentFigures>, attack: Partial<KindFigures> = {}): DeploymentFigures {
  const during = { ...good, ...attack };
  return {
    phases: [
      { name: 'before', objects: good, regex: good },
      { name: 'attack-1.3', objects: during, regex: during },
      { name: 'attack-3', objects: during, regex: during },
      { name: 'after', objects: good, regex: good },
    ],
    firstCloneServingMs: { 'attack-1.3': 900, 'attack-3': 400 },
    onsetsMs: { 'attack-1.3': [900], 'attack-3': [400] },
    instancesPeak: 3,
    reclaimedMs: 21_000,
    failedByReclaim: 0,
    searchCores: coresLeft(1.5),
    decisions: [],
    seconds: [],
    generatorLagP99Ms: 1,
    ...change,
  };
}

const failed = (result: DeploymentFigures): string[] =>
  judge(result)
    .filter(({ isMet }) => !isMet)
    .map(({ text }) => text);

test('good figures meet every requirement', () => {
  assert.deepEqual(failed(figures({})), []);
});

test('of searches beyond what the cores can do, a fair share must be served, and refusing all is not enough', () => {
  const share = (available: number, successRatio: number, sent = 10_000): boolean =>
    !failed(figures({ searchCores: coresLeft(available) }, { successRatio, sent })).some((text) =>
      text.includes('share of the cores'),
    );
  assert.equal(share(1.5, 0), false, 'all refused, however quickly');
  // Half of the searches can be served, and two thirds of that must be, but for chance.
  assert.equal(share(1.5, 0.323), false);
  assert.equal(share(1.5, 0.325), true);
  // Of few searches more are left to chance, but never all.
  assert.equal(share(1.5, 0.25, 100), true);
  assert.equal(share(1.5, 0.23, 100), false);
  // Other programs had a core: less was there.
  assert.equal(share(0.75, 0.16), true);
  // More cores than are asked for: nothing needs to be refused.
  assert.equal(share(6, 0.65), false);
});

test('each figure can fail its requirement', () => {
  assert.equal(failed(figures({}, { successRatio: 0.98 })).length, 3, 'objects twice, regex once');
  assert.equal(failed(figures({}, { successRatio: 0 })).length, 4, 'and its share of the cores');
  assert.equal(failed(figures({}, { p99Ms: 15.1 })).length, 2);
  assert.match(failed(figures({}, { refused: 9, refusedP99Ms: 201 }))[0] ?? '', /refusal/);
  assert.match(failed(figures({}, { timedOut: 1 }))[0] ?? '', /time out/);
  assert.match(failed(figures({ reclaimedMs: null }))[0] ?? '', /reclaimed/);
  assert.match(failed(figures({ failedByReclaim: 1 }))[0] ?? '', /reclaim/);
  assert.match(failed(figures({ failedByReclaim: null }))[0] ?? '', /reclaim/);
  assert.equal(failed(figures({ firstCloneServingMs: { 'attack-1.3': 1_201, 'attack-3': 501 } })).length, 2);
  assert.equal(failed(figures({ firstCloneServingMs: { 'attack-1.3': null, 'attack-3': null } })).length, 2);
});
