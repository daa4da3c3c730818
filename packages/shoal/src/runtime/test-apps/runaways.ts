// Runs the app `runaway`, and says of every kind of code in it how it was stopped: for a test, and for a benchmark.
import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { kindsOf, pipeVariable, runLimitMs } from './runaway.ts';
import { appUrl, startApp, type TestRuntime } from './start.ts';

/** How code that ran away ended. */
export interface RunawayEnd {
  /** How its message ended, and the one that waited behind it. */
  readonly outcome: unknown;
  readonly behind: unknown;
  /** Milliseconds from its limit to when its thread was gone, or its process was told to end. */
  readonly overrunMs: number;
  readonly endedWith: 'thread' | 'process';
}

export interface Runaways {
  readonly app: TestRuntime;
  /** Names of the kinds of code, in the order in which they run. */
  readonly names: readonly string[];
  /** Waits until one of them has been stopped and the next message was served. */
  end(name: string): Promise<RunawayEnd>;
  close(): Promise<void>;
}

/** `few`: a third of the kinds. */
export async function startRunaways(few: boolean): Promise<Runaways> {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'shoal-pipe-'));
  const pipe = path.join(folder, 'pipe');
  execFileSync('mkfifo', [pipe]);
  process.env[pipeVariable] = pipe;
  const fatalAtMs: number[] = [];
  const url = appUrl('runaway');
  if (few) url.search = 'few';
  const app: TestRuntime = await startApp(url, {
    limits: { threadHeapMaxMiB: 64 },
    // In service this ends the process. Here it is noted, and what can be ended is.
    onFatal: () => {
      fatalAtMs.push(app.runtime.clock.now());
      try {
        fs.closeSync(fs.openSync(pipe, fs.constants.O_WRONLY | fs.constants.O_NONBLOCK));
      } catch {
        // Nobody reads the pipe: it is another one of them.
      }
    },
  });
  const kinds = kindsOf(url);
  return {
    app,
    names: [...kinds.async, ...kinds.sync],
    async end(name) {
      const { sentAtMs, outcome, behind } = await app.until(
        `result '${name}'`,
        () => app.logged.find(({ fields }) => fields.name === name)?.fields,
        30_000,
      );
      const since = app.events.filter(({ atMs }) => atMs > (sentAtMs as number));
      const killed = since.find(({ kind }) => kind === 'run-limit-kill');
      const lost = since.find(
        ({ kind, threadId }) => kind === 'thread-lost' && threadId === killed?.threadId,
      );
      const lostAtMs = lost?.atMs ?? Number.NaN;
      // What cannot be stopped, its process is stopped with.
      const fatal = fatalAtMs.find((atMs) => atMs > (sentAtMs as number) && atMs < lostAtMs);
      const overrunMs = (fatal ?? lostAtMs) - (sentAtMs as number) - runLimitMs;
      return { outcome, behind, overrunMs, endedWith: fatal === undefined ? 'thread' : 'process' };
    },
    async close() {
      await app.runtime.close();
      fs.rmSync(folder, { recursive: true });
    },
  };
}
