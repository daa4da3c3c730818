import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { offerPipe, openLoopBell, Pipes, ring, Waits, withdrawPipe } from './bell.ts';
import { createThreadBlock, ThreadWord, viewThreadBlock } from './shared-block.ts';
import { openDescriptors } from './test-support/descriptors.ts';

/** A block with a pipe and one without: both kinds of waiting. */
const kinds = ['pipe', 'promise'] as const;

function openBell(kind: (typeof kinds)[number], onRing: () => void) {
  const { words, buffer } = viewThreadBlock(createThreadBlock());
  const pipes = new Pipes();
  const pipe = kind === 'pipe' ? pipes.take() : null;
  offerPipe(words, pipe);
  const bell = openLoopBell(words, onRing);
  const close = (): void => {
    bell.close();
    if (pipe !== null) pipes.giveBack(pipe);
    pipes.close();
  };
  return { words, buffer, bell, close, count: () => Atomics.load(words, ThreadWord.bell) };
}

for (const kind of kinds) {
  test(`by ${kind}: a ring is told to whoever is armed, and found by whoever is about to be`, async () => {
    let told = 0;
    const { words, bell, close, count } = openBell(kind, () => told++);
    assert.equal(bell.arm(count()), true);
    await delay(20);
    assert.equal(told, 0, 'nobody has rung');
    ring(words);
    await delay(20);
    assert.equal(told, 1);
    const seen = count();
    bell.disarm();
    ring(words);
    assert.equal(bell.arm(seen), false, 'it has rung since');
    assert.equal(bell.arm(count()), true);
    ring(words);
    ring(words);
    await delay(20);
    assert.ok(told >= 2);
    close();
  });

  test(`by ${kind}: of 20,000 rings from another thread, each answered before the next, none is missed`, async () => {
    const rings = 20_000;
    const answers = new Int32Array(new SharedArrayBuffer(4));
    let seen = 0;
    let resolve = (): void => {};
    const over = new Promise<void>((done) => {
      resolve = done;
    });
    const look = (): void => {
      bell.disarm();
      // As a thread does: what the bell was, what there is to do, and what the bell is when it waits.
      for (;;) {
        const before = count();
        if (before !== seen) {
          seen = before;
          Atomics.store(answers, 0, seen);
          Atomics.notify(answers, 0);
          if (seen >= rings) return resolve();
        }
        if (bell.arm(before)) return;
      }
    };
    const { buffer, bell, close, count } = openBell(kind, look);
    look();
    const code = `
      import { workerData } from 'node:worker_threads';
      const { buffer, answers, rings, bell } = workerData;
      const { ring } = await import(bell);
      const words = new Int32Array(buffer);
      for (let i = 1; i <= rings; i++) {
        // From none to some microseconds: before, while and after the other one goes to sleep.
        for (let spins = (i * 7_919) % 500; spins > 0; spins--) Atomics.load(answers, 0);
        ring(words);
        while (Atomics.load(answers, 0) < i) Atomics.wait(answers, 0, i - 1, 5_000);
      }`;
    const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(code)}`), {
      workerData: { buffer, answers, rings, bell: import.meta.url.replace('.test.', '.') },
    });
    const failed = new Promise<never>((_, reject) => worker.once('error', reject));
    await Promise.race([over, failed]);
    assert.equal(seen, rings);
    await worker.terminate();
    close();
  });
}

test('a block says how its thread waits for as long as it does', () => {
  const { words, bell, close } = openBell('pipe', () => {});
  assert.equal(Atomics.load(words, ThreadWord.waits), Waits.not);
  bell.arm(0);
  assert.equal(Atomics.load(words, ThreadWord.waits), Waits.byPipe);
  bell.disarm();
  assert.equal(Atomics.load(words, ThreadWord.waits), Waits.not);
  Atomics.store(words, ThreadWord.waits, Waits.parked);
  bell.disarm();
  assert.equal(Atomics.load(words, ThreadWord.waits), Waits.parked, 'only what it has armed');
  Atomics.store(words, ThreadWord.waits, Waits.not);
  bell.arm(0);
  close();
  assert.equal(Atomics.load(words, ThreadWord.waits), Waits.not);
});

test('pipes are used again, and closed in the end, with what a thread has not taken', () => {
  const before = openDescriptors('pipe');
  const pipes = new Pipes();
  const [first, second] = [pipes.take(), pipes.take()];
  assert.ok(first !== null && second !== null);
  assert.equal(openDescriptors('pipe'), before + 4);
  pipes.giveBack(first);
  assert.equal(pipes.take(), first);
  const { words } = viewThreadBlock(createThreadBlock());
  offerPipe(words, first);
  assert.equal(openDescriptors('pipe'), before + 5);
  withdrawPipe(words);
  withdrawPipe(words);
  assert.equal(openDescriptors('pipe'), before + 4);
  pipes.giveBack(first);
  pipes.close();
  assert.equal(openDescriptors('pipe'), before + 2, 'the other may still be rung by');
  pipes.giveBack(second);
  assert.equal(openDescriptors('pipe'), before);
  offerPipe(words, null);
  const bell = openLoopBell(words, () => {});
  assert.equal(Atomics.load(words, ThreadWord.waits), Waits.byPromise, 'without a pipe');
  bell.close();
});
