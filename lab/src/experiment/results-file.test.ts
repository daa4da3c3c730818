import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { LabError } from '../lab-error.ts';
import { openResultsFile, readResults } from './results-file.ts';
import { cell, results } from './testing/example-cells.ts';

const folder = mkdtempSync(path.join(os.tmpdir(), 'results-test-'));
after(() => rmSync(folder, { recursive: true }));

test('an experiment that was stopped goes on with the cells it has', () => {
  const file = path.join(folder, 'resumed.json');
  const first = openResultsFile(file, results([]));
  first.add(cell({ deployment: 'standalone' }));
  first.add(cell({ deployment: 'cluster' }));
  const second = openResultsFile(file, results([]));
  assert.deepEqual(second.results, first.results);
  assert.equal(second.results.cells.length, 2);
  second.add(cell({ deployment: 'naive' }));
  assert.equal(readResults(file)?.cells.length, 3);
});

test('a cell that is measured again takes the place of the earlier one', () => {
  const file = path.join(folder, 'again.json');
  const opened = openResultsFile(file, results([]));
  opened.add(cell({ deployment: 'standalone', successRatio: 0.5 }));
  opened.add(cell({ deployment: 'cluster' }));
  opened.add(cell({ deployment: 'standalone', successRatio: 0.7 }));
  assert.deepEqual(
    readResults(file)?.cells.map(({ deployment, rows }) => [deployment, rows[0]!.successRatio]),
    [
      ['standalone', 0.7],
      ['cluster', 1],
    ],
  );
});

test('results with other settings are not mixed with new ones', () => {
  const file = path.join(folder, 'other.json');
  openResultsFile(file, results([])).add(cell({ deployment: 'standalone' }));
  const other = results([]);
  const settings = { ...other.settings, attackCores: 2 };
  assert.throws(() => openResultsFile(file, { ...other, settings }), LabError);
});

test('a file that holds something else is left alone', () => {
  const file = path.join(folder, 'else.json');
  for (const text of ['not JSON', '{"version":2}', '[]']) {
    writeFileSync(file, text);
    assert.throws(() => readResults(file), LabError);
  }
  assert.equal(readResults(path.join(folder, 'absent.json')), undefined);
});
