// Every figure that the documents of the published system print, the documented rule and the exact one side by side.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type AnalyzeOptions, analyze } from './analyze.ts';
import { divide, type Exact, exact, ratio, toNumber } from './exact.ts';
import { calculusBounds, documentedCurve, hopBounds } from './network-calculus.ts';
import { createProfile, ratesOf, type TrafficProfile } from './profile.ts';
import type { HopResult } from './result.ts';
import { integrate, valueAt } from './steps.ts';
import { tdmaBounds, tdmaProfile } from './tdma.ts';
import {
  everySecond,
  exampleProvided,
  exampleRequired,
  measuredProvided,
  overloadedProvided,
  routingSystem,
  singleLink,
} from './test-support/example-systems.ts';

/** The published tool: first time out minus first time in, and only the first hyperperiod handed on. */
const documented: AnalyzeOptions = { delayRule: 'left', composition: 'first-period' };

function hopsOf(profiles: readonly TrafficProfile[], options: AnalyzeOptions): readonly HopResult[] {
  return analyze({ profiles }, options).flows[0]!.hops;
}

function buffer(hop: HopResult | undefined): [number, number] {
  return [toNumber(hop!.buffer.timeSeconds), toNumber(hop!.buffer.bits)];
}

function delay(hop: HopResult | undefined): [number, number] {
  return [toNumber(hop!.delay.timeSeconds), toNumber(hop!.delay.seconds)];
}

const backlogs = (hop: HopResult | undefined): number[] => hop!.backlogBitsAtHyperperiods.map(toNumber);

test('system 1 over one period: the documented 189000 bits and 3.0 s; exactly 3.035455 s, still queued', () => {
  const [link, receiver] = hopsOf(singleLink(exampleProvided), { ...documented, periods: 1 });
  assert.deepEqual(buffer(link), [5, 189_000]);
  assert.deepEqual(delay(link), [7, 3]);
  assert.deepEqual(
    [buffer(receiver), delay(receiver)],
    [
      [7, 150_000],
      [7, 3],
    ],
  );
  assert.deepEqual(backlogs(link), [39_000]);
  const [exactLink] = hopsOf(singleLink(exampleProvided), { periods: 1 });
  assert.deepEqual(exactLink!.delay.seconds, divide(exact(3339), 1100));
  assert.equal(toNumber(exactLink!.delay.seconds).toFixed(6), '3.035455');
  assert.equal(exactLink!.unservedBits, 39_000);
  assert.equal(toNumber(exactLink!.servedDelay.seconds).toFixed(6), '0.188060', 'bits that did leave');
  const [, exactReceiver] = hopsOf(singleLink(exampleProvided), { periods: 1 });
  assert.deepEqual([buffer(exactLink), buffer(exactReceiver)], [buffer(link), buffer(receiver)]);
  assert.deepEqual(delay(exactReceiver), [6.875, 3.125], 'the oldest of the 150000 bits still queued');
});

test('system 1 over two periods: the documented 3.043333 s and 3.1875 s; over the full horizon 189000 bits at the receiver', () => {
  const [link, receiver] = hopsOf(singleLink(exampleProvided), { ...documented, periods: 2 });
  assert.deepEqual(buffer(link), [5, 189_000]);
  assert.deepEqual(link!.delay, { timeSeconds: 7, seconds: ratio(913, 300) });
  assert.equal(toNumber(link!.delay.seconds).toFixed(11), '3.04333333333');
  assert.deepEqual(
    [buffer(receiver), delay(receiver)],
    [
      [7, 150_000],
      [7, 3.1875],
    ],
  );
  assert.deepEqual(backlogs(link), [39_000, 39_000]);
  const result = analyze({ profiles: singleLink(exampleProvided) }, { periods: 2 });
  const [exactLink, exactReceiver] = result.flows[0]!.hops;
  assert.deepEqual(exactLink!.delay, { timeSeconds: 7, seconds: ratio(913, 300) }, 'here both rules agree');
  assert.deepEqual(buffer(exactLink), [5, 189_000]);
  assert.deepEqual(buffer(exactReceiver), [10.39, 189_000]);
  assert.deepEqual(delay(exactReceiver), [7, 3.1875], 'and here');
  assert.deepEqual([result.stable, result.growthBitsPerHyperperiod], [true, 0]);
});

