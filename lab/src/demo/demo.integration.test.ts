// The demo's parts against real servers, in a few seconds: what is judged here is that the figures are whole.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import type { Plan } from './plan.ts';
import { startServer } from './servers.ts';
import { runTrial } from './trial.ts';

const tinyPlan: Plan = {
  warmMs: 400,
  settleMs: 200,
  durations: { before: 700, 'attack-1.3': 700, 'attack-3': 700, after: 700 },
  reclaimMaxMs: 1_200,
  onsets: 1,
  onsetBeforeMs: 500,
  onsetAttackMs: 500,
};
/** A few milliseconds each: the attack is there, and hurts nobody who tests beside us. */
const hostile = { path: `/search?q=${'a'.repeat(16)}+`, characters: 17, costMs: 100 };

for (const name of ['monolith', 'shoal'] as const) {
  test(`a trial of ${name} measures every phase, second and decision from outside`, async () => {
    const folder = mkdtempSync(path.join(os.tmpdir(), 'shoal-demo-test-'));
    const server = await startServer(name, { folder });
    try {
      const trial = await runTrial(server, hostile, tinyPlan, () => undefined);
      assert.deepEqual(
        trial.phases.map((phase) => phase.name),
        ['before', 'attack-1.3', 'attack-3', 'after'],
      );
      for (const { objects, regex } of trial.phases) {
        assert.ok(objects.sent > 0, 'objects were asked for');
        assert.ok(regex.sent >= 0);
        for (const kind of [objects, regex]) {
          const others = kind.refused + kind.timedOut + kind.failed;
          assert.equal(
            Math.round(kind.successRatio * kind.sent) + others,
            kind.sent,
            'every request has one end',
          );
        }
      }
      assert.ok(trial.seconds.length >= 3);
      if (name === 'shoal') assert.ok(trial.counts.some(({ byType }) => byType.regex === 1));
    } finally {
      await server.close();
      rmSync(folder, { recursive: true, force: true });
    }
  });
}
