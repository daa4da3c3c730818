import * as fs from 'node:fs';

/**
 * A kernel file that is read again and again: it is kept open and read from its start, which costs a few
 * microseconds instead of some fifteen. Its text is cut at `maxBytes`.
 */
export interface KernelFile {
  /** The current text; `null` if the file is not there (any more). */
  read(): string | null;
  close(): void;
}

const maxBytes = 65_536;
/**
 * The kernel hands out the lines of a long file in pieces of up to a page, and ends a piece where the next line does not
 * fit: one that is shorter than this was the last, unless there are lines longer than the rest of the page.
 */
const lastPieceBytes = 2_048;
// Reads are synchronous and each is turned into a string at once, so one buffer a thread serves all files.
const scratch = Buffer.allocUnsafeSlow(maxBytes);

export function openKernelFile(path: string): KernelFile {
  let fd = -1;
  try {
    fd = fs.openSync(path, 'r');
  } catch {
    // Not on this kernel, or not readable here: the figure is missing.
  }
  return {
    read: () => {
      if (fd < 0) return null;
      try {
        let length = 0;
        // A file of many cores comes in pieces of a page.
        for (let read = maxBytes; read >= lastPieceBytes && length < maxBytes; length += read) {
          read = fs.readSync(fd, scratch, length, maxBytes - length, length);
        }
        return scratch.toString('latin1', 0, length);
      } catch {
        return null;
      }
    },
    close: () => {
      if (fd >= 0) fs.closeSync(fd);
      fd = -1;
    },
  };
}

/** The text of a kernel file that is read once; `null` if it is not there. */
export function readKernelFile(path: string): string | null {
  const file = openKernelFile(path);
  const text = file.read();
  file.close();
  return text;
}
