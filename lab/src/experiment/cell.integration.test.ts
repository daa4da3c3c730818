import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { standalone } from '../rivals/standalone.ts';
import { startTestbed } from '../testbed/testbed.ts';
import { testOnHost } from '../testbed/testing/on-host.ts';
import { runCell } from './cell.ts';
import { installDebian } from './debian.ts';
import { openLaboratory } from './laboratory.ts';
import type { ExperimentSettings } from './results.ts';
import { results } from './testing/example-cells.ts';

const machines = [
  { name: 'lb', role: 'load-balancer', cores: 0.2, memoryMiB: 128, sysctls: {} },
  { name: 'web1', role: 'web', cores: 0.4, memoryMiB: 384, sysctls: {} },
  { name: 'db1', role: 'database', cores: 0.4, memoryMiB: 384, sysctls: {} },
  { name: 'client', role: 'client', cores: 0.6, memoryMiB: 256, sysctls: {} },
  { name: 'attacker', role: 'attacker', cores: 0.3, memoryMiB: 256, sysctls: {} },
] as const;

testOnHost('a cell measures honest requests before, during and after an attack', async () => {
  installDebian(['haproxy', 'redis-server']);
  const logFolder = mkdtempSync(path.join(os.tmpdir(), 'cell-test-'));
  const testbed = await startTestbed({ spec: { machines }, logFolder });
  const settings: ExperimentSettings = {
    ...results([]).settings,
    timing: { warmMs: 1_000, beforeMs: 1_000, attackMs: 3_000, afterMs: 1_000 },
    honestRatesPerSecond: [30],
    newConnectionRatio: 0.1,
    timeoutMs: 15_000,
  };
  const plan = {
    attack: 'redos',
    run: 1,
    settings,
    cpuSecondsPerRequest: { redos: 0.1 },
    // From source, every file is stripped of its types first.
    bootMs: import.meta.url.endsWith('.ts') ? 4_000 : 1_000,
  } as const;
  try {
    const laboratory = await openLaboratory(testbed, { rsaBits: 2_048, openFiles: 160 });
    const plain = await runCell(laboratory, { ...plan, deployment: standalone });
    assert.deepEqual(
      plain.rows.map(({ phase }) => phase),
      ['before', 'attack', 'after'],
    );
    const [before, attack] = plain.rows;
    assert.equal(before!.successRatio, 1);
    assert.ok(attack!.cpuSeconds > before!.cpuSeconds, 'the attack costs the service CPU');
    assert.equal(plain.seconds.length, 6);
    assert.ok(plain.seconds.every(({ instances }) => instances === 1));
    assert.ok(plain.attackStats.sent > 0);

    await laboratory.close();
  } finally {
    await testbed.close();
    rmSync(logFolder, { recursive: true });
  }
});