test('system 2: the documented 208000 bits and 3.04875 s with a growing buffer; exactly 19000 bits a period', () => {
  const profiles = singleLink(overloadedProvided);
  const [once] = hopsOf(profiles, { ...documented, periods: 1 });
  assert.deepEqual(
    [buffer(once), delay(once)],
    [
      [5, 189_000],
      [7, 3],
    ],
  );
  const [link] = hopsOf(profiles, { ...documented, periods: 2 });
  assert.deepEqual(
    [buffer(link), delay(link)],
    [
      [15, 208_000],
      [7, 3.04875],
    ],
  );
  assert.deepEqual(backlogs(link), [39_000, 58_000]);
  const result = analyze({ profiles }, { periods: 2 });
  const exactLink = result.flows[0]!.hops[0]!;
  assert.deepEqual([result.stable, result.growthBitsPerHyperperiod], [false, 19_000]);
  assert.deepEqual(buffer(exactLink), [15, 208_000]);
  assert.deepEqual(exactLink.servedDelay, { timeSeconds: 7, seconds: exact('3.04875') });
  assert.equal(exactLink.unservedBits, 58_000);
  // The first of the 58000 bits still queued has waited longer already than any bit that left.
  assert.equal(toNumber(exactLink.delay.seconds).toFixed(6), '3.052727');
});

test('the measured system: 64000 bits and 0.0625 s by either rule, over one period or three', () => {
  const profiles = singleLink(measuredProvided);
  for (const periods of [1, 2, 3]) {
    for (const options of [{ ...documented, periods }, { periods }]) {
      const [link] = hopsOf(profiles, options);
      assert.deepEqual(buffer(link), [3, 64_000]);
      assert.deepEqual(delay(link), [2.9375, 0.0625]);
      assert.deepEqual(backlogs(link), Array(periods).fill(0));
    }
  }
  const [link] = hopsOf(profiles, { periods: 1, curves: true });
  const { required, provided, output } = link!.curves!;
  const at = (time: Exact): Exact[] =>
    [required, provided, output].map((steps) => valueAt(integrate(steps), time));
  // The published picture: the buffer is the vertical line at 3 s, the delay the horizontal one at 2610000 bits.
  assert.deepEqual(at(3), [2_674_000, 2_640_000, 2_610_000]);
  assert.equal(at(exact('2.9375'))[0], 2_610_000);
});

test('the measured system by network calculus: the documented 3155000 bits and 3.0 s; more with windows that wrap', () => {
  const [required, provided] = singleLink(measuredProvided).map((profile) => ratesOf(profile));
  const bounds = calculusBounds(documentedCurve(required!, 'max'), documentedCurve(provided!, 'min'));
  assert.deepEqual(bounds, { buffer: { time: 3, value: 3_155_000 }, delay: { time: 0, value: 3 } });
  const [link] = hopsOf(singleLink(measuredProvided), { periods: 2, curves: true });
  const wrapped = hopBounds(link!, 10)!;
  // A window of 4 s over the end of a period offers 800000 bits, not the 1200000 of one within it.
  assert.deepEqual(wrapped.buffer, { time: 5, value: 5_179_000 - 1_680_000 });
  // α reaches the 2640000 bits that 6 s offer at least (7 s to 13 s) after 2 s and 490000 bits at 1005000 bit/s.
  assert.deepEqual(wrapped.delay, { time: ratio(500, 201), value: ratio(706, 201) });
});

