import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { analyze } from './analyze.ts';
import { add, exact, less, multiply, ratio } from './exact.ts';
import { createProfile, ratesOf } from './profile.ts';
import { integrate, total, valueAt } from './steps.ts';
import { tdmaBounds, tdmaProfile } from './tdma.ts';
import { everySecond, rowsOf } from './test-support/example-systems.ts';

test('over every TDMA period within an interval the slots carry what the profile promises', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 6 }),
      fc.nat(),
      fc.constantFrom(ratio(1, 2), ratio(1, 4), ratio(1, 5)),
      (slots, pick, period) => {
        const profile = everySecond([800, 850, 0, 1024], { kind: 'provided' });
        const slotted = tdmaProfile(profile, { slots, activeSlot: pick % slots, periodSeconds: period });
        assert.deepEqual(total(ratesOf(slotted)), total(ratesOf(profile)));
        const [data, slottedData] = [integrate(ratesOf(profile)), integrate(ratesOf(slotted))];
        for (let k = 0; less(multiply(k, period), 10); k += 1) {
          assert.deepEqual(valueAt(slottedData, multiply(k, period)), valueAt(data, multiply(k, period)));
        }
      },
    ),
  );
});

test('slots cost a sender no more delay and buffer than the formulas say', () => {
  const period = exact('0.5');
  const effective = createProfile({
    kind: 'provided',
    node: 'a',
    periodSeconds: 10,
    rows: rowsOf([[0, 1000]]),
  });
  const slot = multiply(period, ratio(1, 4));
  const bounds = tdmaBounds(4000, slot, period);
  for (const rate of [250, 600, 999, 1000]) {
    const sender = createProfile({
      kind: 'required',
      node: 'a',
      periodSeconds: 10,
      rows: rowsOf([[0, rate]]),
    });
    for (let activeSlot = 0; activeSlot < 4; activeSlot += 1) {
      const slotted = tdmaProfile(effective, { slots: 4, activeSlot, periodSeconds: period });
      const hop = analyze({ profiles: [sender, slotted] }, { periods: 3 }).flows[0]!.hops[0]!;
      assert.ok(!less(bounds.extraDelaySeconds, hop.delay.seconds));
      assert.ok(!less(bounds.extraBufferBits, hop.buffer.bits));
    }
  }
  assert.deepEqual(add(bounds.extraDelaySeconds, slot), period);
});

test('slots that make no sense are refused', () => {
  const profile = everySecond([1], { kind: 'provided' });
  const bad = [
    { slots: 0, activeSlot: 0, periodSeconds: 1 },
    { slots: 4, activeSlot: 4, periodSeconds: 1 },
    { slots: 4, activeSlot: 1.5, periodSeconds: 1 },
    { slots: 4, activeSlot: 0, periodSeconds: 0 },
    { slots: 4, activeSlot: 0, periodSeconds: ratio(1, 10_000_000) },
  ];
  for (const options of bad) assert.throws(() => tdmaProfile(profile, options), RangeError);
  assert.throws(() => tdmaBounds(1, 2, 1), /at most the TDMA period/);
});
