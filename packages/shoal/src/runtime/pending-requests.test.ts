import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Envelope } from '../wire/index.ts';
import { type PendingRequest, PendingRequests } from './pending-requests.ts';

/** Told from others by the id of its cause. */
function request(id: number): PendingRequest {
  const cause = new Envelope();
  cause.id = id;
  return { cause, route: { replyCodec: null, bytesFloat: 0 }, onReply: () => {} };
}
const idOf = (found: PendingRequest | null): number | null => found?.cause?.id ?? null;

type Step =
  | { kind: 'ask'; expiresAtMs: number }
  | { kind: 'reply'; which: number }
  | { kind: 'expire'; nowMs: number }
  | { kind: 'withdraw' };

const steps = fc.array(
  fc.oneof(
    fc.record({ kind: fc.constant('ask' as const), expiresAtMs: fc.nat(100) }),
    fc.record({ kind: fc.constant('reply' as const), which: fc.nat(40) }),
    fc.record({ kind: fc.constant('expire' as const), nowMs: fc.nat(100) }),
    fc.record({ kind: fc.constant('withdraw' as const) }),
  ),
  { maxLength: 100 },
);

test('every request is answered once at most, by its own reply, however slots are used again', () => {
  fc.assert(
    fc.property(steps, fc.constantFrom(1, 2, 8), (script: Step[], max) => {
      const pending = new PendingRequests(max);
      const asked: { correlation: number; messageId: number; expiresAtMs: number; isOpen: boolean }[] = [];
      const open = (): typeof asked => asked.filter(({ isOpen }) => isOpen);
      for (const step of script) {
        if (step.kind === 'ask') {
          const messageId = asked.length + 1;
          const correlation = pending.add(request(messageId), step.expiresAtMs);
          assert.equal(correlation === 0, open().length === max);
          if (correlation === 0) continue;
          pending.identify(correlation, messageId);
          asked.push({ correlation, messageId, expiresAtMs: step.expiresAtMs, isOpen: true });
        } else if (step.kind === 'reply') {
          // Also late ones, and ones to requests that were answered before.
          const target = asked[step.which];
          if (target === undefined) continue;
          const found = pending.remove(target.correlation, target.messageId);
          assert.equal(idOf(found), target.isOpen ? target.messageId : null);
          target.isOpen = false;
        } else if (step.kind === 'expire') {
          const expired = pending.expire(step.nowMs).map((found) => idOf(found) ?? Number.NaN);
          const due = open().filter(({ expiresAtMs }) => expiresAtMs <= step.nowMs);
          assert.deepEqual(
            expired.sort((a, b) => a - b),
            due.map(({ messageId }) => messageId),
          );
          for (const one of due) one.isOpen = false;
        } else {
          const correlation = pending.add(request(0), Number.POSITIVE_INFINITY);
          if (correlation !== 0) pending.withdraw(correlation);
        }
        assert.equal(pending.size, open().length);
      }
    }),
  );
});

test('a reply to a predecessor of the instance is known by nobody', () => {
  const before = new PendingRequests(4);
  const old = before.add(request(1), Number.POSITIVE_INFINITY);
  before.identify(old, 1_000);
  const now = new PendingRequests(4);
  const correlation = now.add(request(2), Number.POSITIVE_INFINITY);
  now.identify(correlation, 2 ** 36 + 1_000);
  assert.equal(correlation, old);
  assert.equal(now.remove(old, 1_000), null);
  assert.equal(idOf(now.remove(correlation, 2 ** 36 + 1_000)), 2);
});

test('correlations that never were are known by nobody', () => {
  const pending = new PendingRequests(4);
  for (const correlation of [0, -1, 5, 2 ** 30]) assert.equal(pending.remove(correlation, 0), null);
  assert.equal(pending.size, 0);
});
