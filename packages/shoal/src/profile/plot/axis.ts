/** A linear axis: data from 0 to `most` onto pixels `from` to `to`, with round tick values. */
export interface Axis {
  readonly most: number;
  readonly from: number;
  readonly to: number;
  readonly ticks: readonly number[];
  /** What values are divided by and the SI prefix that stands for it. */
  readonly factor: number;
  readonly prefix: string;
}

type Prefixes = readonly (readonly [least: number, prefix: string])[];

/** Of amounts, and of seconds: nobody reads kiloseconds. */
export const amountPrefixes: Prefixes = [
  [1e9, 'G'],
  [1e6, 'M'],
  [1e3, 'k'],
  [1, ''],
];
export const secondPrefixes: Prefixes = [
  [1, ''],
  [1e-3, 'm'],
  [1e-6, 'µ'],
  [1e-9, 'n'],
];

/** An axis that holds 0 and `most`; about `count` ticks at 1, 2 or 5 times a power of ten. */
export function createAxis(most: number, from: number, to: number, count: number, prefixes: Prefixes): Axis {
  const top = most > 0 ? most : 1;
  const raw = top / count;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step =
    [1, 2, 2.5, 5, 10].map((multiple) => multiple * power).find((size) => size >= raw * 0.999) ?? raw;
  const ticks: number[] = [];
  for (let k = 0; k * step <= top * 1.0001; k += 1) ticks.push(k * step);
  const [factor, prefix] = prefixes.find(([least]) => top >= least) ?? [1, ''];
  return { most: top, from, to, ticks, factor, prefix };
}

/** Pixel position of a value. */
export function place(axis: Axis, value: number): number {
  return axis.from + (value / axis.most) * (axis.to - axis.from);
}

/** A tick's text, without its unit. */
export function tickText(axis: Axis, value: number): string {
  return (value / axis.factor).toLocaleString('en-US', { maximumFractionDigits: 3 });
}
