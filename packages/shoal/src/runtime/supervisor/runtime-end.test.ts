import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { asRuntimeMessage, asSupervisorMessage } from './messages.ts';
import { createRestartBudget } from './restart-budget.ts';
import { classifyEnd, type Observed, type RuntimeEnd } from './runtime-end.ts';

const plain: Observed = {
  code: null,
  signal: null,
  stderrTail: '',
  report: null,
  killedFor: null,
  silentMs: 0,
  startError: '',
};

test('a full heap is told from another abort by what V8 says, under a shell too', () => {
  const words = [
    'FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory',
    'FATAL ERROR: invalid table size Allocation failed - JavaScript heap out of memory',
  ];
  for (const stderrTail of words) {
    assert.equal(classifyEnd({ ...plain, signal: 'SIGABRT', stderrTail }).kind, 'heap-overflow');
    assert.equal(classifyEnd({ ...plain, code: 134, stderrTail }).kind, 'heap-overflow');
    // The same words of a thread that was ended in good order do not make an abort of an exit.
    assert.equal(classifyEnd({ ...plain, code: 1, stderrTail }).kind, 'failed');
  }
  assert.equal(classifyEnd({ ...plain, signal: 'SIGABRT', stderrTail: 'assertion failed' }).kind, 'aborted');
});

test('what the supervisor did itself is not taken for somebody else', () => {
  const seen = { ...plain, signal: 'SIGKILL' as const };
  assert.equal(classifyEnd(seen).kind, 'killed');
  assert.equal(classifyEnd({ ...seen, killedFor: 'hung', silentMs: 3_000 }).kind, 'hung');
  assert.equal(classifyEnd({ ...seen, killedFor: 'gave-up' }).kind, 'gave-up');
  assert.equal(classifyEnd(seen).code, 137);
});

test('only an exit code of 0 is a finish', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 255 }), (code) => {
      assert.equal(classifyEnd({ ...plain, code }).kind === 'finished', code === 0);
    }),
  );
});

const ended = (kind: RuntimeEnd['kind']): RuntimeEnd => ({
  kind,
  code: 1,
  signal: '',
  report: null,
  sentence: '',
});

test('in no period are there more restarts than the intensity, and none is refused below it', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 5 }),
      fc.integer({ min: 1, max: 1_000 }),
      fc.array(fc.nat(400), { maxLength: 60 }),
      (intensity, periodMs, gaps) => {
        const budget = createRestartBudget({ kind: 'transient', intensity, periodMs });
        const restartsAtMs: number[] = [];
        let nowMs = 0;
        for (const gap of gaps) {
          nowMs += gap;
          const recent = restartsAtMs.filter((atMs) => nowMs - atMs < periodMs).length;
          const verdict = budget.judge(ended('failed'), nowMs);
          assert.equal(verdict, recent < intensity ? 'restart' : 'too-many');
          if (verdict === 'restart') restartsAtMs.push(nowMs);
        }
      },
    ),
  );
});

test('permanent restarts what finished, transient does not, temporary restarts nothing', () => {
  const judge = (kind: 'permanent' | 'transient' | 'temporary', end: RuntimeEnd['kind']): string =>
    createRestartBudget({ kind, intensity: 1, periodMs: 1 }).judge(ended(end), 0);
  assert.equal(judge('permanent', 'finished'), 'restart');
  assert.equal(judge('transient', 'finished'), 'leave');
  assert.equal(judge('transient', 'heap-overflow'), 'restart');
  assert.equal(judge('temporary', 'heap-overflow'), 'leave');
});

test('anything else that comes over the channel is not a message', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const kind = (value as { kind?: unknown } | null)?.kind;
      fc.pre(kind !== 'heartbeat' && kind !== 'drain' && kind !== 'stop-now');
      assert.equal(asRuntimeMessage(value), null);
      assert.equal(asSupervisorMessage(value), null);
    }),
  );
  assert.equal(asRuntimeMessage({ kind: 'last-report' }), null);
  assert.equal(asRuntimeMessage({ kind: 'kill-me', report: { what: 5 } }), null);
  const report = { what: 'w', msu: '', instanceId: 0, messageId: 0 };
  assert.deepEqual(asRuntimeMessage({ kind: 'last-report', report }), { kind: 'last-report', report });
});
