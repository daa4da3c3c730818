// What a deployment file says of a thread, as the kernel and the app on it see it.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import type { QueueOrder } from '../model/index.ts';
import { checkApp } from './check-app.ts';
import { runApp } from './run-app.ts';
import { fixtures } from './test-command.ts';

const folder = mkdtempSync(path.join(os.tmpdir(), 'shoal-deployment-'));
after(() => rmSync(folder, { recursive: true }));

interface Placed {
  readonly order: string;
  readonly core: string;
  readonly nice: number;
}

/** Runs the app by a deployment file whose only thread has the given options. */
async function place(name: string, thread: string): Promise<Placed> {
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
  const nice = Number(read('stat').split(') ').pop()?.split(' ')[16]);
  await running.drain();
  return { order: String(order), core, nice };
}

const ownCores = /^Cpus_allowed_list:\s*(\S+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '';

for (const [scheduling, order] of [
  ['fifo', 'cccaaabbb'],
  ['priority', 'bbbcccaaa'],
  ['edf', 'aaabbbccc'],
] as const satisfies readonly [QueueOrder, string][]) {
  test(`scheduling: ${scheduling} of a thread orders the messages of different instances`, async () => {
    assert.equal((await place(scheduling, `, scheduling: ${scheduling}`)).order, order);
  });
}

test('core and nice reach the thread; without them it runs where the process may, as nicely as the process', async () => {
  const last = /(\d+)$/.exec(ownCores)?.[1];
  const pinned = await place('pinned', `, core: ${last}, nice: 7`);
  assert.deepEqual([pinned.core, pinned.nice], [last, 7]);
  const free = await place('free', '');
  assert.deepEqual([free.core, free.nice], [ownCores, os.getPriority()]);
});
