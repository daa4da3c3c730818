/**
 * Patterns that take time exponential in the length of the input that `redosInput` makes: each further
 * character doubles it. Targets match one of these against text that comes from outside.
 */
export const redosPatterns: Readonly<Record<'look-around' | 'curable', RegExp>> = {
  /**
   * With a look-ahead: V8's linear fallback engine cannot run it, so no flag cures it. Against today's engines
   * only a limit on time or length helps.
   */
  'look-around': /^(?=.*!)(a+)+$/,
  /** Cured by `--enable-experimental-regexp-engine-on-excessive-backtracks`: what a careful team sets. */
  curable: /^(a+)+$/,
};

/** The text that makes both patterns backtrack through every way to split `length` letters. */
export function redosInput(length: number): string {
  return `${'a'.repeat(length)}!`;
}