test('routing: the documented 8.96 s and 15.7775 s are sums of per-hop maxima; the exact maxima are far lower', () => {
  const { profiles, network } = routingSystem();
  const [high, low] = analyze({ profiles, network }, { ...documented, periods: 1 }).flows;
  assert.deepEqual(high!.hops.map(buffer), [
    [5, 18_900],
    [7.1, 11_900],
    [10, 14_900],
  ]);
  assert.deepEqual(
    high!.hops.map((hop) => toNumber(hop.delay.seconds)),
    [3.01, 3, 2.95],
  );
  assert.equal(toNumber(high!.endToEnd.sumOfHopDelaysSeconds), 8.96);
  assert.deepEqual(
    low!.hops.map((hop) => toNumber(hop.delay.seconds)),
    [3.01, 9.7825, 2.985],
  );
  assert.equal(toNumber(low!.endToEnd.sumOfHopDelaysSeconds), 15.7775);
  // By the exact rule each maximum counts the bits that are still queued at the end of the only period as well.
  const [exactHigh, exactLow] = analyze({ profiles, network }, { periods: 1 }).flows;
  assert.deepEqual(
    exactHigh!.hops.map((hop) => toNumber(hop.delay.seconds)),
    [3.01, 3, 3],
  );
  assert.deepEqual(
    exactLow!.hops.map((hop) => hop.delay.seconds),
    [exact('3.01'), ratio(11_827, 1200), 3],
  );
  for (const periods of [1, 2]) {
    const [first, second] = analyze({ profiles, network }, { periods }).flows;
    assert.equal(toNumber(first!.endToEnd.delaySeconds).toFixed(6), '3.253636');
    assert.equal(toNumber(second!.endToEnd.delaySeconds).toFixed(6), '13.016364');
  }
});

test('three senders into one receive buffer: the predicted 382000 bits at 3 s', () => {
  const taken = [2400e3, 2480e3, 2760e3, 3024e3, 3040e3, 3320e3, 3600e3];
  const senders = ['1', '3', '4'].flatMap((node) => [
    everySecond(exampleRequired, { kind: 'required', node, name: `source ${node}` }),
    createProfile({
      kind: 'provided',
      node,
      periodSeconds: 10,
      rows: [{ timeSeconds: 0, meanBitsPerSecond: 10_000_000 }],
    }),
  ]);
  const sink = everySecond(taken, { kind: 'receiver', node: '2' });
  const result = analyze({ profiles: [...senders, sink] });
  assert.equal(result.flows.length, 3);
  for (const flow of result.flows) {
    assert.deepEqual(buffer(flow.hops[1]), [3, 382_000]);
    assert.equal(flow.hops[1]!.sharedWith.length, 2);
  }
});

test('TDMA: the generator reproduces the documented rows, and the formulas their values', () => {
  const profile = everySecond(measuredProvided, { kind: 'provided', node: 'namek' });
  const slotted = tdmaProfile(profile, { slots: 4, activeSlot: 1, periodSeconds: exact('0.5') });
  const rows = slotted.rows.map((row): [number, number] => [
    toNumber(row.timeSeconds),
    toNumber(row.meanBitsPerSecond),
  ]);
  assert.equal(rows.filter(([time]) => time < 7).length, 56);
  assert.deepEqual(rows.slice(0, 6), [
    [0, 0],
    [0.125, 3_200_000],
    [0.25, 0],
    [0.375, 0],
    [0.5, 0],
    [0.625, 3_200_000],
  ]);
  const bounds = tdmaBounds(3_200_000, exact('0.125'), exact('0.5'));
  const values: [Exact, number][] = [
    [bounds.effectiveBitsPerSecond, 800_000],
    [bounds.extraDelaySeconds, 0.375],
    [bounds.extraBufferBits, 300_000],
  ];
  for (const [value, wanted] of values) assert.equal(toNumber(value), wanted);
});
