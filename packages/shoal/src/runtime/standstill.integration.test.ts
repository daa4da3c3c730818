// A process that is stopped and continued, as by a debugger, a freezer of cgroups, or a machine that is paused.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { reportsOfStandstill } from './agent.ts';

interface Line {
  readonly stoodStillMs: number;
  readonly kinds: readonly string[];
  readonly items: number;
  /** Of the last line alone. */
  readonly warnings?: readonly string[];
}

const stops = 5;
/** Longer than the run limit of its handlers. */
const stoppedMs = 1_300;

test('handlers that were stopped with their process have not run for so long, and its reports say what happened', async (t) => {
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  const main = fileURLToPath(new URL(`./test-threads/steady-main.${extension}`, import.meta.url));
  const flags = process.execArgv.filter((flag) => !flag.startsWith('--test'));
  const child = spawn(process.execPath, [...flags, main], { stdio: ['pipe', 'pipe', 'inherit'] });
  t.after(() => child.kill('SIGKILL'));
  const lines: Line[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => lines.push(JSON.parse(line)));
  const until = async (what: string, isSo: () => boolean): Promise<void> => {
    const endsAt = performance.now() + 20_000;
    while (!isSo()) {
      assert.ok(performance.now() < endsAt, what);
      await delay(10);
    }
  };
  for (let stop = 1; stop <= stops; stop++) {
    // It works, and what is said of the last stop is over.
    const from = lines.length;
    await until('it works', () => {
      const since = lines.slice(from).filter(({ stoodStillMs }) => stoodStillMs === 0);
      return (since.at(-1)?.items ?? 0) > (since[0]?.items ?? 0) + 1;
    });
    child.kill('SIGSTOP');
    await delay(stoppedMs);
    const before = lines.length;
    child.kill('SIGCONT');
    await until('a report of the stop', () =>
      lines.slice(before).some(({ stoodStillMs }) => stoodStillMs > 0),
    );
  }
  child.stdin.end();
  await once(child, 'close');
  const warnings = lines.pop()?.warnings ?? [];
  assert.deepEqual(
    lines.flatMap(({ kinds }) => kinds).filter((kind) => kind !== 'thread-started'),
    [],
  );
  assert.equal(warnings.filter((text) => /stood still for \d+ ms/.test(text)).length, warnings.length);
  assert.ok(warnings.length >= stops, warnings.join('\n'));
  const long = lines.filter(({ stoodStillMs }) => stoodStillMs > stoppedMs / 2);
  assert.ok(long.length >= stops && long.length <= stops * reportsOfStandstill, JSON.stringify(long));
});
