/**
 * Exact rational numbers, fast where they are integers.
 *
 * An {@link Exact} is a plain `number` when it is a safe integer, and a {@link Fraction} otherwise. Each value has
 * exactly one representation, so most of an analysis (which runs on an integer grid, see `grid.ts`) is ordinary
 * integer arithmetic in doubles, and nothing is ever rounded: a result that leaves the safe range, or that is not
 * whole, becomes a fraction of two `bigint`s.
 *
 * Invariants
 * - E1 a `number` is a safe integer and is not −0;
 * - E2 a `Fraction` is in lowest terms, its denominator is positive, and it is not a safe integer.
 */
export type Exact = number | Fraction;

/** A rational that is not a safe integer; made only by the functions of this file. */
export class Fraction {
  readonly numerator: bigint;
  readonly denominator: bigint;
  constructor(numerator: bigint, denominator: bigint) {
    this.numerator = numerator;
    this.denominator = denominator;
  }
  toString(): string {
    return this.denominator === 1n ? `${this.numerator}` : `${this.numerator}/${this.denominator}`;
  }
}

const maxSafe = Number.MAX_SAFE_INTEGER;
const maxSafeBig = BigInt(maxSafe);

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
  while (y !== 0) [x, y] = [y, x % y];
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
  if (d === 1n && n <= maxSafeBig && n >= -maxSafeBig) return Number(n);
  return new Fraction(n, d);
}

/** Numerator in lowest terms. */
export function numeratorOf(value: Exact): bigint {
  return typeof value === 'number' ? BigInt(value) : value.numerator;
}

/** Denominator in lowest terms, always positive. */
export function denominatorOf(value: Exact): bigint {
  return typeof value === 'number' ? 1n : value.denominator;
}

export function add(a: Exact, b: Exact): Exact {
  if (typeof a === 'number' && typeof b === 'number') {
    const sum = a + b;
    if (sum <= maxSafe && sum >= -maxSafe) return sum;
  }
  const [p, q, r, s] = [numeratorOf(a), denominatorOf(a), numeratorOf(b), denominatorOf(b)];
  return q === s ? ratio(p + r, q) : ratio(p * s + r * q, q * s);
}

export function negate(a: Exact): Exact {
  return typeof a === 'number' ? 0 - a : new Fraction(-a.numerator, a.denominator);
}

export function subtract(a: Exact, b: Exact): Exact {
  if (typeof a === 'number' && typeof b === 'number') {
    const difference = a - b;
    if (difference <= maxSafe && difference >= -maxSafe) return difference;
  }
  const [p, q, r, s] = [numeratorOf(a), denominatorOf(a), numeratorOf(b), denominatorOf(b)];
  return q === s ? ratio(p - r, q) : ratio(p * s - r * q, q * s);
}

export function multiply(a: Exact, b: Exact): Exact {
  if (typeof a === 'number' && typeof b === 'number') {
    const product = a * b;
    // Rounding is monotone, so a product that rounds into the safe range was exact. `+ 0` turns −0 into 0.
    if (product <= maxSafe && product >= -maxSafe) return product + 0;
  }
  return ratio(numeratorOf(a) * numeratorOf(b), denominatorOf(a) * denominatorOf(b));
}

/** `a / b`. Throws a RangeError when `b` is 0. */
export function divide(a: Exact, b: Exact): Exact {
  if (typeof a === 'number' && typeof b === 'number' && b !== 0) {
    const quotient = a / b;
    if (Number.isSafeInteger(quotient) && quotient * b === a) return quotient + 0;
    return ratio(a, b);
  }
  return ratio(numeratorOf(a) * denominatorOf(b), denominatorOf(a) * numeratorOf(b));
}

/** Negative, 0 or positive as `a` is less than, equal to or greater than `b`. */
export function compare(a: Exact, b: Exact): number {
  if (typeof a === 'number' && typeof b === 'number') return a - b;
  const left = numeratorOf(a) * denominatorOf(b);
  const right = numeratorOf(b) * denominatorOf(a);
  return left < right ? -1 : left > right ? 1 : 0;
}

export function equal(a: Exact, b: Exact): boolean {
  if (typeof a === 'number' || typeof b === 'number') return a === b;
  return a.numerator === b.numerator && a.denominator === b.denominator;
}

export function less(a: Exact, b: Exact): boolean {
  return typeof a === 'number' && typeof b === 'number' ? a < b : compare(a, b) < 0;
}

/** Negative, 0 or positive as `a` is. */
export function sign(a: Exact): number {
  if (typeof a === 'number') return a;
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
  const { numerator, denominator } = a;
  if (denominator <= maxSafeBig && numerator <= maxSafeBig && numerator >= -maxSafeBig) {
    return Number(numerator) / Number(denominator);
  }
  // 64 significant bits of quotient and a sticky bit round to the same double as the exact value.
  const magnitude = numerator < 0n ? -numerator : numerator;
  const shift = BigInt(
    66 - magnitude.toString(16).length * 4 + denominator.toString(16).length * 4,
  );
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
  return exponent >= 0 ? ratio(digits * 10n ** BigInt(exponent), 1n) : ratio(digits, 10n ** BigInt(-exponent));
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
