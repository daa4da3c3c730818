// What a deployment file says of a thread, as the kernel and the app on it see it.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { SchedulingOrder } from '../model/index.ts';
import { checkApp } from './check-app.ts';
import { runApp } from './run-app.ts';
import { fixtures } from './test-command.ts';

const folder = mkdtempSync(path.join(os.tmpdir(), 'shoal-deployment-'));
after(() => rmSync(folder, { recursive: true }));

interface Placed {
  readonly order: string;
  readonly core: string;
  /** At first, and when it has kept a core for a while. */
  readonly nice: { readonly atFirst: number; readonly later: number };
}

/** Runs the app by a deployment file whose only thread has the given options; until it has that niceness, if any is given. */
async function place(name: string, thread: string, waitsForNice?: number): Promise<Placed> {
  const file = path.join(folder, `${name}.yaml`);
  const threads = `      - threads: [{ name: only, instances: [source, a, b, c]${thread} }]`;
  writeFileSync(file, `spareThreads: 0\nmachines:\n  - name: local\n    processes:\n${threads}\n`);
  const checked = await checkApp(path.join(fixtures, 'apps/placed.mjs'), file);
  let tell: (fields: Readonly<Record<string, unknown>>) => void = () => {};
  const told = new Promise<Readonly<Record<string, unknown>>>((resolve) => {
    tell = resolve;
  });
  const running = await runApp({
    checked,
    runDirectory: path.join(folder, name),
    controlPort: 0,
    printsTo: 'stderr',
    log: (_, text, fields) => text === 'placed' && tell(fields),
    onFatal: (reason) => assert.fail(reason.detail),
  });
  const { order, tid } = await told;
  const read = (part: string): string => readFileSync(`/proc/self/task/${tid}/${part}`, 'utf8');
  const core = /^Cpus_allowed_list:\s*(\S+)$/m.exec(read('status'))?.[1] ?? '';
  // The name of a thread, in brackets, may contain anything: fields are counted from behind it.
  const nice = (): number => Number(read('stat').split(') ').pop()?.split(' ')[16]);
  const atFirst = nice();
  const endsAt = performance.now() + 15_000;
  while (waitsForNice !== undefined && nice() !== waitsForNice && performance.now() < endsAt) await delay(20);
  const later = nice();
  await running.drain();
  return { order: String(order), core, nice: { atFirst, later } };
}

const ownCores = /^Cpus_allowed_list:\s*(\S+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '';

for (const [scheduling, order] of [
  ['fifo', 'cccaaabbb'],
  ['priority', 'bbbcccaaa'],
  ['edf', 'aaabbbccc'],
] as const satisfies readonly [SchedulingOrder, string][]) {
  test(`scheduling: ${scheduling} of a thread orders the messages of different instances`, async () => {
    assert.equal((await place(scheduling, `, scheduling: ${scheduling}`)).order, order);
  });
}

test('core reaches the thread, and nice does when it keeps a core; without them it runs where the process may, as nicely as the process', async () => {
  const last = /(\d+)$/.exec(ownCores)?.[1];
  const own = os.getPriority();
  const pinned = await place('pinned', `, core: ${last}, nice: 7`, 7);
  assert.deepEqual([pinned.core, pinned.nice], [last, { atFirst: own, later: 7 }]);
  const free = await place('free', '');
  assert.deepEqual([free.core, free.nice.atFirst], [ownCores, own]);
});
