// The real command: starts an app, is watched, ordered about, and ended.
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, afterEach, describe, test } from 'node:test';
import { command, fixtures, killCommands, startCommand, waitUntil } from './test-command.ts';

const folder = mkdtempSync(path.join(os.tmpdir(), 'shoal-run-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const app = (name: string): string => path.join(fixtures, 'apps', name);
const env = { XDG_RUNTIME_DIR: folder };

/** The run file of an app, as it stands in the run directory. */
function runFileOf(name: string): { readonly file: string; readonly port: number; readonly token: string } {
  const directory = path.join(folder, 'shoal');
  const file = path.join(
    directory,
    readdirSync(directory).find((entry) => entry.startsWith(`${name}-`)) ?? '',
  );
  const { port, token } = JSON.parse(readFileSync(file, 'utf8')) as { port: number; token: string };
  return { file, port, token };
}

describe('shoal run', () => {
  afterEach(killCommands);

  test('serves until SIGTERM; meanwhile top, decisions, explain and orders find it without arguments', async () => {
    const running = startCommand(['run', app('steady.mjs')], env);
    await running.seen('app "steady" runs');
    const { port, token } = runFileOf('steady');
    const health = await fetch(`http://127.0.0.1:${port}/v1/health`);
    assert.deepEqual(await health.json(), { status: 'serving' });
    const metrics = await fetch(`http://127.0.0.1:${port}/metrics`, {
      headers: { authorization: `Bearer ${token}` },
    });
    assert.match(await metrics.text(), /^shoal_messages_done_total\{/m);

    const cloned = await command(['clone', 'work'], env);
    assert.equal(cloned.status, 0, cloned.stderr);
    assert.match(
      cloned.stdout,
      /clone work work#\d+ on local\/main, because ordered by a person → serving after/,
    );
    const get = async (target: string): Promise<string> => {
      const headers = { authorization: `Bearer ${token}` };
      return (await fetch(`http://127.0.0.1:${port}${target}`, { headers })).text();
    };
    // The view follows the reports, by a sample period.
    await waitUntil('the view has the clone', async () => (await get('/v1/view')).includes('"isClone":true'));
    const top = await command(['top'], env);
    assert.match(top.stdout, /^shoal top: steady \|/);
    assert.match(top.stdout, /work#\d+ \+ /);
    assert.doesNotMatch(top.stdout, new RegExp(String.fromCharCode(27)));
    assert.match((await command(['decisions'], env)).stdout, /ordered by a person/);
    const unknown = await command(['explain', 'wrk'], env);
    assert.deepEqual([unknown.status, unknown.stdout], [1, '']);
    assert.match(unknown.stderr, /^shoal: There is no type "wrk"\. Did you mean "work"\?\n$/);

    running.child.kill('SIGTERM');
    const { status, stdout, stderr } = await running.ended;
    assert.match(stdout, /supervisor: stopping; work in progress may end[\s\S]*ended\n$/);
    assert.deepEqual([status, stderr], [0, '']);
    assert.deepEqual(readdirSync(path.join(folder, 'shoal')), []);
    const gone = await command(['top'], env);
    assert.equal(gone.status, 1);
    assert.match(gone.stderr, /No app runs for this user/);
  });

  test('is asked and ordered about with --json: one JSON value on standard output, or one line of JSON on standard error', async () => {
    const running = startCommand(['run', app('steady.mjs')], env);
    await running.seen('app "steady" runs');
    /** Runs a command that is to print JSON, and nothing else. */
    const asked = async (status: number, ...args: string[]): Promise<Record<string, unknown>> => {
      const ended = await command([...args, '--json'], env);
      assert.equal(ended.status, status, `${args.join(' ')}: ${ended.stdout}${ended.stderr}`);
      const [said, silent] =
        ended.stdout === '' ? [ended.stderr, ended.stdout] : [ended.stdout, ended.stderr];
      assert.equal(silent, '', args.join(' '));
      return JSON.parse(said) as Record<string, unknown>;
    };
    const cloned = await asked(0, 'clone', 'work');
    assert.deepEqual([cloned.operator, cloned.outcome], ['clone', 'done']);
    const [{ instanceId } = { instanceId: 0 }] = cloned.placements as { instanceId: number }[];
    const clone = `work#${instanceId}`;
    await waitUntil('the view has the clone', async () => {
      const { view } = (await asked(0, 'top')) as { view: { types: { instances: unknown[] }[] } };
      return view.types.some((type) => type.instances.length === 2);
    });
    const decisions = await asked(0, 'decisions');
    assert.deepEqual(Object.values(decisions).at(-1), cloned);
    const explained = await asked(0, 'explain', clone);
    assert.deepEqual(Object.keys(explained), ['name', 'text']);
    assert.equal(explained.name, clone);

    const refused: readonly [string[], RegExp, number | undefined][] = [
      [['explain', 'wrk'], /^There is no type "wrk"\. Did you mean "work"\?$/, 404],
      [['clone', 'wrk'], /^There is no type "wrk"/, 404],
      [['remove', `ask#${instanceId}`], new RegExp(`^Instance ${instanceId} is of type "work"\\.$`), 404],
      [['remove', 'work'], /^"work" does not name an instance\./, undefined],
      [['reassign', `ask#${instanceId}`, 'local/main'], /is of type "work"\.$/, 404],
      [
        ['reassign', clone, 'local/main/more'],
        /^"local\/main\/more" is not a place\. Give machine/,
        undefined,
      ],
      [['reassign', clone, 'local/other'], /^There is no process "other" on machine "local"\.$/, 404],
      [['top', '--app', 'stedy'], /^No app "stedy" runs/, undefined],
    ];
    for (const [args, message, status] of refused) {
      const error = await asked(1, ...args);
      assert.equal(error.code, 'SHOAL_CONTROL');
      assert.match(String(error.message), message);
      assert.equal((error.facts as { status?: number }).status, status);
    }
    const tooMany = await asked(1, 'clone', 'work', '--count', '64');
    assert.deepEqual([tooMany.operator, tooMany.outcome], ['clone', 'refused']);
    const moved = await asked(0, 'reassign', clone, 'local/main');
    assert.deepEqual([moved.operator, moved.outcome], ['reassign', 'done']);
    const [{ instanceId: next } = { instanceId: 0 }] = moved.placements as { instanceId: number }[];
    await waitUntil(
      'the view has the other one',
      async () => (await command(['explain', `work#${next}`], env)).status === 0,
    );
    const removed = await asked(0, 'remove', `work#${next}`);
    assert.deepEqual([removed.operator, removed.outcome], ['remove', 'done']);
    running.child.kill('SIGTERM');
    assert.equal((await running.ended).status, 0);
  });

  test('writes nothing but JSON lines to standard output with --json, whatever MSUs print', async () => {
    const running = startCommand(['run', app('chatty.mjs'), '--json'], env);
    await running.seen('app \\"chatty\\" runs');
    await running.seen('printed by a handler');
    running.child.kill('SIGTERM');
    const { status, stdout, stderr } = await running.ended;
    assert.equal(status, 0);
    const lines = stdout.trim().split('\n');
    for (const line of lines) assert.equal(typeof (JSON.parse(line) as { msg: string }).msg, 'string');
    assert.match(stderr, /printed by an MSU that is created\n[\s\S]*printed by a handler\n/);
  });

  test('says in one line of JSON why it does not start', async () => {
    const cases: readonly [string[], number, string, RegExp][] = [
      [[path.join(fixtures, 'many/app.mjs')], 2, 'SHOAL_INVALID_APP', /has 12 mistakes:/],
      [[app('exits.mjs')], 2, 'SHOAL_APP_LOAD', /called process\.exit\(3\)/],
      [[app('steady.mjs'), '--run', '/proc/self/fd'], 1, 'SHOAL_CONTROL', /fd cannot be written to: /],
    ];
    for (const [args, expected, code, message] of cases) {
      for (const supervised of [[], ['--no-supervisor']]) {
        const { status, stdout, stderr } = await command(['run', ...args, ...supervised, '--json'], env);
        assert.deepEqual([status, stdout], [expected, ''], stderr);
        const error = JSON.parse(stderr) as { code: string; message: string };
        assert.equal(error.code, code);
        assert.match(error.message, message);
      }
    }
  });

  test('ends at once at the second signal, however long draining would take', async () => {
    const running = startCommand(['run', app('never-drains.mjs'), '--json'], env);
    await running.seen('runs (process');
    running.child.kill('SIGTERM');
    await running.seen('supervisor: stopping; ');
    running.child.kill('SIGTERM');
    const { status, stdout } = await running.ended;
    assert.equal(status, 1);
    const lines = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { msg: string });
    assert.match(lines.at(-1)?.msg ?? '', /supervisor: stopping at once/);
    assert.deepEqual(readdirSync(path.join(folder, 'shoal')), []);
  });

  test('starts the process that serves again when it is killed, and shoal top finds the new one', async () => {
    const running = startCommand(['run', app('steady.mjs')], env);
    await running.seen('app "steady" runs');
    const before = runFileOf('steady');
    const pid = Number(/-(\d+)\.json$/.exec(before.file)?.[1]);
    assert.notEqual(pid, running.child.pid);
    process.kill(pid, 'SIGKILL');
    const text = await running.seen('started again: ');
    assert.match(text, /ERROR supervisor: .*SIGKILL[\s\S]*WARN supervisor: starting it again \(restart 1\)/);
    await waitUntil('top finds the new process', async () => (await command(['top'], env)).status === 0);
    assert.notEqual(runFileOf('steady').token, before.token);
    running.child.kill('SIGTERM');
    assert.equal((await running.ended).status, 0);
  });

  test('a handler that fills a table without end ends the process, or its thread; what comes next says why, and serves on', async () => {
    const file = path.join(folder, 'small-heaps.yaml');
    // The smaller the heap, the sooner it is full.
    writeFileSync(file, 'limits:\n  threadHeapMaxMiB: 64\n');
    const args = ['run', app('grows-later.mjs'), '--deployment', file];
    const running = startCommand(args, { ...env, SHOAL_TEST_FOLDER: folder });
    // V8 aborts the process, or (seen with Node 24.21) has the thread ended.
    const text = await Promise.race([running.seen('started again: '), running.seen('thread-replaced: ')]);
    if (text.includes('started again: ')) {
      const [before = '', after = ''] = text.split('supervisor: starting it again (restart 1)');
      assert.match(before, /served: done[\s\S]*ERROR supervisor: .*ran out of JavaScript heap/);
      assert.match(after, /started again: .*ran out of JavaScript heap/);
    } else assert.match(text, /served: done[\s\S]*thread-lost: .*ran out of memory/);
    await running.seen('served: done', text.length);
    running.child.kill('SIGTERM');
    const { status, stdout } = await running.ended;
    assert.equal(status, 0);
    assert.doesNotMatch(stdout, /restart 2/);
  });

  test('gives up waiting after drainMaxMs, and ends all the same', async () => {
    const file = path.join(folder, 'deployment.yaml');
    writeFileSync(file, 'drainMaxMs: 200\n');
    const running = startCommand(['run', app('never-drains.mjs'), '--deployment', file], env);
    await running.seen('runs (process');
    running.child.kill('SIGTERM');
    const { status, stdout } = await running.ended;
    assert.equal(status, 0);
    assert.match(stdout, /WARN ended; what had not ended after drainMaxMs \(200 ms\) was cut off\n$/);
  });

  test('starts nothing of an app with mistakes', async () => {
    const { status, stderr, stdout } = await command(['run', path.join(fixtures, 'many/app.mjs')], env);
    assert.equal(status, 2);
    assert.match(stderr, /The app or its deployment has 12 mistakes:/);
    assert.equal(stdout, '');
  });

  test('says why an instance could not be started, with the place, and without a stack trace', async () => {
    const { status, stderr, stdout } = await command(['run', app('port-taken.mjs')], env);
    assert.equal(status, 1);
    const why = /the thread died of Error: listen EADDRINUSE: .*:1 \(\/.*port-taken\.mjs:10:15\)\n$/;
    assert.match(stderr, why);
    assert.match(stderr, /^shoal: An instance of 'door' could not be started: [^\n]*\n$/);
    assert.doesNotMatch(stdout, / at .*node:/);
  });

  test('refuses a deployment of several machines in a sentence', async () => {
    const file = path.join(folder, 'two.yaml');
    const thread = (types: string): string => `processes: [{ threads: [{ instances: [${types}] }] }]`;
    writeFileSync(file, `machines:\n  - { name: a, ${thread('ask')} }\n  - { name: b, ${thread('work')} }\n`);
    const { status, stderr } = await command(['run', app('steady.mjs'), '-d', file], env);
    assert.equal(status, 2);
    assert.match(stderr, /two\.yaml:3:\d+: The deployment has 2 processes \(a\/main, b\/main\)/);
  });

  test('says so when the port of the control endpoint is taken', async () => {
    const first = startCommand(['run', app('steady.mjs')], env);
    await first.seen('app "steady" runs');
    const { file, port } = runFileOf('steady');
    const second = await command(['run', app('steady.mjs'), '--control-port', String(port)], env);
    assert.equal(second.status, 1);
    assert.match(second.stderr, /^shoal: The control endpoint could not listen: .*EADDRINUSE/);
    first.child.kill('SIGINT');
    assert.equal((await first.ended).status, 0);
    assert.ok(!existsSync(file));
  });
});
