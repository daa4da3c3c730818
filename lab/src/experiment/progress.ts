/** Says how far a long run is and how long it will still take. Pure: time comes in, text goes out. */
export interface Progress {
  /** The line before the next cell. */
  next(name: string, nowMs: number): string;
  /** Tells that a cell has ended. */
  finished(nowMs: number): void;
}

/** @param guessMs how long a cell is thought to take before the first one has ended. */
export function createProgress(cells: number, guessMs: number): Progress {
  let done = 0;
  let startedMs: number | undefined;
  let finishedMs = 0;
  return {
    next(name, nowMs) {
      startedMs ??= nowMs;
      const eachMs = done === 0 ? guessMs : (finishedMs - startedMs) / done;
      return `[${done + 1}/${cells}] ${name}, ${formatDuration((cells - done) * eachMs)} left`;
    },
    finished(nowMs) {
      done += 1;
      finishedMs = nowMs;
    },
  };
}

/** `42 s`, `3 min 5 s`, `1 h 20 min`. */
export function formatDuration(ms: number): string {
  const seconds = Math.round(ms / 1000);
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${seconds % 60} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
