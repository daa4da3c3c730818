import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AttackChoice, AttackOptions, AttackPlan, AttackStats } from './attack.ts';
import { startAttack } from './start.ts';
import { type Target, withTarget } from './target/start-target.ts';
import { probeProcess } from './target-probe.ts';

/** What an attack did, and the CPU seconds its target spent on it. */
interface Outcome {
  readonly stats: AttackStats;
  readonly targetCpuSeconds: number;
}

async function attackTarget(
  target: Target,
  choice: AttackChoice,
  plan: Partial<AttackPlan> = {},
): Promise<Outcome> {
  const probe = probeProcess(target.pid);
  const before = probe.cpuSeconds();
  const attack = await startAttack({
    host: target.host,
    port: target.port,
    phases: [{ shape: 'steady', rate: 10, durationMs: 1000 }],
    ...plan,
    ...choice,
  } as AttackOptions);
  const stats = await attack.done;
  return { stats, targetCpuSeconds: probe.cpuSeconds() - before };
}

function assertAllCompleted(stats: AttackStats): void {
  assert.ok(stats.sent > 0);
  assert.deepEqual(
    { completed: stats.completed, failed: stats.failed, inFlight: stats.inFlight },
    { completed: stats.sent, failed: 0, inFlight: 0 },
  );
  assert.ok(stats.bytesSent > 0 && stats.bytesReceived > 0);
}

test('redos burns the target with a short text, and the engine flag cures only the pattern without a look-around', async () => {
  const flags = ['--enable-experimental-regexp-engine-on-excessive-backtracks'];
  const cost = (pattern: 'look-around' | 'curable', nodeFlags: readonly string[]): Promise<number> =>
    withTarget({ tls: false, pattern, nodeFlags }, async (target) => {
      const choice = { attack: 'redos', settings: { length: 24 } } as const;
      const { stats, targetCpuSeconds } = await attackTarget(target, choice, { tls: false });
      assertAllCompleted(stats);
      return targetCpuSeconds;
    });
  const lookAround = await cost('look-around', flags);
  const curable = await cost('curable', []);
  const cured = await cost('curable', flags);
  assert.ok(lookAround > 4 * cured, `look-around ${lookAround} s, cured ${cured} s`);
  assert.ok(curable > 4 * cured, `curable ${curable} s, cured ${cured} s`);
});

for (const variant of ['complete', 'hello-only'] as const)
  for (const maxVersion of ['TLSv1.3', 'TLSv1.2'] as const)
    test(`tls-handshake (${variant}, ${maxVersion}) makes the target sign for every connection`, () =>
      withTarget({ tls: true }, async (target) => {
        const choice = { attack: 'tls-handshake', settings: { variant, maxVersion } } as const;
        const phases = [{ shape: 'steady', rate: 200, durationMs: 1000 }] as const;
        const { stats, targetCpuSeconds } = await attackTarget(target, choice, { phases });
        assertAllCompleted(stats);
        // The certificate alone is longer than this; a refused or resumed handshake would not send it.
        assert.ok(stats.bytesReceived > 800 * stats.sent);
        assert.ok(targetCpuSeconds > 0);
      }));

test('tls-renegotiation goes through when the limit is lifted, and is broken off by the default limit', async () => {
  const choice = { attack: 'tls-renegotiation', settings: { renegotiations: 50 } } as const;
  const phases = [{ shape: 'steady', rate: 4, durationMs: 1000 }] as const;
  const lifted = await withTarget({ tls: true, liftRenegotiationLimit: true }, (target) =>
    attackTarget(target, choice, { phases }),
  );
  assertAllCompleted(lifted.stats);
  // Each renegotiation sends the certificate again.
  assert.ok(lifted.stats.bytesReceived > 50 * 800 * lifted.stats.sent);
  // Node's limit leaves the connection hanging: the attack gives it up after its timeout.
  const limited = await withTarget({ tls: true }, (target) =>
    attackTarget(target, choice, { phases, timeoutMs: 2000 }),
  );
  assert.equal(limited.stats.completed, 0);
  assert.equal(limited.stats.failed, limited.stats.sent);
});

