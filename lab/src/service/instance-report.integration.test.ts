import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { readInstanceReports } from './instance-report.ts';

const module = new URL(
  import.meta.url.endsWith('.ts') ? './instance-report.ts' : './instance-report.js',
  import.meta.url,
);

/** Reports, then takes every descriptor there is, and lives on for a while. */
const script = `
  const { openSync } = await import('node:fs');
  const { startInstanceReports } = await import(process.argv[1]);
  startInstanceReports(process.argv[2], 'web1');
  try { for (;;) openSync('/dev/null'); } catch { process.stdout.write('none left'); }
  setTimeout(() => process.exit(7), 1_000);
`;

test('a server that has no descriptor left goes on, and is still counted while its process lives', async () => {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'report-test-'));
  const node = [
    process.execPath,
    ...process.execArgv,
    '--input-type=module',
    '-e',
    script,
    module.href,
    folder,
  ];
  const child = spawn('prlimit', ['--nofile=64:64', ...node], { stdio: ['ignore', 'pipe', 'inherit'] });
  try {
    await once(child.stdout, 'data');
    const reports = readInstanceReports(folder);
    assert.equal(reports.length, 1);
    assert.ok(reports[0]!.descriptorShare > 0 && reports[0]!.descriptorShare <= 1);
    assert.deepEqual(await once(child, 'exit'), [7, null]);
    assert.deepEqual(readInstanceReports(folder), []);
    assert.equal(readdirSync(folder).length, 1);
  } finally {
    child.kill();
    rmSync(folder, { recursive: true });
  }
});
