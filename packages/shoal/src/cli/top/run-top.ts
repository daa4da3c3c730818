/** `shoal top` in a terminal: draws a screen, waits, draws the next. */
import { setTimeout as wait } from 'node:timers/promises';
import type { ControlClient } from '../api/client.ts';
import type { ControlSnapshot } from '../api/control-source.ts';
import { renderTop, type Size } from './render.ts';

/** Milliseconds between two screens, at least. */
export const intervalMinMs = 100;

export interface TopOptions {
  /** Print one screen and end. */
  readonly isOnce: boolean;
  /** Milliseconds between two screens; at least {@link intervalMinMs}. */
  readonly intervalMs: number;
}

/** Size of output that is no terminal. */
const plainSize: Size = { columns: 120, rows: 60 };

// Another screen, without a cursor; lines that are too long for a small terminal are cut at its edge.
const enterScreen = '\u001b[?1049h\u001b[?25l\u001b[?7l';
const leaveScreen = '\u001b[?7h\u001b[?25h\u001b[?1049l';
const cursorHome = '\u001b[H';
const eraseLine = '\u001b[K';
const eraseBelow = '\u001b[J';

function draw(snapshot: ControlSnapshot): void {
  const { columns, rows } = process.stdout;
  const lines = renderTop(snapshot, { columns, rows }).slice(0, rows);
  // Each line is erased before it is written: after a line of full width the cursor still stands on its last character.
  const text = lines.map((line) => `${eraseLine}${line}`).join('\r\n');
  const below = lines.length < rows ? `\r\n${eraseBelow}` : '';
  process.stdout.write(`${cursorHome}${text}${below}`);
}

/** Draws until `q`, Ctrl-C or SIGTERM. Where the output is no terminal, prints one screen as plain text. */
export async function runTop(client: ControlClient, options: TopOptions): Promise<void> {
  const { stdin, stdout } = process;
  let latest = await client.snapshot();
  if (options.isOnce || !stdout.isTTY) {
    const size = stdout.isTTY ? { columns: stdout.columns, rows: stdout.rows - 1 } : plainSize;
    stdout.write(`${renderTop(latest, size).join('\n')}\n`);
    return;
  }
  const ending = new AbortController();
  const { signal } = ending;
  const onKey = (key: Buffer): void => {
    if ([...key.toString('utf8')].some((character) => 'qQ\u0003'.includes(character))) ending.abort();
  };
  const onResize = (): void => draw(latest);
  const onSignal = (): void => ending.abort();
  process.once('SIGINT', onSignal).once('SIGTERM', onSignal);
  stdout.on('resize', onResize).write(enterScreen);
  if (stdin.isTTY) stdin.setRawMode(true).resume().on('data', onKey);
  try {
    while (!signal.aborted) {
      draw(latest);
      await wait(options.intervalMs, undefined, { signal });
      latest = await client.snapshot(signal);
    }
  } catch (error) {
    // What was waited for is given up when it ends.
    if (!signal.aborted) throw error;
  } finally {
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal);
    stdout.off('resize', onResize).write(leaveScreen);
    if (stdin.isTTY) stdin.off('data', onKey).setRawMode(false).pause();
  }
}
