import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  add,
  compare,
  denominatorOf,
  divide,
  type Exact,
  equal,
  exact,
  Fraction,
  floor,
  formatExact,
  gcd,
  lcm,
  modulo,
  multiply,
  numeratorOf,
  parseExact,
  ratio,
  subtract,
  toNumber,
} from './exact.ts';

const big = fc.bigInt({ min: -(2n ** 70n), max: 2n ** 70n });
const exacts: fc.Arbitrary<Exact> = fc.oneof(
  fc.maxSafeInteger().map((value) => value + 0),
  fc
    .tuple(big, fc.bigInt({ min: 1n, max: 2n ** 40n }))
    .map(([numerator, denominator]) => ratio(numerator, denominator)),
  fc.tuple(fc.integer(), fc.integer({ min: 1, max: 100_000 })).map(([n, d]) => ratio(n, d)),
  fc.tuple(fc.integer(), fc.constantFrom(2, 6, 12, 60)).map(([n, d]) => ratio(n, d)),
);

/** Both operands over one denominator: the definition, with nothing clever in it. */
function over(a: Exact, b: Exact): [bigint, bigint, bigint] {
  const d = denominatorOf(a) * denominatorOf(b);
  return [numeratorOf(a) * denominatorOf(b), numeratorOf(b) * denominatorOf(a), d];
}

/** The same value in the same representation. */
function same(got: Exact | undefined, wanted: Exact): void {
  assert.ok(got !== undefined);
  if (typeof got === 'number' || typeof wanted === 'number') {
    assert.ok(Object.is(got, wanted), `${got} is not ${wanted}`);
  } else {
    assert.deepEqual([got.n, got.d, String(got)], [wanted.n, wanted.d, String(wanted)]);
  }
}

function wellFormed(value: Exact): void {
  if (typeof value === 'number') {
    assert.ok(Number.isSafeInteger(value) && !Object.is(value, -0));
  } else {
    assert.ok(value instanceof Fraction && value.denominator > 0n);
    assert.ok(value.denominator > 1n || !Number.isSafeInteger(Number(value.numerator)));
    same(ratio(value.numerator, value.denominator), value);
  }
}

test('sums, differences, products, quotients and order agree with the definition and stay canonical', () => {
  fc.assert(
    fc.property(exacts, exacts, (a, b) => {
      const [x, y, d] = over(a, b);
      const results: [Exact, Exact][] = [
        [add(a, b), ratio(x + y, d)],
        [subtract(a, b), ratio(x - y, d)],
        [multiply(a, b), ratio(x * y, d * d)],
      ];
      if (y !== 0n) results.push([divide(a, b), ratio(x, y)]);
      for (const [got, wanted] of results) {
        wellFormed(got);
        same(got, wanted);
      }
      assert.equal(Math.sign(compare(a, b)), x < y ? -1 : x > y ? 1 : 0);
      assert.equal(equal(a, b), x === y);
    }),
    { numRuns: 2000 },
  );
});

test('floor and modulo split a value into whole multiples and a rest in [0, b)', () => {
  fc.assert(
    fc.property(exacts, exacts, (a, b) => {
      const positive = compare(b, 0) === 0 ? 1 : compare(b, 0) < 0 ? subtract(0, b) : b;
      const rest = modulo(a, positive);
      assert.ok(compare(rest, 0) >= 0 && compare(rest, positive) < 0);
      assert.equal(denominatorOf(divide(subtract(a, rest), positive)), 1n);
      assert.ok(compare(floor(a), a) <= 0 && compare(add(floor(a), 1), a) > 0);
    }),
    // Rounding down leaves the safe range where rounding towards 0 does not.
    { examples: [[-8757969126369241, 364915380265353]] },
  );
});

test('the least common multiple of rational periods is a whole number of each and no smaller one is', () => {
  const periods = fc.tuple(fc.integer({ min: 1, max: 60 }), fc.integer({ min: 1, max: 12 }));
  fc.assert(
    fc.property(periods, periods, ([n1, d1], [n2, d2]) => {
      const [a, b] = [ratio(n1, d1), ratio(n2, d2)];
      let multiple: Exact = a;
      while (denominatorOf(divide(multiple, b)) !== 1n) multiple = add(multiple, a);
      same(lcm(a, b), multiple);
      same(multiply(gcd(a, b), lcm(a, b)), multiply(a, b));
    }),
  );
  same(lcm(exact('0.4'), exact('0.6')), exact('1.2'));
});

test('what formatExact writes, parseExact reads back', () => {
  fc.assert(fc.property(exacts, (value) => same(parseExact(formatExact(value)), value)));
  assert.equal(formatExact(exact(0.1)), '0.1');
  assert.equal(formatExact(exact('-2.9375')), '-2.9375');
  assert.equal(formatExact(ratio(1, 3)), '1/3');
});

test('a decimal number is read as what was written, not as the nearest double', () => {
  same(exact(0.1), ratio(1, 10));
  assert.deepEqual(exact('1e6'), 1_000_000);
  same(exact('0.30000000000000004'), ratio(30000000000000004n, 10n ** 17n));
  for (const text of ['', '.', 'e5', '1/0', '0x10', 'NaN', 'Infinity', '1 2', '9'.repeat(201), '1e9999']) {
    assert.equal(parseExact(text), undefined, text);
  }
});

test('the nearest double of a fraction is the one that its decimal text gives', () => {
  fc.assert(
    fc.property(big, fc.integer({ min: 0, max: 40 }), (digits, places) => {
      const value = ratio(digits, 10n ** BigInt(places));
      assert.equal(toNumber(value), Number(`${digits}e-${places}`));
    }),
  );
});
