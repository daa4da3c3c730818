import assert from 'node:assert/strict';
import { test } from 'node:test';
import { attackNames, attacks } from '../attacks/catalogue.ts';
import { totalDurationMs } from '../attacks/phases.ts';
import { resolveAttack } from '../attacks/resolve.ts';
import { createProgress, formatDuration } from './progress.ts';
import {
  attackPlan,
  calibratedAttacks,
  fullTiming,
  honestRates,
  honestSteps,
  quickTiming,
  totalMs,
} from './settings.ts';
import { results } from './testing/example-cells.ts';

const costs = Object.fromEntries(calibratedAttacks.map((name) => [name, 0.05]));

test('every attack has a plan that can be started, as long as the attack phase', () => {
  for (const timing of [quickTiming, fullTiming]) {
    const settings = { ...results([]).settings, timing };
    for (const attack of attackNames) {
      const plan = attackPlan(attack, settings, costs);
      resolveAttack({ ...plan, host: '127.0.0.1', port: 443 });
      assert.equal(totalDurationMs(plan.phases), timing.attackMs);
      assert.ok(attacks[attack] !== undefined);
    }
  }
});

test('an attack that was not calibrated has no plan', () => {
  assert.throws(() => attackPlan('redos', results([]).settings, {}), /redos/);
});

test('the honest day climbs and falls, after a slower start', () => {
  const settings = { ...results([]).settings, timing: fullTiming, honestRatesPerSecond: honestRates(false) };
  const steps = honestSteps(settings);
  assert.equal(steps[0]!.atMs, 0);
  const rates = steps.map(({ ratePerSecond }) => ratePerSecond);
  assert.deepEqual(rates, [75, 150, 200, 250, 300, 250, 200, 150]);
  assert.ok(steps.every(({ atMs }, i) => atMs < totalMs(fullTiming) && atMs >= (steps[i - 1]?.atMs ?? 0)));
});

test('the time left follows what the cells took so far', () => {
  const progress = createProgress(4, 10_000);
  assert.equal(progress.next('a', 0), '[1/4] a, 40 s left');
  progress.finished(20_000);
  assert.equal(progress.next('b', 20_000), '[2/4] b, 1 min 0 s left');
  assert.equal(formatDuration(4_980_000), '1 h 23 min');
});
