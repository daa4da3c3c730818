import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { LabError } from '../lab-error.ts';
import { nodeProgram, siblingModule } from '../node-program.ts';
import type { AttackOptions } from './attack.ts';
import { startAttack } from './start.ts';
import { withTarget } from './target/start-target.ts';

const long = [{ shape: 'steady', rate: 20, durationMs: 600_000 }] as const;

test('an attack ends by itself after the number of requests it was allowed', () =>
  withTarget({ tls: false }, async ({ host, port }) => {
    const settings = { length: 4 };
    const attack = await startAttack({
      attack: 'redos',
      settings,
      host,
      port,
      tls: false,
      phases: long,
      maxRequests: 15,
    });
    const stats = await attack.done;
    assert.equal(stats.sent, 15);
    assert.ok(stats.elapsedMs < 60_000);
  }));

test('an attack that is stopped reports its final counts', () =>
  withTarget({ tls: false }, async ({ host, port }) => {
    const attack = await startAttack({
      attack: 'redos',
      settings: { length: 4 },
      host,
      port,
      tls: false,
      phases: long,
    });
    await new Promise<void>((resolve) => attack.onReport(() => resolve()));
    const stats = await attack.stop();
    assert.ok(stats.sent > 0 && stats.sent < 1000);
    assert.equal(stats.sent, stats.completed + stats.failed);
  }));

test('no more requests than allowed are in flight; the others are counted as skipped', () =>
  withTarget({ tls: false }, async ({ host, port }) => {
    const attack = await startAttack({
      attack: 'redos',
      settings: { length: 25 },
      host,
      port,
      tls: false,
      phases: [{ shape: 'steady', rate: 60, durationMs: 1000 }],
      maxInFlight: 2,
    });
    const stats = await attack.done;
    assert.ok(stats.skipped > 0);
    assert.equal(stats.sent + stats.skipped, 60);
    assert.equal(stats.completed, stats.sent);
  }));

test('an attack begins at the wall-clock time it was given, from the addresses it was given', async () => {
  const arrivals: { atMs: number; from: string | undefined }[] = [];
  const server = createServer((request, response) => {
    arrivals.push({ atMs: Date.now(), from: request.socket.remoteAddress });
    response.end();
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const startAtEpochMs = Date.now() + 2500;
  const attack = await startAttack({
    attack: 'redos',
    settings: { length: 4, keepAlive: false },
    host: '127.0.0.1',
    port: (server.address() as AddressInfo).port,
    tls: false,
    phases: [{ shape: 'steady', rate: 12, durationMs: 1000 }],
    startAtEpochMs,
    localAddresses: ['127.0.0.2', '127.0.0.3', '127.0.0.4'],
  });
  const stats = await attack.done;
  server.close();
  assert.equal(stats.completed, 12);
  assert.ok(arrivals.every(({ atMs }) => atMs >= startAtEpochMs));
  for (const address of ['127.0.0.2', '127.0.0.3', '127.0.0.4'])
    assert.equal(arrivals.filter(({ from }) => from === address).length, 4);
});

test('an attack dies with the one who started it, even by SIGKILL', () =>
  withTarget({ tls: false }, async ({ host, port }) => {
    const options: AttackOptions = {
      attack: 'redos',
      settings: { length: 4 },
      host,
      port,
      tls: false,
      phases: long,
    };
    const program = nodeProgram(siblingModule('./starter-process.test-program', import.meta.url), [
      JSON.stringify(options),
    ]);
    const starter = spawn(program.command, program.args, { stdio: ['ignore', 'pipe', 'inherit'] });
    const [line] = (await once(createInterface({ input: starter.stdout }), 'line')) as [string];
    const attackPid = Number(line);
    process.kill(attackPid, 0);
    starter.kill('SIGKILL');
    await once(starter, 'close');
    // The attack notices through its standard input; a dead process cannot be signalled.
    await assert.doesNotReject(async () => {
      for (;;) {
        try {
          process.kill(attackPid, 0);
        } catch {
          return;
        }
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    });
  }));

test('a target that is neither loopback nor in a closed namespace is refused, in one sentence', async () => {
  for (const host of ['192.0.2.77', 'example.org']) {
    const attack = await startAttack({ attack: 'redos', host, port: 80, phases: long });
    await assert.rejects(attack.done, (error: Error) => {
      assert.ok(error instanceof LabError);
      assert.match(error.message, /is refused: /);
      return !error.message.includes('\n');
    });
  }
});

test('wrong options are all named at once, each with its place', async () => {
  const wrong = {
    attack: 'redos',
    host: '127.0.0.1',
    port: 70_000,
    phases: [{ shape: 'ramp', fromRate: -1, toRate: 5, durationMs: 1000 }],
    settings: { path: 'match', length: 99 },
  } as const;
  await assert.rejects(startAttack(wrong), (error: Error) => {
    assert.ok(error instanceof LabError);
    for (const place of ['port', 'phases.0.fromRate', 'settings.path', 'settings.length'])
      assert.ok(error.message.includes(`\n  ${place}: `), `${place} in ${error.message}`);
    return true;
  });
});

test('an attack faster than allowed is refused, also as a member of a mixed one', async () => {
  const phases = [{ shape: 'steady', rate: 3, durationMs: 1000 }] as const;
  const strength = { cpuSecondsPerRequest: 0.0001 };
  const plan = { host: '127.0.0.1', port: 80, phases } as const;
  const tooFast = /phases: 30000 requests per second are more than the 20000 allowed/;
  await assert.rejects(startAttack({ attack: 'redos', ...plan, strength }), tooFast);
  const members = [{ attack: 'redos', strength }] as const;
  await assert.rejects(startAttack({ attack: 'mixed', ...plan, settings: { members } }), tooFast);
  await assert.rejects(startAttack({ attack: 'mixed', ...plan, strength }), /give it to each of the members/);
});
