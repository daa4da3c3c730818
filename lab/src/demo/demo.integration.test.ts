// The demo's parts against real servers, in a few seconds: what is judged here is that the figures are whole.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { type AttackPhase, attackCores, type DeploymentName, deploymentNames, type Plan } from './plan.ts';
import { judge } from './requirements.ts';
import type { DeploymentFigures } from './result.ts';
import { type DemoRun, measureDeployment } from './run-demo.ts';
import { checkShape } from './testing/result-shape.ts';

const tinyPlan: Plan = {
  measuringMs: 200,
  warmMs: 400,
  settleMs: 200,
  durations: { before: 700, 'attack-1.3': 1_500, 'attack-3': 700, after: 700 },
  reclaimMaxMs: 1_200,
  onsets: 1,
  onsetBeforeMs: 500,
  onsetAttackMs: 500,
  durationMaxMs: 60_000,
};
/** A few milliseconds each, but said to burn 100: the attack is there, and hurts nobody who tests beside us. */
const hostile = { path: `/search?q=${'a'.repeat(16)}+`, characters: 17, costMs: 100 };

test('each deployment is measured in every phase and second, and the result has the shape that others read', async () => {
  const said: string[] = [];
  const shown: string[] = [];
  const folder = mkdtempSync(path.join(os.tmpdir(), 'shoal-demo-test-'));
  const run: DemoRun = {
    plan: tinyPlan,
    place: { folder },
    screen: { columns: 80, say: (text) => said.push(text), show: (line) => shown.push(line) },
    running: new Set(),
  };
  const deployments: Partial<Record<DeploymentName, DeploymentFigures>> = {};
  try {
    for (const name of deploymentNames) deployments[name] = await measureDeployment(run, name, hostile);
  } finally {
    await Promise.all([...run.running].map((server) => server.close()));
    rmSync(folder, { recursive: true, force: true });
  }
  checkShape(JSON.parse(JSON.stringify({ deployments })));
  for (const name of deploymentNames) {
    const { phases, seconds, searchCores } = deployments[name]!;
    for (const { name: phase, objects, regex } of phases) {
      assert.ok(objects.sent > 0, `objects were asked for: ${name}, ${phase}`);
      for (const kind of [objects, regex]) {
        const others = kind.refused + kind.timedOut + kind.failed;
        assert.equal(
          Math.round(kind.successRatio * kind.sent) + others,
          kind.sent,
          'every request has one end',
        );
      }
    }
    const searches = phases.reduce((sum, { regex }) => sum + regex.sent, 0);
    assert.ok(searches > 0, `searches were asked for: ${name}`);
    assert.ok(seconds.length >= 3);
    for (const [attack, asked] of Object.entries(attackCores)) {
      const cores = searchCores[attack as AttackPhase];
      assert.ok(cores.asked === asked && cores.used <= cores.available, `${name}, ${attack}`);
    }
    assert.ok(said.some((text) => text.includes(`${name}  `) && text.includes('objects served')));
    assert.ok(
      shown.some((line) => line.includes(name)),
      `progress of ${name}`,
    );
  }
  const shoal = deployments.shoal!;
  assert.ok(shoal.seconds.some(({ instances }) => instances.regex === 1));
  assert.equal(shoal.onsetsMs['attack-1.3'].length, 1);
  assert.equal(shoal.onsetsMs['attack-3'].length, 1);
  assert.equal(judge(shoal).length, 12);
});
