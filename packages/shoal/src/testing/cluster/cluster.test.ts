import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { machineId } from '../../model/index.ts';
import { FakeClock } from '../fake-clock.ts';
import { createSeededRandom, exponential } from '../seeded-random.ts';
import { Agenda } from './agenda.ts';
import { SimulatedMachine, SimulatedThread } from './machine.ts';

test('an agenda gives things back in order of time, and at one time in the order of entry', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 20 })), (times) => {
      const agenda = new Agenda();
      const taken: [number, number][] = [];
      for (const [index, time] of times.entries()) agenda.at(time, () => taken.push([time, index]));
      while (agenda.nextMs < Number.POSITIVE_INFINITY) agenda.take()();
      const sorted = times
        .map((time, index): [number, number] => [time, index])
        .toSorted((a, b) => a[0] - b[0]);
      assert.deepEqual(taken, sorted);
    }),
  );
});

function run(
  cores: number,
  otherCores: number,
  nices: readonly number[],
): { machine: SimulatedMachine; threads: SimulatedThread[] } {
  const machine = new SimulatedMachine(machineId('a'), cores, 2 ** 30);
  machine.otherCores = otherCores;
  const threads = nices.map((nice, index) => new SimulatedThread(index, `t${index}`, nice, machine));
  for (const thread of threads) {
    thread.remainingMs = 1_000;
    machine.running.push(thread);
  }
  machine.share();
  return { machine, threads };
}

test('cores are shared out wholly, nobody gets more than one, and time adds up', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 8 }),
      fc.double({ min: 0, max: 4, noNaN: true }),
      fc.array(fc.integer({ min: 0, max: 19 }), { minLength: 1, maxLength: 12 }),
      (cores, otherCores, nices) => {
        const { machine, threads } = run(cores, otherCores, nices);
        const free = Math.max(0.05, cores - otherCores);
        const used = threads.reduce((sum, { speed }) => sum + speed, 0);
        assert.ok(Math.abs(used - Math.min(free, threads.length)) < 1e-9, `${used} of ${free}`);
        assert.ok(threads.every(({ speed }) => speed > 0 && speed <= 1));
        machine.advance(10);
        for (const { cpuMs, waitMs } of threads) assert.ok(Math.abs(cpuMs + waitMs - 10) < 1e-9);
      },
    ),
  );
});

test('a thread that is ten steps nicer gets about a tenth of the share', () => {
  const { threads } = run(1, 0, [0, 10]);
  assert.ok(Math.abs((threads[0]?.speed ?? 0) / (threads[1]?.speed ?? 1) - 1.25 ** 10) < 1e-9);
});

test('chance repeats by its seed, differs by seed, and has the mean that it is told', () => {
  const take = (seed: number): number[] => Array.from({ length: 5 }, createSeededRandom(seed));
  assert.deepEqual(take(7), take(7));
  assert.notDeepEqual(take(7), take(8));
  const random = createSeededRandom(1);
  let sum = 0;
  for (let i = 0; i < 100_000; i++) sum += exponential(random, 20);
  assert.ok(Math.abs(sum / 100_000 - 20) < 0.3, `${sum / 100_000}`);
});

test('a fake clock stands still until it is moved, and never goes back', () => {
  const clock = new FakeClock(5);
  assert.equal(clock.now(), 5);
  clock.advance(2.5);
  assert.equal(clock.now(), 7.5);
  assert.throws(() => clock.set(7), RangeError);
});
