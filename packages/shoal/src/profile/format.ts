import { type Exact, toNumber } from './exact.ts';

/**
 * At most `digits` decimals, no trailing zeros, thousands separated: for people, rounded. What is not 0 is never
 * written as 0, but with three significant digits.
 */
export function formatRounded(value: Exact, digits: number): string {
  const number = toNumber(value);
  if (number !== 0 && Math.abs(number) < 10 ** -digits) return String(Number(number.toPrecision(3)));
  return number.toLocaleString('en-US', { maximumFractionDigits: digits });
}

/** `189,000 bits`: rounded to a thousandth of a bit, or to three digits when it is less. */
export function formatBits(bits: Exact): string {
  const text = formatRounded(bits, 3);
  return text === '1' ? '1 bit' : `${text} bits`;
}

/** `3.043333 s`: rounded to a microsecond, or to three digits when it is less. */
export function formatSeconds(seconds: Exact): string {
  return `${formatRounded(seconds, 6)} s`;
}
