/** `shoal top` in a terminal: draws a screen, waits, draws the next; `q` ends it. */
import { setTimeout as wait } from 'node:timers/promises';
import type { ControlClient } from '../api/client.ts';
import { renderTop, type Size } from './render.ts';

export interface TopOptions {
  /** Print one screen and end. */
  readonly isOnce: boolean;
  /** Milliseconds between two screens; at least 100. */
  readonly intervalMs: number;
}

/** Size of output that is no terminal. */
const plainSize: Size = { columns: 120, rows: 60 };
const intervalMinMs = 100;

const enterScreen = '\u001b[?1049h\u001b[?25l';
const leaveScreen = '\u001b[?25h\u001b[?1049l';
const cursorHome = '\u001b[H';
const eraseLine = '\u001b[K';
const eraseBelow = '\u001b[J';

/** Draws until `q` or Ctrl-C. Where the output is no terminal, prints one screen as plain text. */
export async function runTop(client: ControlClient, options: TopOptions): Promise<void> {
  const { stdin, stdout } = process;
  const first = await client.snapshot();
  if (options.isOnce || !stdout.isTTY) {
    const size = stdout.isTTY ? { columns: stdout.columns, rows: stdout.rows - 1 } : plainSize;
    stdout.write(`${renderTop(first, size).join('\n')}\n`);
    return;
  }
  const ending = new AbortController();
  const onKey = (key: Buffer): void => {
    if (['q', 'Q', '\u0003'].includes(key.toString('utf8'))) ending.abort();
  };
  const draw = (snapshot: typeof first): void => {
    const lines = renderTop(snapshot, { columns: stdout.columns, rows: stdout.rows });
    stdout.write(`${cursorHome}${lines.map((line) => `${line}${eraseLine}`).join('\r\n')}${eraseBelow}`);
  };
  let latest = first;
  const onResize = (): void => draw(latest);
  const onSignal = (): void => ending.abort();
  stdout.write(enterScreen);
  if (stdin.isTTY) stdin.setRawMode(true).resume().on('data', onKey);
  stdout.on('resize', onResize);
  process.once('SIGINT', onSignal).once('SIGTERM', onSignal);
  try {
    while (!ending.signal.aborted) {
      draw(latest);
      await wait(Math.max(intervalMinMs, options.intervalMs), undefined, { signal: ending.signal }).catch(
        () => {},
      );
      if (!ending.signal.aborted) latest = await client.snapshot();
    }
  } finally {
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal);
    stdout.off('resize', onResize);
    if (stdin.isTTY) stdin.off('data', onKey).setRawMode(false).pause();
    stdout.write(leaveScreen);
  }
}
