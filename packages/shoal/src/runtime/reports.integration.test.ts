import assert from 'node:assert/strict';
import { test } from 'node:test';
import { restPeriods } from '../wire/index.ts';
import { id, startApp } from './test-apps/start.ts';

// In one of 50 ms the agent beats once, in one of 100 ms twice.
for (const samplePeriodMs of [50, 100])
  test(`a report comes each sample period (${samplePeriodMs} ms) while something keeps a thread, else once in restPeriods, with heartbeats between`, async (t) => {
    const app = await startApp('spells', { samplePeriodMs });
    t.after(() => app.runtime.close());
    let seen = '';
    app.runtime.bus.onReport(() => {
      seen += 'r';
    });
    app.runtime.bus.onHeartbeat((heartbeat) => {
      seen += 'h';
      const { machine, process, incarnation } = app.last();
      assert.deepEqual(heartbeat, { machine, process, incarnation });
    });
    const rest = `r${'h'.repeat(restPeriods - 1)}r`;
    await app.until('rest', () => seen.includes(rest));
    await app.until('pressed', () => seen.includes('rrrr'));
    seen = '';
    await app.until('rest again', () => seen.includes(rest));
    assert.ok(!seen.includes('h'.repeat(restPeriods)), seen);
    // News does not wait either: an answer is in the next report but one at the latest.
    await app.until('rest before the command', () => seen.endsWith('rh'));
    seen = '';
    await app.command({ kind: 'remove-instance', instanceId: id(99) });
    await app.until('news', () => seen.includes('r'));
    assert.ok(seen.indexOf('r') <= 1, seen);
  });
