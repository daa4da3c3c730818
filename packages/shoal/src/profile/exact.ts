/**
 * Exact rational numbers, fast where they are integers.
 *
 * An {@link Exact} is a plain `number` when it is a safe integer, and a {@link Fraction} otherwise. Each value has
 * exactly one representation, so most of an analysis (which runs on an integer grid, see `grid.ts`) is ordinary
 * integer arithmetic in doubles, and nothing is ever rounded: a result that leaves the safe range, or that is not
 * whole, becomes a fraction, of two doubles while both parts are safe integers and of two `bigint`s beyond.
 *
 * Invariants
 * - E1 a `number` is a safe integer and is not −0;
 * - E2 a `Fraction` is in lowest terms, its denominator is positive, and it is not a safe integer.
 */
export type Exact = number | Fraction;

/** A rational that is not a safe integer; made only by the functions of this file. */
export class Fraction {
  /** Numerator and denominator as doubles when both are safe integers; else both are 0. */
  readonly n: number;
  readonly d: number;
  readonly #numerator: bigint;
  readonly #denominator: bigint;

  constructor(n: number, d: number, numerator: bigint, denominator: bigint) {
    this.n = n;
    this.d = d;
    this.#numerator = numerator;
    this.#denominator = denominator;
  }

  get numerator(): bigint {
    return this.d === 0 ? this.#numerator : BigInt(this.n);
  }

  get denominator(): bigint {
    return this.d === 0 ? this.#denominator : BigInt(this.d);
  }

  toString(): string {
    return this.denominator === 1n ? `${this.numerator}` : `${this.numerator}/${this.denominator}`;
  }
}

const maxSafe = Number.MAX_SAFE_INTEGER;
const maxSafeBig = BigInt(maxSafe);

function isSafe(value: number): boolean {
  return value <= maxSafe && value >= -maxSafe;
}

/** A small fraction from parts that are safe and in lowest terms; the denominator is positive. */
function small(n: number, d: number): Exact {
  return d === 1 ? n + 0 : new Fraction(n, d, 0n, 0n);
}

/** As {@link small}, after cancelling what the parts have in common. */
function reduced(n: number, d: number): Exact {
  const common = gcdNumber(n < 0 ? -n : n, d);
  return common === 1 ? small(n, d) : small(n / common, d / common);
}

function gcdBig(a: bigint, b: bigint): bigint {
  let x = a < 0n ? -a : a;
  let y = b < 0n ? -b : b;
  while (y !== 0n) {
    // Two small operands are finished in doubles, which is several times faster than in bigints.
    if (x <= maxSafeBig && y <= maxSafeBig) return BigInt(gcdNumber(Number(x), Number(y)));
    [x, y] = [y, x % y];
  }
  return x;
}

function gcdNumber(a: number, b: number): number {
  let x = a;
  let y = b;
  // Beyond 31 bits `%` is a call into the C library; below, one instruction.
  while (y > 0x3fffffff || x > 0x3fffffff) {
    if (y === 0) return x;
    const rest = x % y;
    x = y;
    y = rest;
  }
  return gcdInt32(x, y);
}

function gcdInt32(a: number, b: number): number {
  let x = a | 0;
  let y = b | 0;
  while (y !== 0) {
    const rest = (x % y) | 0;
    x = y;
    y = rest;
  }
  return x;
}

/** The exact value `numerator / denominator`. Throws a RangeError when the denominator is 0. */
export function ratio(numerator: bigint | number, denominator: bigint | number): Exact {
  let n = BigInt(numerator);
  let d = BigInt(denominator);
  if (d === 0n) throw new RangeError('division by zero');
  if (d < 0n) {
    n = -n;
    d = -d;
  }
  const common = gcdBig(n, d);
  if (common > 1n) {
    n /= common;
    d /= common;
  }
  const isSmall = n <= maxSafeBig && n >= -maxSafeBig && d <= maxSafeBig;
  return isSmall ? small(Number(n), Number(d)) : new Fraction(0, 0, n, d);
}

/** Numerator in lowest terms. */
export function numeratorOf(value: Exact): bigint {
  return typeof value === 'number' ? BigInt(value) : value.numerator;
}

/** Denominator in lowest terms, always positive. */
export function denominatorOf(value: Exact): bigint {
  return typeof value === 'number' ? 1n : value.denominator;
}

/** `a + b`, exactly. */
export function add(a: Exact, b: Exact): Exact {
  if (typeof a === 'number') {
    if (typeof b === 'number') {
      const sum = a + b;
      if (isSafe(sum)) return sum;
    } else if (b.d !== 0) {
      const n = a * b.d + b.n;
      if (isSafe(n) && isSafe(a * b.d)) return new Fraction(n, b.d, 0n, 0n);
    }
  } else if (a.d !== 0) {
    if (typeof b === 'number') return add(b, a);
    if (b.d !== 0) return addSmall(a.n, a.d, b.n, b.d) ?? addBig(a, b);
  }
  return addBig(a, b);
}

