import { type Libc, libc } from './libc.ts';

/** Number of the system call `futex`. */
const futexCall: Partial<Record<NodeJS.Architecture, number>> = { x64: 202, arm64: 98, riscv64: 98 };
/** Operations of futex(2), for words that no other process looks at. */
const waitPrivate = 128;
const wakePrivate = 129;
/** The errors with which a wait ends in order: interrupted, the word is another already, timed out. */
const waitErrors: ReadonlySet<number> = new Set([4, 11, 110]);

/** `struct timespec`: seconds and nanoseconds. */
const timeout = new BigInt64Array(2);
/** The same in halves, of which the lower hold all that there is to say, without an object for each number. */
const timeoutHalves = new Int32Array(timeout.buffer);

let calls: Pick<Libc, 'futex' | 'errno'> | null | undefined;
let call = 0;

function load(): Pick<Libc, 'futex' | 'errno'> | null {
  call = futexCall[process.arch] ?? 0;
  return call === 0 ? null : libc();
}

/**
 * Waits in the kernel until the first of the words, which are shared, is woken by {@link futexWake}, or for so many
 * milliseconds (below 2^31 seconds), and not at all where that word is not what is expected. It may return early. Answers
 * false where threads cannot wait so. Nothing else ends the wait: neither V8 nor the end of the thread's worker.
 */
export function futexWait(words: Int32Array, expected: number, timeoutMs: number): boolean {
  if (calls === undefined) calls = load();
  if (calls === null) return false;
  if (timeoutMs <= 0) return true;
  const seconds = Math.floor(timeoutMs / 1_000);
  timeoutHalves[0] = seconds;
  timeoutHalves[2] = Math.floor((timeoutMs - seconds * 1_000) * 1e6);
  return calls.futex(call, words, waitPrivate, expected, timeout) === 0 || waitErrors.has(calls.errno());
}

/** Wakes the one thread that waits on the first of the words, if there is one. */
export function futexWake(words: Int32Array): void {
  if (calls === undefined) calls = load();
  calls?.futex(call, words, wakePrivate, 1, null);
}
