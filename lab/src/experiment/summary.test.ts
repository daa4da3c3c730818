import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { bestDeployments, medianSeconds, spreadOf } from './summary.ts';
import { cell } from './testing/example-cells.ts';

test('a spread is the middle value and the extremes, without the runs that have no figure', () => {
  assert.deepEqual(spreadOf([3, null, 1, 2]), { median: 2, min: 1, max: 3 });
  assert.deepEqual(spreadOf([4, 1]), { median: 2.5, min: 1, max: 4 });
  assert.equal(spreadOf([null, null]), null);
  fc.assert(
    fc.property(fc.array(fc.double({ noNaN: true, min: -1e15, max: 1e15 }), { minLength: 1 }), (values) => {
      const { median, min, max } = spreadOf(values)!;
      assert.ok(values.filter((value) => value <= median).length * 2 >= values.length);
      assert.ok(values.filter((value) => value >= median).length * 2 >= values.length);
      assert.ok(values.every((value) => value >= min && value <= max));
    }),
  );
});

test('the best deployment has the highest success; equals are told apart by p99, near equals share', () => {
  const cells = [
    cell({ deployment: 'standalone', successRatio: 0.5, p99Ms: 10 }),
    cell({ deployment: 'slow', successRatio: 0.99, p99Ms: 900 }),
    cell({ deployment: 'fast', successRatio: 0.987, p99Ms: 100 }),
    cell({ deployment: 'as-fast', successRatio: 0.986, p99Ms: 105 }),
  ];
  assert.deepEqual([...bestDeployments(cells, 'redos', 'attack')].sort(), ['as-fast', 'fast']);
});

test('nobody is best when nobody served anything', () => {
  const cells = [cell({ deployment: 'standalone', successRatio: 0, p99Ms: null })];
  assert.equal(bestDeployments(cells, 'redos', 'attack').size, 0);
});

test('seconds are medians over runs', () => {
  const runs = [1, 2, 3].map((run) =>
    cell({ deployment: 'standalone', run, meanMs: run === 3 ? null : run * 10 }),
  );
  const [first] = medianSeconds(runs, 'redos', 'standalone');
  assert.equal(first?.meanMs, 15);
  assert.equal(first?.sent, 100);
  assert.deepEqual(medianSeconds(runs, 'redos', 'nowhere'), []);
});
