// Every benchmark runs tiny, so that it cannot rot: its figures mean nothing here, its rows must be whole.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import * as fs from 'node:fs';
import * as os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
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

/** Command lines of the processes that have a variable in their environment. */
function commandsWith(variable: string): string[] {
  return fs.readdirSync('/proc').flatMap((pid) => {
    try {
      const isOne = /^\d+$/.test(pid) && fs.readFileSync(`/proc/${pid}/environ`, 'utf8').includes(variable);
      return isOne ? [fs.readFileSync(`/proc/${pid}/cmdline`, 'utf8')] : [];
    } catch {
      // It has ended, or is another user's.
      return [];
    }
  });
}

async function until(what: string, isSo: () => boolean, maxMs = 30_000): Promise<void> {
  const endsAt = performance.now() + maxMs;
  while (!isSo()) {
    assert.ok(performance.now() < endsAt, `${what} within ${maxMs} ms`);
    await delay(50);
  }
}

test('a benchmark that is told to stop leaves none of its servers and loads behind', async () => {
  const mark = `SHOAL_TEST_MARK=${process.pid}-${Date.now()}`;
  const [name, value] = mark.split('=') as [string, string];
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  const main = fileURLToPath(new URL(`./main.${extension}`, import.meta.url));
  const flags = process.execArgv.filter((flag) => !flag.startsWith('--test'));
  const bench = spawn(process.execPath, [...flags, main, 'overhead'], {
    stdio: 'ignore',
    env: { ...process.env, [name]: value },
  });
  // The first server has its load.
  await until('a load runs', () => commandsWith(mark).some((command) => command.startsWith('wrk')));
  bench.kill('SIGTERM');
  const [code] = await once(bench, 'exit');
  assert.equal(code, 143);
  await until('all of them have ended', () => commandsWith(mark).length === 0);
});
