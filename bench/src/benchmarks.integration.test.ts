// Every benchmark runs tiny, so that it cannot rot: its figures mean nothing here, its rows must be whole.
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { benchmarks } from './benchmarks.ts';

for (const [name, load] of Object.entries(benchmarks)) {
  test(`the benchmark "${name}" runs, checks its work and writes whole rows`, async () => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'shoal-bench-'));
    const jsonFile = path.join(folder, 'rows.json');
    const run = await load();
    await run({ jsonFile, tiny: true });
    const written = JSON.parse(fs.readFileSync(jsonFile, 'utf8'));
    fs.rmSync(folder, { recursive: true });
    assert.equal(written.benchmark, name);
    assert.ok(written.rows.length > 0);
    for (const row of written.rows) {
      for (const [field, value] of Object.entries(row)) assert.notEqual(value, null, `${field} is a figure`);
    }
  });
}
