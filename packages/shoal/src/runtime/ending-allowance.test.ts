import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EndingAllowance, starvedMaxMs, terminateMaxMs } from './ending-allowance.ts';

const lookMs = 25;

/** When it is over for a thread that gets `share` of a core, looked at every 25 ms. */
function overAfterMs(share: number, isRunnable: boolean, isKnown = true): number {
  const figures = (nowMs: number) => (isKnown ? { cpuMs: 1_000 + share * nowMs, isRunnable } : null);
  const allowance = new EndingAllowance(0, figures(0));
  for (let nowMs = lookMs; ; nowMs += lookMs) {
    if (allowance.isOver(nowMs, figures(nowMs))) return nowMs;
  }
}

test('a thread in a native loop has its time on a core', () => {
  assert.equal(overAfterMs(1, true), terminateMaxMs);
});

test('a thread that is blocked has the same time', () => {
  assert.equal(overAfterMs(0, false), terminateMaxMs);
});

test('a thread that waits for a core has longer, by as much as it waits', () => {
  assert.equal(overAfterMs(0.5, true), 2 * terminateMaxMs);
  assert.equal(overAfterMs(0.1, true), 10 * terminateMaxMs);
});

test('a thread that gets no core at all is given up in the end', () => {
  assert.equal(overAfterMs(0, true), starvedMaxMs);
});

test('a process that was stopped has not had that time', () => {
  const allowance = new EndingAllowance(0, { cpuMs: 0 });
  assert.equal(allowance.isOver(25, { cpuMs: 0, isRunnable: false }), false);
  assert.equal(allowance.isOver(4_000, { cpuMs: 0, isRunnable: false }), false);
  assert.equal(allowance.isOver(4_025, { cpuMs: 0, isRunnable: false }), false);
});

test('where the kernel tells nothing, all time counts', () => {
  assert.equal(overAfterMs(0, true, false), terminateMaxMs);
});

test('figures that end with the thread, or go back, take nothing away', () => {
  const allowance = new EndingAllowance(0, { cpuMs: 500 });
  assert.equal(allowance.isOver(200, { cpuMs: 400, isRunnable: true }), false);
  assert.equal(allowance.isOver(300, null), false);
  assert.equal(allowance.isOver(400, null), false);
  assert.equal(allowance.isOver(450, null), true);
});
