import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { defaultWebLimits, SweepClock } from './limits.ts';

test('the clock of the sweeps keeps time while they come, and stands still with its thread', () => {
  const { sweepMs } = defaultWebLimits;
  const clock = new SweepClock(5_000, defaultWebLimits);
  const started = clock.nowMs;
  clock.advance(5_000 + sweepMs);
  clock.advance(5_000 + 3 * sweepMs);
  assert.equal(clock.nowMs - started, 3 * sweepMs);

  // A minute without a sweep: nobody's handshake has timed out by it.
  clock.advance(65_000);
  assert.ok(clock.nowMs - started < defaultWebLimits.handshakeTimeoutMs);
});

test('the clock of the sweeps never runs faster than the machine, and never backwards', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(10_000)), (gaps) => {
      const clock = new SweepClock(0, defaultWebLimits);
      let machineMs = 0;
      for (const gapMs of gaps) {
        const before = clock.nowMs;
        machineMs += gapMs;
        clock.advance(machineMs);
        assert.ok(clock.nowMs >= before && clock.nowMs - before <= gapMs);
      }
    }),
  );
});