/** `p/q + r/s`, or `undefined` when a step leaves the safe range. */
function addSmall(p: number, q: number, r: number, s: number): Exact | undefined {
  const common = q === s ? q : gcdNumber(q, s);
  const left = p * (s / common);
  const right = r * (q / common);
  const n = left + right;
  const d = (q / common) * s;
  if (!isSafe(left) || !isSafe(right) || !isSafe(n) || !isSafe(d)) return undefined;
  return common === 1 ? small(n, d) : reduced(n, d);
}

function addBig(a: Exact, b: Exact): Exact {
  const [p, q, r, s] = [numeratorOf(a), denominatorOf(a), numeratorOf(b), denominatorOf(b)];
  return q === s ? ratio(p + r, q) : ratio(p * s + r * q, q * s);
}

export function negate(a: Exact): Exact {
  if (typeof a === 'number') return 0 - a;
  return a.d === 0 ? new Fraction(0, 0, -a.numerator, a.denominator) : new Fraction(-a.n, a.d, 0n, 0n);
}

/** `a - b`, exactly. */
export function subtract(a: Exact, b: Exact): Exact {
  if (typeof a === 'number' && typeof b === 'number') {
    const difference = a - b;
    if (isSafe(difference)) return difference;
  }
  return add(a, negate(b));
}

/** `a · b`, exactly. */
export function multiply(a: Exact, b: Exact): Exact {
  if (typeof a === 'number' && typeof b === 'number') {
    const product = a * b;
    // Rounding is monotone, so a product that rounds into the safe range was exact. `+ 0` turns −0 into 0.
    if (isSafe(product)) return product + 0;
  } else {
    const [p, q, r, s] = [partN(a), partD(a), partN(b), partD(b)];
    if (q !== 0 && s !== 0) {
      const n = p * r;
      const d = q * s;
      if (isSafe(n) && isSafe(d)) return reduced(n, d);
    }
  }
  return ratio(numeratorOf(a) * numeratorOf(b), denominatorOf(a) * denominatorOf(b));
}

function partN(a: Exact): number {
  return typeof a === 'number' ? a : a.n;
}

function partD(a: Exact): number {
  return typeof a === 'number' ? 1 : a.d;
}

/** `a / b`. Throws a RangeError when `b` is 0. */
export function divide(a: Exact, b: Exact): Exact {
  if (typeof b === 'number') {
    if (b === 0) throw new RangeError('division by zero');
    if (typeof a === 'number') {
      const quotient = a / b;
      if (Math.trunc(quotient) === quotient && quotient * b === a) return quotient + 0;
    }
  }
  const [p, q, r, s] = [partN(a), partD(a), partN(b), partD(b)];
  if (q !== 0 && s !== 0) {
    const n = r < 0 ? -(p * s) : p * s;
    const d = r < 0 ? -(q * r) : q * r;
    if (isSafe(n) && isSafe(d)) return reduced(n, d);
  }
  return ratio(numeratorOf(a) * denominatorOf(b), denominatorOf(a) * numeratorOf(b));
}

/** Negative, 0 or positive as `a` is less than, equal to or greater than `b`. */
export function compare(a: Exact, b: Exact): number {
  if (typeof a === 'number' && typeof b === 'number') return a - b;
  const [p, q, r, s] = [partN(a), partD(a), partN(b), partD(b)];
  if (q !== 0 && s !== 0) {
    // Two correctly rounded quotients further apart than their rounding are in the order of the exact values.
    const [x, y] = [p / q, r / s];
    if (Math.abs(x - y) > (Math.abs(x) + Math.abs(y)) * 2 ** -51) return x - y;
    const left = p * s;
    const right = r * q;
    if (isSafe(left) && isSafe(right)) return left - right;
  }
  const left = numeratorOf(a) * denominatorOf(b);
  const right = numeratorOf(b) * denominatorOf(a);
  return left < right ? -1 : left > right ? 1 : 0;
}

/** Whether both are the same number. */
export function equal(a: Exact, b: Exact): boolean {
  if (typeof a === 'number' || typeof b === 'number') return a === b;
  if (a.d !== 0 || b.d !== 0) return a.n === b.n && a.d === b.d;
  return a.numerator === b.numerator && a.denominator === b.denominator;
}

export function less(a: Exact, b: Exact): boolean {
  return typeof a === 'number' && typeof b === 'number' ? a < b : compare(a, b) < 0;
}

/** Negative, 0 or positive as `a` is. */
export function sign(a: Exact): number {
  if (typeof a === 'number') return a;
  if (a.d !== 0) return a.n;
  return a.numerator < 0n ? -1 : 1;
}

export function min(a: Exact, b: Exact): Exact {
  return less(b, a) ? b : a;
}

export function max(a: Exact, b: Exact): Exact {
  return less(a, b) ? b : a;
}

