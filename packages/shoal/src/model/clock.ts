/** Time as a parameter: pure code never reads a clock of its own. */
export interface Clock {
  /** Milliseconds on a monotonic clock that all threads of a machine share; fractions allowed. */
  now(): number;
}
