import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type AppGraph, defaultPolicy } from '../../model/index.ts';
import { createSeededRandom } from '../../testing/index.ts';
import { deployment, graph, msu } from '../fixture.ts';
import { rightSizeDeviation } from './constants.ts';
import type { Estimate } from './estimate.ts';
import { LoadMemory } from './load-memory.ts';
import { Monitor } from './monitor.ts';
import { type RightSizing, rightSize } from './right-sizing.ts';
import type { TypeView } from './view.ts';

const { targetUtilization, calmMs } = defaultPolicy;
const tickMs = 100;

function hastyType(
  count: number,
  madeFor: number,
  options: Parameters<typeof msu>[1] = {},
  edge = 'io>work',
): { type: TypeView; app: AppGraph } {
  const app = graph([msu('io', { isEntry: true }), msu('work', { instancesMax: 1_000, ...options })], [edge]);
  const type = new Monitor(app, deployment({ a: { main: [['io'], ['work']] } })).type('work');
  type.madeFor = { load: madeFor, atMs: 0, tooFew: 1 };
  type.hasty = { count, load: new LoadMemory() };
  return { type, app };
}

/** Equal messages of `serviceMs`. */
function figures(inUse: number, serviceMs = 1): Estimate {
  return {
    spanMs: 1_000,
    serving: 1,
    capacity: 1,
    arrivalsPerSecond: 0,
    completionsPerSecond: 0,
    refusedPerSecond: 0,
    trueRatePerSecond: 1_000 / serviceMs,
    demand: inUse,
    inUse,
    arrivedInSpan: 0,
    completedInSpan: 0,
    utilization: 0,
    backlog: 0,
  };
}

/** Figures of so many seconds, which vary by `spread` about `load`; the first correction, if there is one. */
function correct(
  { type, app }: ReturnType<typeof hastyType>,
  count: number,
  load: number,
  { spread = 0, seconds = 1_000, seed = 1 }: { spread?: number; seconds?: number; seed?: number } = {},
): RightSizing | null {
  const random = createSeededRandom(seed);
  let inUse = load;
  for (let ms = 0; ms < seconds * 1_000; ms += tickMs) {
    // A figure covers a second, and so do the nine after it.
    if (ms % 1_000 === 0) inUse = load + spread * (2 * random() - 1);
    const correction = rightSize(type, figures(inUse), count, tickMs, app, defaultPolicy);
    if (correction !== null) return correction;
  }
  return null;
}

test('a count decided on in haste is put right to one, once, when the load is known to half an instance', () => {
  fc.assert(
    fc.property(
      fc.double({ min: 50, max: 300, noNaN: true }),
      fc.integer({ min: 60, max: 600 }),
      fc.double({ min: 0, max: 15, noNaN: true }),
      fc.integer({ min: 1, max: 1_000 }),
      (load, count, spread, seed) => {
        const hasty = hastyType(count, load);
        const best = Math.ceil(load / targetUtilization);
        const correction = correct(hasty, count, load, { spread, seed });
        if (correction === null) assert.ok(Math.abs(count - best) <= 3, `${count}, best ${best}`);
        else {
          // Four standard deviations at most, and what rounding adds.
          assert.ok(Math.abs(correction.wanted - best) <= 3, `${correction.wanted}, best ${best}`);
          assert.ok(Math.abs(correction.wanted - count) > 1, 'one more or less is not worth it');
          assert.ok(correction.knownMs >= calmMs && correction.deviation <= rightSizeDeviation);
        }
        assert.equal(hasty.type.hasty, null, 'taken for right');
        assert.equal(correct(hasty, count, 2 * load), null);
      },
    ),
  );
});

test('the more the figures differ, the longer it takes, and loads that never come to rest are left alone', () => {
  const knownMs = (spread: number): number =>
    correct(hastyType(300, 150), 300, 150, { spread })?.knownMs ?? Number.POSITIVE_INFINITY;
  assert.equal(Math.round(knownMs(0)), calmMs);
  const [some, more] = [knownMs(5), knownMs(10)];
  assert.ok(some > calmMs && more > 3 * some, `${some} ${more}`);
  assert.equal(knownMs(100), Number.POSITIVE_INFINITY);
});

test('it begins anew when there is overload or another count, and gives up when the load is over', () => {
  const hasty = hastyType(300, 150);
  const { type, app } = hasty;
  correct(hasty, 300, 150, { seconds: 19 });
  type.isOverloaded = true;
  assert.equal(rightSize(type, figures(150), 300, tickMs, app, defaultPolicy), null);
  type.isOverloaded = false;
  assert.equal(correct(hasty, 300, 150, { seconds: 19 }), null);
  assert.equal(rightSize(type, figures(150), 290, tickMs, app, defaultPolicy), null);
  assert.equal(correct(hasty, 290, 150, { seconds: 19 }), null);
  assert.equal(correct(hasty, 290, 150)?.wanted, Math.ceil(150 / targetUtilization));
  assert.equal(correct(hastyType(300, 150), 300, 75), null);
});

test('few keep what bursts need, and nothing goes below what was too few', () => {
  assert.equal(correct(hastyType(40, 9), 40, 9)?.wanted, 18, '9 / 0.7 = 13, and bursts need 9 + 3 √9');
  const burst = hastyType(40, 9);
  burst.type.madeFor = { load: 9, atMs: 0, tooFew: 30 };
  assert.equal(correct(burst, 40, 9)?.wanted, 31);
  assert.equal(
    correct(hastyType(40, 60, { instancesMax: 80 }), 40, 60)?.wanted,
    80,
    'and not beyond the cap',
  );
  const floor = hastyType(40, 9);
  floor.type.floor = 25;
  assert.equal(correct(floor, 40, 9)?.wanted, 25);
});

test('where several messages are in progress at a time and wait for other things, use asks for no more instances', () => {
  const options = { execution: 'async', concurrency: 16 } as const;
  assert.equal(correct(hastyType(60, 80, options), 60, 80), null);
  const computing = hastyType(60, 80, options);
  computing.type.isCpuBound = true;
  assert.equal(correct(computing, 60, 80)?.wanted, 115);
  assert.equal(correct(hastyType(300, 150, options), 300, 150)?.wanted, 215, 'but for fewer');
});

test('where messages reach only some of the instances, a mean over all says nothing', () => {
  assert.notEqual(correct(hastyType(300, 150), 300, 150), null);
  for (const routing of ['same-process', 'same-machine-as-origin'])
    assert.equal(correct(hastyType(300, 150, {}, `io>work:${routing}`), 300, 150), null);
});
