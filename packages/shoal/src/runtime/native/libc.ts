import { createRequire } from 'node:module';

/** The calls of the C library that Node has no function for. */
export interface Libc {
  fcntl(fd: number, command: number, ...rest: unknown[]): number;
  close(fd: number): number;
  pipe2(fds: number[], flags: number): number;
  schedSetAffinity(pid: number, maskBytes: number, mask: Uint8Array): number;
  prctl(option: number, ...rest: unknown[]): number;
  syscall(number: number, ...rest: unknown[]): number;
  /** A system call that takes arguments as futex(2) does. */
  futex(
    number: number,
    word: Int32Array,
    operation: number,
    value: number,
    timeout: BigInt64Array | null,
  ): number;
  /** `errno` of the last call of this thread. */
  errno(): number;
}

/** `errno` values, the same on every Linux architecture that Node runs on. */
export const errnoNames: Readonly<Record<number, string>> = {
  1: 'EPERM',
  3: 'ESRCH',
  4: 'EINTR',
  9: 'EBADF',
  13: 'EACCES',
  22: 'EINVAL',
  24: 'EMFILE',
  38: 'ENOSYS',
};
export const enosys = 38;

let loaded: Libc | null | undefined;
let loadError = '';

/**
 * The C library through koffi, loaded at the first call on each thread: one that hands over no connections, is not
 * pinned and starts no threads never loads it. `null` where there is none (see {@link libcLoadError}).
 */
export function libc(): Libc | null {
  if (loaded === undefined) {
    try {
      loaded = load();
    } catch (error) {
      loaded = null;
      loadError = error instanceof Error ? error.message : String(error);
    }
  }
  return loaded;
}

/** Why {@link libc} is `null`; else empty. */
export function libcLoadError(): string {
  return loadError;
}

function load(): Libc {
  if (process.platform !== 'linux')
    throw new Error(`native calls are written for Linux, not ${process.platform}`);
  // `require`, because loading must be synchronous and must not happen before the first use.
  const koffi: typeof import('koffi') = createRequire(import.meta.url)('koffi');
  const library = koffi.load(null);
  return {
    fcntl: library.func('int fcntl(int fd, int command, ...)'),
    close: library.func('int close(int fd)'),
    pipe2: library.func('int pipe2(_Out_ int *fds, int flags)'),
    schedSetAffinity: library.func('int sched_setaffinity(int pid, size_t bytes, const uint8_t *mask)'),
    prctl: library.func('int prctl(int option, ...)'),
    syscall: library.func('long syscall(long number, ...)'),
    futex: library.func('syscall', 'long', ['long', 'void *', 'int', 'int', 'void *']),
    errno: () => koffi.errno(),
  };
}
