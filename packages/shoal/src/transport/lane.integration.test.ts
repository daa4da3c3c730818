import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { Worker } from 'node:worker_threads';
import { createSeededRandom } from '../model/index.ts';
import { createLaneMemory, doneCode, failedCode, type LaneMemory, LaneProbe } from './lane.ts';
import type { LaneEndStart } from './test-threads/lane-end.ts';

const entry = new URL(
  import.meta.url.endsWith('.ts') ? './test-threads/lane-end.ts' : './test-threads/lane-end.js',
  import.meta.url,
);
// Threads that are killed at any time abort the process of Node 20 now and then: see `runtime/node-faults.ts`.
if (process.versions.node.startsWith('20.')) setFlagsFromString('--no-incremental-marking-task');

const messagesMax = 8_000_000;
// From source a thread takes ten times as long to start.
const kills = import.meta.url.endsWith('.ts') ? 30 : 200;

type Role = LaneEndStart['role'];

class Rig {
  readonly lanes: readonly LaneMemory[] = [true, false].map((isOrdered) =>
    createLaneMemory({ isOrdered, slots: 64, maxMessages: 64, spillBytes: 16_384, messageMaxBytes: 8_192 }),
  );
  readonly handled = this.lanes.map(() => new SharedArrayBuffer(messagesMax + 1));
  readonly poison = this.lanes.map(() => new SharedArrayBuffer(messagesMax + 1));
  readonly control = new SharedArrayBuffer(16);
  readonly words = new Int32Array(this.control);
  readonly workers = new Map<Role, Worker>();

  tell(what: 0 | 1 | 2): void {
    Atomics.store(this.words, 0, what);
    Atomics.notify(this.words, 0);
  }

  async start(role: Role): Promise<void> {
    const { lanes, handled, poison, control } = this;
    const workerData: LaneEndStart = { role, lanes, handled, poison, control, messagesMax };
    const worker = new Worker(entry, { workerData });
    this.workers.set(role, worker);
    await once(worker, 'message');
  }
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

test(`${kills} kills of the threads at both ends of a lane lose nothing, and nothing is handled twice`, async (t) => {
  const rig = new Rig();
  const random = createSeededRandom(20_26);
  await Promise.all([rig.start('reader'), rig.start('writer')]);
  for (let i = 0; i < kills; i += 1) {
    rig.tell(1);
    await pause(random() * 6);
    // Now and then both at once.
    const both = i + 1 < kills && random() < 0.3;
    if (both) i++;
    const roles: Role[] = both ? ['reader', 'writer'] : random() < 0.6 ? ['reader'] : ['writer'];
    await Promise.all(
      roles.map(async (role) => {
        await rig.workers.get(role)?.terminate();
        rig.tell(0);
        await rig.start(role);
      }),
    );
  }
  rig.tell(2);
  await Promise.all([...rig.workers.values()].map((worker) => once(worker, 'exit')));
  assert.equal(rig.words[1], 0, 'every payload was that of its message');
  let poisonFound = 0;
  let carried = 0;
  rig.lanes.forEach((lane, at) => {
    const handled = new Uint8Array(rig.handled[at] as SharedArrayBuffer);
    const poison = new Uint8Array(rig.poison[at] as SharedArrayBuffer);
    const { accepted, waiting, ended } = new LaneProbe(lane).read();
    assert.ok(accepted > kills, `only ${accepted} messages were carried`);
    assert.equal(waiting, 0);
    const done = ended[doneCode] as number;
    const lost = ended[failedCode('thread-lost')] as number;
    assert.equal(done + lost, accepted);
    let handledTimes = 0;
    let neverHandled = 0;
    for (let id = 1; id <= accepted; id++) {
      const times = handled[id] as number;
      assert.ok(times <= 1, `message ${id} was handled ${times} times`);
      handledTimes += times;
      if (times === 0) neverHandled++;
      if (times === 0) assert.equal(poison[id], 1, `message ${id} was lost`);
      poisonFound += poison[id] as number;
    }
    assert.ok(lost >= neverHandled, 'what was not handled is counted as lost');
    assert.equal(handledTimes + neverHandled, accepted);
    assert.equal(handled[accepted + 1], 0);
    carried += accepted;
  });
  assert.ok(poisonFound > 0, 'no kill hit a message in service: the test shows little');
  t.diagnostic(`${kills} kills, ${carried} messages carried, ${poisonFound} in service when a thread died`);
});