/** The greatest whole number that is not above `a`. */
export function floor(a: Exact): Exact {
  if (typeof a === 'number') return a;
  if (a.d !== 0) {
    const rest = a.n % a.d;
    // Towards 0 first: every step stays within the safe range.
    const quotient = (a.n - rest) / a.d;
    return (rest < 0 ? quotient - 1 : quotient) + 0;
  }
  const quotient = a.numerator / a.denominator;
  return ratio(a.numerator < 0n && quotient * a.denominator !== a.numerator ? quotient - 1n : quotient, 1n);
}

/** `a − b·⌊a / b⌋` for positive `b`: in `[0, b)`. */
export function modulo(a: Exact, b: Exact): Exact {
  return subtract(a, multiply(b, floor(divide(a, b))));
}

/** Greatest rational that divides both a whole number of times; `gcd(0, b) = b`. Both at least 0. */
export function gcd(a: Exact, b: Exact): Exact {
  if (typeof a === 'number' && typeof b === 'number') return gcdNumber(a, b);
  const [p, q, r, s] = [numeratorOf(a), denominatorOf(a), numeratorOf(b), denominatorOf(b)];
  return ratio(gcdBig(p * s, r * q), q * s);
}

/** Least positive rational that both divide a whole number of times: the hyperperiod of two periods. */
export function lcm(a: Exact, b: Exact): Exact {
  return multiply(divide(a, gcd(a, b)), b);
}

/** The nearest double. */
export function toNumber(a: Exact): number {
  if (typeof a === 'number') return a;
  if (a.d !== 0) return a.n / a.d;
  const { numerator, denominator } = a;
  // 64 significant bits of quotient and a sticky bit round to the same double as the exact value.
  const magnitude = numerator < 0n ? -numerator : numerator;
  const shift = BigInt(66 - magnitude.toString(16).length * 4 + denominator.toString(16).length * 4);
  const scaled = shift >= 0n ? magnitude << shift : magnitude;
  const divisor = shift >= 0n ? denominator : denominator << -shift;
  const quotient = (scaled / divisor) | (scaled % divisor === 0n ? 0n : 1n);
  const result = Number(quotient) * 2 ** -Number(shift);
  return numerator < 0n ? -result : result;
}

const decimalPattern = /^([+-]?)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d{1,4}))?$/;
/** Longest text of one number that is read, in characters: keeps hostile input from costing much. */
const numberTextMaxCharacters = 200;

/**
 * Reads `12`, `-0.5`, `1e6` or `1/3` exactly. Returns `undefined` for anything else, including numbers longer than
 * 200 characters.
 */
export function parseExact(text: string): Exact | undefined {
  const trimmed = text.trim();
  if (trimmed.length === 0 || trimmed.length > numberTextMaxCharacters) return undefined;
  const slash = trimmed.indexOf('/');
  if (slash >= 0) {
    const numerator = parseExact(trimmed.slice(0, slash));
    const denominator = parseExact(trimmed.slice(slash + 1));
    if (numerator === undefined || denominator === undefined || sign(denominator) === 0) return undefined;
    return divide(numerator, denominator);
  }
  const match = decimalPattern.exec(trimmed);
  if (match === null) return undefined;
  const [, minus, whole = '', part = '', exponentText = '0'] = match;
  if (whole === '' && part === '') return undefined;
  const digits = BigInt(whole + part) * (minus === '-' ? -1n : 1n);
  const exponent = Number(exponentText) - part.length;
  if (Math.abs(exponent) > 2 * numberTextMaxCharacters) return undefined;
  return exponent >= 0
    ? ratio(digits * 10n ** BigInt(exponent), 1n)
    : ratio(digits, 10n ** BigInt(-exponent));
}

/**
 * The exact value of what was written: a number means its shortest decimal (`0.1` is one tenth), text is read by
 * {@link parseExact}. Throws a RangeError for anything that is not a finite number.
 */
export function exact(value: Exact | string | bigint): Exact {
  if (value instanceof Fraction) return value;
  if (typeof value === 'bigint') return ratio(value, 1n);
  if (typeof value === 'number' && Number.isSafeInteger(value)) return value + 0;
  const parsed = parseExact(String(value));
  if (parsed === undefined) throw new RangeError(`not a finite number: ${String(value).slice(0, 50)}`);
  return parsed;
}

/** Exact text that {@link parseExact} reads back: a decimal where one ends, else `numerator/denominator`. */
export function formatExact(value: Exact): string {
  if (typeof value === 'number') return String(value);
  let rest = value.denominator;
  let twos = 0;
  let fives = 0;
  for (; rest % 2n === 0n; rest /= 2n) twos += 1;
  for (; rest % 5n === 0n; rest /= 5n) fives += 1;
  const places = Math.max(twos, fives);
  if (rest !== 1n || places > 30) return value.toString();
  const scaled = (value.numerator * 10n ** BigInt(places)) / value.denominator;
  if (places === 0) return scaled.toString();
  const digits = (scaled < 0n ? -scaled : scaled).toString().padStart(places + 1, '0');
  return `${scaled < 0n ? '-' : ''}${digits.slice(0, -places)}.${digits.slice(-places)}`;
}
