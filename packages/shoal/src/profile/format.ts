import { type Exact, toNumber } from './exact.ts';

/** At most `digits` decimals, no trailing zeros, thousands separated: for people, rounded. */
export function formatRounded(value: Exact, digits: number): string {
  return toNumber(value).toLocaleString('en-US', { maximumFractionDigits: digits });
}

/** `189,000 bits`: rounded to a thousandth of a bit. */
export function formatBits(bits: Exact): string {
  return `${formatRounded(bits, 3)} bits`;
}

/** `3.043333 s`: rounded to a microsecond. */
export function formatSeconds(seconds: Exact): string {
  return `${formatRounded(seconds, 6)} s`;
}

/** `1.1 Mbit/s`: at most three significant decimals in the largest unit that is at least 1. */
export function formatRate(bitsPerSecond: number): string {
  return formatScaled(bitsPerSecond, 'bit/s');
}

/** `189 kbit`. */
export function formatAmount(bits: number): string {
  return formatScaled(bits, 'bit');
}

function formatScaled(value: number, unit: string): string {
  const scales: readonly [number, string][] = [
    [1e9, 'G'],
    [1e6, 'M'],
    [1e3, 'k'],
  ];
  const [factor, prefix] = scales.find(([least]) => Math.abs(value) >= least) ?? [1, ''];
  return `${(value / factor).toLocaleString('en-US', { maximumFractionDigits: 3 })} ${prefix}${unit}`;
}
