/** Figures for narrow columns: at most six characters, never cut. Pure. */

/** A count or rate: `0`, `3.2`, `999`, `1.2k`, `12k`, `3.4M`. */
export function formatCount(value: number): string {
  if (!Number.isFinite(value)) return '-';
  const size = Math.abs(value);
  if (size < 0.05) return '0';
  if (size < 9.95) return trim(value.toFixed(1));
  if (size < 999.5) return value.toFixed(0);
  for (const [unit, scale] of [
    ['k', 1e3],
    ['M', 1e6],
    ['G', 1e9],
  ] as const) {
    const scaled = value / scale;
    if (Math.abs(scaled) < 9.95) return `${trim(scaled.toFixed(1))}${unit}`;
    if (Math.abs(scaled) < 999.5) return `${scaled.toFixed(0)}${unit}`;
  }
  return value > 0 ? '>999G' : '<-999G';
}

/** A duration: `8us`, `0.42ms`, `3.1ms`, `120ms`, `4.5s`, `130s`, `45m`, `9h`. */
export function formatMs(ms: number | null): string {
  if (ms === null || !Number.isFinite(ms) || ms < 0) return '-';
  if (ms < 0.0995) return `${Math.round(ms * 1_000)}us`;
  if (ms < 0.995) return `${ms.toFixed(2)}ms`;
  if (ms < 9.95) return `${trim(ms.toFixed(1))}ms`;
  if (ms < 999.5) return `${ms.toFixed(0)}ms`;
  const seconds = ms / 1_000;
  if (seconds < 9.95) return `${trim(seconds.toFixed(1))}s`;
  if (seconds < 599.5) return `${seconds.toFixed(0)}s`;
  if (seconds < 59_970) return `${(seconds / 60).toFixed(0)}m`;
  return seconds < 3_599_999_000 ? `${formatCount(seconds / 3_600)}h` : '>999kh';
}

/** A share: `0%`, `7%`, `250%`. */
export function formatShare(share: number): string {
  if (!Number.isFinite(share)) return '-';
  const percent = Math.round(share * 100);
  return percent < 100_000 ? `${percent}%` : '>999x';
}

const trim = (text: string): string => text.replace(/\.0$/, '');

/** A name in a column: what is too long ends with `~`. Control characters become `?`. */
export function formatName(name: string, width: number): string {
  const clean = plainText(name);
  return clean.length <= width ? clean : `${clean.slice(0, Math.max(0, width - 1))}~`;
}

/** The text without what would move the cursor or change colours. */
export function plainText(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is taken out.
  return text.replace(/[\u0000-\u001f\u007f-\u009f]/g, '?');
}

/** Breaks text between words into at most `linesMax` lines of `width`; what is left out is told by `...`. */
export function wrapWords(text: string, width: number, linesMax: number): string[] {
  const lines: string[] = [];
  let line = '';
  const words = plainText(text)
    .split(' ')
    .filter((word) => word !== '');
  for (const [index, given] of words.entries()) {
    const word = given.length > width - 4 ? formatName(given, width - 4) : given;
    const longer = line === '' ? word : `${line} ${word}`;
    const isLastLine = lines.length === linesMax - 1;
    const room = isLastLine && index < words.length - 1 ? width - 4 : width;
    if (longer.length <= room) {
      line = longer;
    } else if (isLastLine) {
      return [...lines, `${line} ...`];
    } else {
      lines.push(line);
      line = word;
    }
  }
  return line === '' ? lines : [...lines, line];
}