test('hash-collision costs a table with the hash it is aimed at far more than keys that do not collide', () =>
  withTarget({ tls: false }, async (target) => {
    const plan = { tls: false, phases: [{ shape: 'steady', rate: 10, durationMs: 1000 }] } as const;
    const settings = { keys: 3000 };
    const aimed = await attackTarget(target, { attack: 'hash-collision', settings }, plan);
    const astray = await attackTarget(
      target,
      { attack: 'hash-collision', settings: { ...settings, hash: 'djb2' } },
      plan,
    );
    assertAllCompleted(aimed.stats);
    assertAllCompleted(astray.stats);
    assert.ok(
      aimed.targetCpuSeconds > 4 * astray.targetCpuSeconds,
      `aimed ${aimed.targetCpuSeconds} s, astray ${astray.targetCpuSeconds} s`,
    );
  }));

for (const encoding of ['gzip', 'deflate', 'br'] as const)
  test(`decompression-bomb (${encoding}) has the target unpack hundreds of times what it sends`, () =>
    withTarget({ tls: false }, async (target) => {
      const phases = [{ shape: 'steady', rate: 5, durationMs: 1000 }] as const;
      const choice = { attack: 'decompression-bomb', settings: { encoding, inflatedMiB: 8 } } as const;
      const { stats } = await attackTarget(target, choice, { tls: false, phases });
      assertAllCompleted(stats);
      assert.ok(stats.bytesSent * 500 < stats.sent * 8 * 1024 * 1024);
    }));

test('a bomb that the target refuses counts as failed', () =>
  withTarget({ tls: false }, async (target) => {
    const choice = { attack: 'decompression-bomb', settings: { path: '/nowhere' } } as const;
    const { stats } = await attackTarget(target, choice, { tls: false });
    assert.equal(stats.failed, stats.sent);
  }));

for (const slow of ['headers', 'body', 'read'] as const)
  test(`slowloris (${slow}) holds a descriptor of the target for each connection until the attack ends`, () =>
    withTarget({ tls: false }, async (target) => {
      const probe = probeProcess(target.pid);
      const before = probe.descriptors();
      const attack = await startAttack({
        attack: 'slowloris',
        settings: { slow, path: '/large', intervalSeconds: 2 },
        host: target.host,
        port: target.port,
        tls: false,
        phases: [
          { shape: 'steady', rate: 40, durationMs: 1000 },
          { shape: 'steady', rate: 0, durationMs: 3000 },
        ],
      });
      let held = 0;
      attack.onReport(() => {
        held = Math.max(held, probe.descriptors() - before);
      });
      const stats = await attack.done;
      assert.ok(held >= 35, `the target held ${held} of 40`);
      assert.ok(stats.sent >= 35 && stats.sent <= 45, `${stats.sent} connections seen`);
      assert.equal(stats.completed + stats.failed, stats.sent);
      assert.ok(stats.completed >= 35);
      assert.ok(stats.bytesSent > 0 && stats.cpuSeconds > 0);
    }));

test('mixed gives each member its turn, one after the other', () =>
  withTarget({ tls: false }, async (target) => {
    const attack = await startAttack({
      attack: 'mixed',
      settings: {
        periodMs: 1100,
        members: [
          { attack: 'redos', settings: { length: 16 } },
          { attack: 'decompression-bomb', settings: { inflatedMiB: 1 } },
          { attack: 'hash-collision', settings: { keys: 64 } },
        ],
      },
      host: target.host,
      port: target.port,
      tls: false,
      phases: [{ shape: 'steady', rate: 20, durationMs: 3300 }],
    });
    const seen = new Set<string>();
    attack.onReport((stats) => seen.add(stats.active));
    const stats = await attack.done;
    assert.deepEqual([...seen].sort(), ['decompression-bomb', 'hash-collision', 'redos']);
    // What was still due when a turn ended is not sent in the next.
    assert.ok(stats.sent > 50 && stats.sent <= 69, `${stats.sent} sent`);
  }));
