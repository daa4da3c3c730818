import * as fs from 'node:fs';

/** How many of this process's descriptors are sockets, or ends of pipes: other kinds come and go with timers and test reporters. */
export function openDescriptors(kind: 'socket' | 'pipe'): number {
  return fs.readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return fs.readlinkSync(`/proc/self/fd/${fd}`).startsWith(`${kind}:`);
    } catch {
      // The listing's own.
      return false;
    }
  }).length;
}
