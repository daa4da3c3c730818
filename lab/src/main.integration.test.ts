import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { withTarget } from './attacks/target/start-target.ts';
import { nodeProgram, siblingModule } from './node-program.ts';
import { hostObstacle } from './testbed/host.ts';
import type { TestbedStatus } from './testbed/status.ts';
import { testOnHost } from './testbed/testing/on-host.ts';

const main = siblingModule('./main', import.meta.url);

interface Result {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `lab` to its end. */
async function lab(...args: readonly string[]): Promise<Result> {
  const program = nodeProgram(main, args);
  const child = spawn(program.command, program.args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk.toString();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, stdout, stderr };
}

testOnHost('up, status, run and down do what they say', async () => {
  const program = nodeProgram(main, ['up', '--machines', '2', '--json']);
  const up = spawn(program.command, program.args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const upEnds = once(up, 'exit');
  const [line] = (await once(createInterface({ input: up.stdout }), 'line')) as [string];
  const { state } = JSON.parse(line) as TestbedStatus;
  assert.deepEqual(
    state.machines.map(({ name }) => name),
    ['web1', 'client'],
  );

  const [status, run, missing] = await Promise.all([
    lab('status'),
    lab('run', '--testbed', state.id, 'web1', '--', 'sh', '-c', 'ip -br address show eth0; exit 7'),
    lab('run', '--testbed', state.id, 'web2', '--', 'true'),
  ]);
  assert.match(
    status.stdout,
    new RegExp(`Testbed ${state.id}: up since .*\\nmachine +role +address .*\\nweb1 +web +10\\.77\\.0\\.1 `),
  );
  assert.match(run.stdout, /eth0\S*\s+UP\s+10\.77\.0\.1\/24/);
  assert.equal(run.code, 7);
  assert.equal(missing.stderr, 'There is no machine "web2": there are web1, client.\n');

  const down = await lab('down', state.id);
  assert.equal(down.stdout.includes(`Testbed ${state.id} is down.\n`), true);
  assert.deepEqual(await upEnds, [0, null]);
  const after = JSON.parse((await lab('status', '--json')).stdout) as TestbedStatus[];
  assert.ok(after.every((one) => one.state.id !== state.id));
});

test('without root, or where a testbed cannot be, every testbed command says why in one sentence', async () => {
  const obstacle = hostObstacle();
  for (const command of [['up'], ['status'], ['down'], ['run', 'web1', 'true']]) {
    const { command: node, args } = nodeProgram(main, command);
    // Root gives root up first; anyone else is refused as he is.
    const result =
      obstacle === null
        ? spawnSync('setpriv', ['--reuid=65534', '--clear-groups', node, ...args], { encoding: 'utf8' })
        : spawnSync(node, [...args], { encoding: 'utf8' });
    assert.match(result.stderr, /^The testbed needs [^\n]+\.\n$/);
    assert.equal(result.status, 1);
    assert.equal(result.stdout, '');
  }
});

test('a wrong spec file is answered with all its faults and where they are', async () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'shoal-spec-'));
  const file = path.join(folder, 'lab.yaml');
  writeFileSync(file, 'machines:\n  - { name: web, role: wheb, cores: 9, memoryMiB: 1 }\n');
  const { stderr, code } = await lab('up', '--spec', file);
  rmSync(folder, { recursive: true });
  assert.equal(code, 1);
  if (hostObstacle() !== null) {
    assert.match(stderr, /^The testbed needs [^\n]+\.\n$/);
    return;
  }
  assert.deepEqual(
    stderr
      .trim()
      .split('\n')
      .map((fault) => fault.split(': ')[0]),
    [`${file}:2:24`, `${file}:2:51`],
  );
});

test('attacks are listed with what each needs of its target', async () => {
  const { stdout } = await lab('attacks');
  for (const name of [
    'tls-renegotiation',
    'tls-handshake',
    'redos',
    'slowloris',
    'hash-collision',
    'decompression-bomb',
  ])
    assert.match(stdout, new RegExp(`^${name} \\(exhausts \\w+\\)\\n {2}[^\\n]+\\n {2}needs: `, 'm'));
});

test('an attack goes through its phases and reports as JSON', () =>
  withTarget({ tls: false }, async ({ host, port }) => {
    const target = ['--target', `${host}:${port}`, '--plain', '--json', '--settings', '{"length":4}'];
    const { stdout, code } = await lab('attack', 'redos', ...target, '--phase', '10:0.5', '0-20:1');
    const last = JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as { sent: number; completed: number };
    assert.equal(code, 0);
    assert.ok(Math.abs(last.sent - 15) <= 1);
    assert.equal(last.completed, last.sent);
  }));

test('an attack that cannot be is refused in one sentence', async () => {
  const unknown = await lab('attack', 'smurf', '--target', '127.0.0.1:1', '--phase', '1:1');
  assert.match(unknown.stderr, /^There is no attack "smurf": there are tls-renegotiation, .*\.\n$/);
  const elsewhere = await lab('attack', 'redos', '--target', '203.0.113.5:80', '--phase', '1:1');
  assert.match(elsewhere.stderr, /^The target 203\.0\.113\.5 is refused: [^\n]+\n$/);
  assert.deepEqual([unknown.code, elsewhere.code], [1, 1]);
});

test('calibrating says what a request costs the target and the attacker', () =>
  withTarget({ tls: false }, async ({ host, port, pid }) => {
    const target = ['--target', `${host}:${port}`, '--pid', String(pid), '--plain', '--batches', '1'];
    const { stdout } = await lab('calibrate', 'redos', ...target, '--settings', '{"length":24}');
    assert.match(
      stdout,
      /^redos: \d+ requests, 0 failed\n {2}at the target +[1-9]\d*\.\d ms of CPU a request /,
    );
    assert.match(stdout, /\n {2}for 1 CPU s there +the attacker pays 0\.\d+ CPU s, sends \d/);
  }));

test('calibrating against a target that lacks the weakness says what the attack needs', () =>
  withTarget({ tls: false }, async ({ host, port, pid }) => {
    const target = ['--target', `${host}:${port}`, '--pid', String(pid), '--plain'];
    const { stderr, code } = await lab(
      'calibrate',
      'redos',
      ...target,
      '--settings',
      '{"path":"/nowhere?{input}"}',
    );
    assert.equal(code, 1);
    assert.match(
      stderr,
      /^redos: the target refused or broke off 5 of 5 requests\. The attack needs of it:\n {2}A route/,
    );
  }));
