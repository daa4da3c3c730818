import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import {
  isParked,
  offerPipe,
  openLoopBell,
  ParkingBell,
  Pipes,
  ring,
  shunFutex,
  stopWaitingByPipe,
  Waits,
  waitByPipe,
  withdrawPipe,
} from './bell.ts';
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

/** A thread that parks, and answers each ring that it finds with what the bell is then. */
async function startParker() {
  const { words, buffer } = viewThreadBlock(createThreadBlock());
  /** Its last answer, and for how many milliseconds it waits. */
  const answers = new Int32Array(new SharedArrayBuffer(8));
  answers[1] = 60_000;
  const code = `
    import { workerData } from 'node:worker_threads';
    const { buffer, answers, bell } = workerData;
    const { ParkingBell } = await import(bell);
    const words = new Int32Array(buffer);
    const parking = new ParkingBell(words);
    for (;;) {
      const seen = Atomics.load(words, 0);
      Atomics.store(answers, 0, seen);
      Atomics.notify(answers, 0);
      parking.wait(seen, answers[1]);
    }`;
  const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(code)}`), {
    workerData: { buffer, answers, bell: import.meta.url.replace('.test.', '.') },
  });
  const failed = new Promise<never>((_, reject) => worker.once('error', reject));
  const parked = async (waits: number): Promise<void> => {
    while (Atomics.load(words, ThreadWord.waits) !== waits) await Promise.race([delay(5), failed]);
  };
  /** Gives it leisure, after which it parks by a futex. */
  const giveLeisure = async (): Promise<void> => {
    answers[1] = 60;
    ring(words);
    await parked(Waits.byFutex);
    answers[1] = 60_000;
    ring(words);
    await parked(Waits.byFutex);
  };
  return { words, answers, worker, parked, giveLeisure };
}

test('a ring wakes a thread that is parked, by whichever way; of 20,000 each answered before the next none is missed', async () => {
  const { words, answers, worker, parked, giveLeisure } = await startParker();
  for (const way of ['atomics', 'futex']) {
    if (way === 'futex') await giveLeisure();
    else await parked(Waits.byAtomics);
    assert.ok(isParked(words));
    const first = Atomics.load(words, ThreadWord.bell) + 1;
    for (let i = first; i < first + 20_000; i++) {
      for (let spins = (i * 7_919) % 500; spins > 0; spins--) Atomics.load(answers, 0);
      ring(words);
      while (Atomics.load(answers, 0) < i)
        assert.notEqual(Atomics.wait(answers, 0, i - 1, 5_000), 'timed-out', `ring ${i}, by ${way}`);
    }
  }
  shunFutex(words);
  await worker.terminate();
});

test('a thread that shuns futexes gives up its wait, and can be ended at once', {
  timeout: 30_000,
}, async () => {
  const { words, worker, parked, giveLeisure } = await startParker();
  await giveLeisure();
  shunFutex(words);
  await parked(Waits.byAtomics);
  await worker.terminate();
});

test('without leisure a thread parks without a futex', () => {
  const { words } = viewThreadBlock(createThreadBlock());
  const parking = new ParkingBell(words);
  parking.wait(1, 60_000);
  parking.wait(0, 1);
  assert.equal(Atomics.load(words, ThreadWord.waits), Waits.not);
  assert.ok(!isParked(words));
});

test('a thread that waits by its pipe can say that it is awake, and sees who has rung meanwhile', async () => {
  let told = 0;
  const { words, bell, close, count } = openBell('pipe', () => told++);
  assert.equal(stopWaitingByPipe(words), false, 'it does not wait');
  bell.arm(count());
  const seen = count();
  assert.equal(stopWaitingByPipe(words), true);
  ring(words);
  assert.equal(waitByPipe(words, seen), false);
  assert.equal(Atomics.load(words, ThreadWord.waits), Waits.not);
  assert.equal(waitByPipe(words, count()), true);
  await delay(20);
  assert.equal(told, 0, 'nothing was written');
  close();
});

test('a block says how its thread waits for as long as it does', () => {
  const { words, bell, close } = openBell('pipe', () => {});
  assert.equal(Atomics.load(words, ThreadWord.waits), Waits.not);
  bell.arm(0);
  assert.equal(Atomics.load(words, ThreadWord.waits), Waits.byPipe);
  bell.disarm();
  assert.equal(Atomics.load(words, ThreadWord.waits), Waits.not);
  Atomics.store(words, ThreadWord.waits, Waits.byFutex);
  bell.disarm();
  assert.equal(Atomics.load(words, ThreadWord.waits), Waits.byFutex, 'only what it has armed');
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
