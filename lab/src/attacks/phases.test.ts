import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  arrivals,
  endRates,
  expectedRequests,
  type Phase,
  phaseAt,
  scaleRates,
  slicePhases,
  totalDurationMs,
} from './phases.ts';
import { seededRandom } from './random.ts';

const rate = fc.double({ min: 0, max: 200, noNaN: true });
const durationMs = fc.integer({ min: 1, max: 5000 });
const phase: fc.Arbitrary<Phase> = fc.oneof(
  fc.record({ shape: fc.constant('steady' as const), rate, durationMs }),
  fc.record({ shape: fc.constant('ramp' as const), fromRate: rate, toRate: rate, durationMs }),
);
const plan = fc.array(phase, { minLength: 1, maxLength: 5 });

/** Area under the rate line up to `untilMs`, by a sum over thin slices: an independent way to the same number. */
function areaBySlices(phases: readonly Phase[], untilMs: number): number {
  let area = 0;
  let startMs = 0;
  for (const current of phases) {
    const [from, to] = endRates(current);
    const spanMs = Math.max(0, Math.min(current.durationMs, untilMs - startMs));
    const slices = 200;
    for (let slice = 0; slice < slices; slice += 1) {
      const atMs = ((slice + 0.5) / slices) * spanMs;
      area += (from + ((to - from) * atMs) / current.durationMs) * (spanMs / slices / 1000);
    }
    startMs += current.durationMs;
  }
  return area;
}

test('the number of requests sent by any time is within one of the area under the rate line', () => {
  fc.assert(
    fc.property(plan, fc.integer(), fc.double({ min: 0, max: 1, noNaN: true }), (phases, seed, part) => {
      const untilMs = part * totalDurationMs(phases);
      const sent = [...arrivals(phases, seededRandom(seed))].filter((atMs) => atMs < untilMs).length;
      assert.ok(Math.abs(sent - areaBySlices(phases, untilMs)) <= 1 + 1e-6);
    }),
    { numRuns: 200 },
  );
});

test('requests are in order and within the plan', () => {
  fc.assert(
    fc.property(plan, fc.integer(), (phases, seed) => {
      let last = 0;
      for (const atMs of arrivals(phases, seededRandom(seed))) {
        assert.ok(atMs >= last - 1e-6 && atMs <= totalDurationMs(phases) + 1e-6);
        last = atMs;
      }
    }),
  );
});

test('the same seed gives the same times, another seed gives others', () => {
  const phases: Phase[] = [{ shape: 'ramp', fromRate: 1, toRate: 50, durationMs: 2000 }];
  const times = (seed: number): number[] => [...arrivals(phases, seededRandom(seed))];
  assert.deepEqual(times(7), times(7));
  assert.notDeepEqual(times(7), times(8));
});

test('a pause sends nothing, and what comes after it is sent at its own time', () => {
  const phases: Phase[] = [
    { shape: 'steady', rate: 0, durationMs: 1000 },
    { shape: 'steady', rate: 10, durationMs: 1000 },
  ];
  const times = [...arrivals(phases, seededRandom(1))];
  assert.equal(times.length, 10);
  assert.ok(times.every((atMs) => atMs >= 1000));
});

test('scaling the rates scales the expected number of requests', () => {
  fc.assert(
    fc.property(plan, fc.double({ min: 0.1, max: 100, noNaN: true }), (phases, factor) => {
      const scaled = expectedRequests(scaleRates(phases, factor));
      const expected = expectedRequests(phases) * factor;
      assert.ok(Math.abs(scaled - expected) <= 1e-9 * (1 + expected));
    }),
  );
});

test('the phase of a moment is the one whose span holds it; after the end it is the last', () => {
  const phases: Phase[] = [
    { shape: 'steady', rate: 1, durationMs: 100 },
    { shape: 'steady', rate: 2, durationMs: 100 },
  ];
  assert.deepEqual(
    [0, 99, 100, 199, 200, 9999].map((atMs) => phaseAt(phases, atMs)),
    [0, 0, 1, 1, 1, 1],
  );
});

test('cutting a plan in two and adding the parts gives the whole again', () => {
  fc.assert(
    fc.property(plan, fc.double({ min: 0, max: 1, noNaN: true }), (phases, part) => {
      const endMs = totalDurationMs(phases);
      const cutMs = part * endMs;
      const parts = [...slicePhases(phases, 0, cutMs), ...slicePhases(phases, cutMs, endMs)];
      assert.ok(Math.abs(totalDurationMs(parts) - endMs) < 1e-6 * (1 + endMs));
      const expected = expectedRequests(phases);
      assert.ok(Math.abs(expectedRequests(parts) - expected) < 1e-6 * (1 + expected));
    }),
  );
});
