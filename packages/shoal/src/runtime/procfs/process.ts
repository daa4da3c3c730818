import * as fs from 'node:fs';
import type { ProcessSample } from '../../wire/index.ts';
import { readKernelFile } from './file.ts';
import { parseDescriptorsMax } from './parse.ts';

/** What the kernel knows of this process. */
export type ProcessFigures = Pick<
  ProcessSample,
  'residentBytes' | 'openDescriptors' | 'descriptorsMax' | 'cpuMs'
>;

export interface ProcessReader {
  read(): ProcessFigures;
  close(): void;
}

/** What nothing is decided on at once is read with each so manieth reading: once a second, by default. */
const slowInterval = 10;

/** Reads this process: all of its threads together. Holds a descriptor until it is closed. */
export function createProcessReader(): ProcessReader {
  const descriptorsMax = parseDescriptorsMax(readKernelFile('/proc/self/limits') ?? '');
  const folder = openDescriptorFolder();
  let openDescriptors = 0;
  let residentBytes = 0;
  let reading = 0;
  return {
    read: () => {
      const isSlow = reading++ % slowInterval === 0;
      if (isSlow) residentBytes = process.memoryUsage.rss();
      const counted = countByStat(folder);
      // Listing 10,000 descriptors takes milliseconds, so older kernels are asked once in a while.
      if (counted > 0) openDescriptors = counted;
      else if (isSlow) openDescriptors = countByListing();
      const cpu = process.cpuUsage();
      return {
        residentBytes,
        openDescriptors,
        descriptorsMax,
        cpuMs: (cpu.user + cpu.system) / 1_000,
      };
    },
    close: () => {
      if (folder >= 0) fs.closeSync(folder);
    },
  };
}

/** Kept open, it is asked in half the time. Negative: it is not there. */
function openDescriptorFolder(): number {
  try {
    return fs.openSync('/proc/self/fd', 'r');
  } catch {
    return -1;
  }
}

/** Since Linux 6.2 the size of `/proc/self/fd` is the number of open descriptors; 0 on older ones. */
function countByStat(folder: number): number {
  try {
    return fs.fstatSync(folder).size;
  } catch {
    return 0;
  }
}

function countByListing(): number {
  try {
    // The listing itself holds one.
    return fs.readdirSync('/proc/self/fd').length - 1;
  } catch {
    return 0;
  }
}
