/**
 * A title: words with single blanks between them. Both patterns accept the same titles, and both need time
 * exponential in the length of a title that ends in something else (`aaaaaaaaaaaaaaaaaaaaaa!`).
 */
export const titlePatterns: Readonly<Record<'look-around' | 'curable', RegExp>> = {
  /** Refuses two dots in a row by a look-ahead, which V8's linear engine cannot run: no flag cures it. */
  'look-around': /^(?!.*\.\.)(\w+\s?)+$/,
  /** Cured by V8's `--enable-experimental-regexp-engine-on-excessive-backtracks`. */
  curable: /^(\w+\s?)+$/,
};

export type TitlePattern = keyof typeof titlePatterns;

export function isTitle(text: string, pattern: TitlePattern): boolean {
  return titlePatterns[pattern].test(text);
}
