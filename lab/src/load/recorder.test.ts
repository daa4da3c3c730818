import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  createRecorder,
  LatencyHistogram,
  outcomeOfStatus,
  type RequestEnd,
  summarizeList,
} from './recorder.ts';
import { outcomes } from './result.ts';

const end = fc.record({
  kindIndex: fc.nat({ max: 1 }),
  intendedMs: fc.double({ min: 0, max: 5_999, noNaN: true }),
  latencyMs: fc.double({ min: 0, max: 2_000, noNaN: true }),
  outcome: fc.constantFrom(...outcomes),
});

test('whatever the order of ends, every request is counted once, in the second and phase of its intended time', () => {
  fc.assert(
    fc.property(fc.array(end, { maxLength: 200 }), fc.infiniteStream(fc.nat()), (requests, choices) => {
      const phases = [
        { name: 'before', startMs: 0, endMs: 2_000 },
        { name: 'attack', startMs: 2_000, endMs: 6_000 },
      ];
      const recorder = createRecorder(['a', 'b'], phases);
      for (const { kindIndex, intendedMs } of requests) recorder.due(kindIndex, intendedMs, 0);
      const left = [...requests];
      while (left.length > 0) {
        const [request] = left.splice(choices.next().value! % left.length, 1);
        recorder.end(request!.kindIndex, request!.intendedMs, request!);
      }
      const taken = recorder.takeSeconds(6_000);
      assert.deepEqual(
        taken.map(({ second }) => second),
        [0, 1, 2, 3, 4, 5],
      );
      const summary = recorder.summary();
      for (const { second, total, kinds } of taken) {
        const expected = requests.filter(({ intendedMs }) => Math.floor(intendedMs / 1000) === second);
        assert.equal(total.sent, expected.length);
        for (const outcome of outcomes) {
          assert.equal(total[outcome], expected.filter((request) => request.outcome === outcome).length);
          assert.equal(total[outcome], kinds.a![outcome] + kinds.b![outcome]);
        }
      }
      for (const phase of summary.phases) {
        const inside = requests.filter(
          ({ intendedMs }) => intendedMs >= phase.startMs && intendedMs < phase.endMs,
        );
        assert.equal(phase.sent, inside.length);
        assert.equal(
          phase.sent,
          outcomes.reduce((sum, outcome) => sum + phase[outcome], 0),
        );
      }
    }),
  );
});

test('a second with a request still in flight is held back, and so are the ones after it', () => {
  const recorder = createRecorder(['a'], []);
  const fine: RequestEnd = { outcome: 'ok', latencyMs: 1, status: 200 };
  recorder.due(0, 500, 0);
  recorder.due(0, 1_500, 0);
  recorder.end(0, 1_500, fine);
  assert.deepEqual(recorder.takeSeconds(3_000), []);
  recorder.end(0, 500, fine);
  assert.deepEqual(
    recorder.takeSeconds(3_000).map(({ second, total }) => [second, total.ok]),
    [
      [0, 1],
      [1, 1],
      [2, 0],
    ],
  );
});

test('a second below 99 % is counted, a second of exactly 99 % and an empty one are not', () => {
  const recorder = createRecorder(['a'], [{ name: 'all', startMs: 0, endMs: 3_000 }]);
  for (let i = 0; i < 100; i += 1) {
    recorder.due(0, 10, 0);
    recorder.end(0, 10, { outcome: i < 1 ? 'timedOut' : 'ok', latencyMs: 1 });
    recorder.due(0, 1_010, 0);
    recorder.end(0, 1_010, { outcome: i < 2 ? 'refused' : 'ok', latencyMs: 1 });
  }
  recorder.takeSeconds(3_000);
  const [phase] = recorder.summary().phases;
  assert.equal(phase?.secondsBelow99, 1);
  assert.equal(phase?.successRatio, 197 / 200);
});

test('the HDR histogram agrees with the exact list within its three digits', () => {
  fc.assert(
    fc.property(
      fc.array(fc.double({ min: 0.01, max: 60_000, noNaN: true }), { minLength: 1 }),
      (latencies) => {
        const histogram = new LatencyHistogram();
        for (const latency of latencies) histogram.add(latency);
        const exact = summarizeList([...latencies]);
        const summary = histogram.summary();
        for (const name of ['p50Ms', 'p90Ms', 'p99Ms', 'maxMs'] as const) {
          assert.ok(
            Math.abs(summary[name] - exact[name]) <= 0.002 * exact[name] + 0.002,
            `${name}: ${summary[name]} is not near ${exact[name]}`,
          );
        }
      },
    ),
  );
});

test('refusals are told from failures', () => {
  assert.equal(outcomeOfStatus(200), 'ok');
  assert.equal(outcomeOfStatus(304), 'ok');
  assert.equal(outcomeOfStatus(503), 'refused');
  assert.equal(outcomeOfStatus(429), 'refused');
  assert.equal(outcomeOfStatus(500), 'failed');
  assert.equal(outcomeOfStatus(404), 'failed');
});
