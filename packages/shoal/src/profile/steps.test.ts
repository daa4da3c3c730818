import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { add, type Exact, modulo, multiply, ratio, subtract } from './exact.ts';
import {
  addSteps,
  concatenate,
  differentiate,
  integrate,
  repeatSteps,
  type Steps,
  simplify,
  subtractSteps,
  total,
  valueAt,
  window,
} from './steps.ts';

const rational = fc
  .tuple(fc.integer({ min: 1, max: 60 }), fc.constantFrom(1, 2, 3, 7))
  .map(([n, d]) => ratio(n, d));
/** Steps of rational lengths from 0 on; adjoining rates may be equal. */
const anySteps: fc.Arbitrary<Steps> = fc
  .array(fc.tuple(rational, fc.integer({ min: 0, max: 5 })), { minLength: 1, maxLength: 8 })
  .map((pieces) => {
    const times: Exact[] = [];
    let time: Exact = 0;
    for (const [length] of pieces) {
      times.push(time);
      time = add(time, length);
    }
    return { times, rates: pieces.map(([, rate]) => rate), end: time };
  });

test('the rate of cumulative data is the rate that it was made from', () => {
  fc.assert(
    fc.property(anySteps, (steps) => assert.deepEqual(differentiate(integrate(steps)), simplify(steps))),
  );
});

test('adding and then subtracting a function changes nothing', () => {
  fc.assert(
    fc.property(anySteps, anySteps, (a, b) => {
      const other = window(b, 0, a.end);
      assert.deepEqual(subtractSteps(addSteps(a, other), other), simplify(a));
    }),
  );
});

test('repeated n times, a function has n times its data and the same value at the same place of each period', () => {
  fc.assert(
    fc.property(anySteps, fc.integer({ min: 1, max: 5 }), rational, (steps, count, time) => {
      const repeated = repeatSteps(steps, count);
      assert.deepEqual(total(repeated), multiply(total(steps), count));
      const data = integrate(repeatSteps(steps, count + 1));
      const offset = modulo(time, steps.end);
      const rise = subtract(valueAt(data, add(offset, steps.end)), valueAt(data, offset));
      assert.deepEqual(rise, total(steps));
    }),
  );
});

test('windows of any size put together are the whole', () => {
  fc.assert(
    fc.property(anySteps, fc.array(rational, { minLength: 1, maxLength: 6 }), (steps, sizes) => {
      let whole: Steps | undefined;
      let from: Exact = 0;
      for (const size of sizes) {
        const to = add(from, size);
        const part = window(steps, from, to);
        whole = whole === undefined ? part : concatenate(whole, part);
        from = to;
      }
      assert.deepEqual(whole, window(steps, 0, from));
    }),
  );
});
