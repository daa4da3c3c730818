import * as fs from 'node:fs';
import { libc } from './libc.ts';
import { notSupported } from './result.ts';

/** `fcntl` command: duplicate to the lowest free descriptor, closed on exec. The plain `dup` leaks into children. */
const dupFdCloexec = 1030;
/** Flags of pipe2(2). */
const nonBlocking = 0o4000;
const closeOnExec = 0o2000000;

/**
 * A second descriptor of the same open file or socket: the lowest free number, closed on exec.
 * Negative on failure: minus the `errno` (`-24` is EMFILE, the descriptor limit); see `errnoName`.
 */
export function duplicateDescriptor(fd: number): number {
  const c = libc();
  if (c === null) return notSupported;
  const copy = c.fcntl(fd, dupFdCloexec, 'int', 0);
  return copy >= 0 ? copy : -c.errno();
}

/**
 * Closes a descriptor that {@link duplicateDescriptor} made and that nobody has taken over. 0, or minus the
 * `errno`. Not `fs.closeSync`: in a worker thread Node warns when a descriptor is closed that `fs` did not open.
 */
export function closeDescriptor(fd: number): number {
  const c = libc();
  if (c === null) return notSupported;
  return c.close(fd) === 0 ? 0 : -c.errno();
}

/**
 * Inode of what a descriptor refers to; 0 if it is not open. A number is reused as soon as it is free: whoever
 * cleans up after a dead thread closes a descriptor only if the inode still is the one that was recorded.
 */
export function descriptorInode(fd: number): number {
  try {
    return fs.fstatSync(fd).ino;
  } catch {
    return 0;
  }
}

/** The two ends of a pipe. */
export interface Pipe {
  readonly readFd: number;
  readonly writeFd: number;
}

/** Makes a pipe that never blocks, and that no child process inherits; null where that cannot be done. */
export function makePipe(): Pipe | null {
  const fds = [-1, -1];
  if (libc()?.pipe2(fds, nonBlocking | closeOnExec) !== 0) return null;
  const [readFd, writeFd] = fds as [number, number];
  return { readFd, writeFd };
}
