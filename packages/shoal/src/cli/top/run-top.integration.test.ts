// `shoal top` in a real terminal, watching a real app.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, afterEach, before, describe, test } from 'node:test';
import { fixtures, killCommands, type Running, startCommand, waitUntil } from '../test-command.ts';
import { type InTerminal, startInTerminal } from '../test-terminal.ts';

const folder = mkdtempSync(path.join(os.tmpdir(), 'shoal-top-'));
const env = { XDG_RUNTIME_DIR: folder };
let running: Running;
let top: InTerminal | null = null;

async function runApp(): Promise<void> {
  running = startCommand(['run', path.join(fixtures, 'apps/steady.mjs')], env);
  await running.seen('app "steady" runs');
}

/** Starts `shoal top`, and waits until it has drawn the app. */
async function startTop(columns: number, rows: number): Promise<InTerminal> {
  const started = await startInTerminal(['top', '--interval', '100'], env, [columns, rows]);
  top = started;
  await waitUntil('the screen is drawn', async () => started.terminal.lines.includes('LAST DECISIONS'));
  return started;
}

/** Waits for more screens after this moment. */
async function moreScreens({ output }: InTerminal, count: number): Promise<void> {
  const from = output().length;
  const screens = (): number => output().slice(from).split('\u001b[H').length - 1;
  await waitUntil(`${count} more screens`, async () => screens() > count);
}

function assertRestored({ terminal }: InTerminal, settings: string): void {
  assert.deepEqual([...terminal.modes].sort(), ['?25', '?7']);
  const words = settings.split(/[\s;]+/);
  for (const mode of ['icanon', 'echo', 'isig']) assert.ok(words.includes(mode), settings);
}

describe('shoal top in a terminal', { timeout: 180_000 }, () => {
  before(runApp);
  afterEach(() => top?.kill());
  after(async () => {
    await killCommands();
    rmSync(folder, { recursive: true, force: true });
  });

  test('draws one screen over the other at 80 × 24: no line is cut, none scrolls, and every column is whole', async () => {
    const started = await startTop(80, 24);
    const { terminal } = started;
    await moreScreens(started, 3);
    assert.deepEqual([...terminal.modes], ['?1049']);
    assert.deepEqual([terminal.cut, terminal.scrolled], [0, 0]);
    assert.match(terminal.lines[0] ?? '', /^shoal top: steady \| 1 of 1 process \| /);
    const titles = terminal.lines.filter((line) => /^ {2}(TYPE|INSTANCE)/.test(line));
    assert.deepEqual(
      titles.map((line) => [line.length, line.slice(-3)]),
      [
        [80, 'P99'],
        [80, 'P99'],
      ],
    );
    started.type('q');
    const { status, settings } = await started.ended;
    assert.equal(status, 0);
    assertRestored(started, settings);
  });

  test('follows the size of the terminal, a tiny one too', async () => {
    const started = await startTop(80, 24);
    const { terminal } = started;
    const hasColumn = (): boolean => terminal.lines.some((line) => /^ {2}TYPE .* DEMAND /.test(line));
    assert.ok(!hasColumn());
    started.resize(120, 40);
    await waitUntil('the wide screen has more columns', async () => hasColumn());
    assert.deepEqual([terminal.cut, terminal.scrolled], [0, 0]);
    started.resize(40, 8);
    // A screen that was under way was made for the size before.
    await moreScreens(started, 2);
    const scrolled = terminal.scrolled;
    await moreScreens(started, 2);
    assert.equal(terminal.scrolled, scrolled);
    assert.ok(!terminal.modes.has('?7'), 'what does not fit is cut, and does not wrap');
    started.type('Q');
    assert.equal((await started.ended).status, 0);
  });

  for (const [name, end] of [
    ['Ctrl-C', (started: InTerminal) => started.type('\u0003')],
    ['SIGTERM', (started: InTerminal) => started.signal('SIGTERM')],
    ['SIGINT', (started: InTerminal) => started.signal('SIGINT')],
  ] as const) {
    test(`gives the terminal back as it was at ${name}`, async () => {
      const started = await startTop(80, 24);
      end(started);
      const { status, settings } = await started.ended;
      assert.equal(status, 0);
      assertRestored(started, settings);
    });
  }

  test('gives the terminal back, and says so, when the app ends', async () => {
    const started = await startTop(80, 24);
    running.child.kill('SIGTERM');
    const { status, settings } = await started.ended;
    assert.equal(status, 1);
    assertRestored(started, settings);
    assert.match(started.terminal.lines.join(''), /shoal: App "steady" \(process \d+\) does not answer/);
  });
});
