import { type Exact, toNumber } from './exact.ts';

/** At most `digits` decimals, no trailing zeros, thousands separated: for people, rounded. */
export function formatRounded(value: Exact, digits: number): string {
  return toNumber(value).toLocaleString('en-US', { maximumFractionDigits: digits });
}

/** `189,000 bits`: rounded to a thousandth of a bit. */
export function formatBits(bits: Exact): string {
  const text = formatRounded(bits, 3);
  return text === '1' ? '1 bit' : `${text} bits`;
}

/** `3.043333 s`: rounded to a microsecond. */
export function formatSeconds(seconds: Exact): string {
  return `${formatRounded(seconds, 6)} s`;
}
