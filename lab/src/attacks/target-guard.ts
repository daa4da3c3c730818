import { readFileSync } from 'node:fs';
import net from 'node:net';
import { LabError } from '../lab-error.ts';

/** Whether an address is this machine's loopback. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (net.isIPv4(host) && host.startsWith('127.'));
}

/** Whether a table in the format of /proc/net/route has a default route: one whose mask is zero. */
export function hasDefaultRoute(routeTable: string): boolean {
  return routeTable
    .split('\n')
    .slice(1)
    .some((line) => line.split('\t')[7] === '00000000');
}

/**
 * Attacks go to loopback, or to an IPv4 address from within a network namespace that leads nowhere else (a
 * testbed machine). Everything else is refused, so that a slip of the hand cannot harm anyone.
 */
export function checkTarget(host: string): void {
  if (isLoopback(host)) return;
  if (!net.isIPv4(host))
    throw new LabError(
      `The target "${host}" is refused: give 127.0.0.1, ::1, or the IPv4 address of a testbed machine.`,
    );
  if (hasDefaultRoute(readFileSync('/proc/net/route', 'utf8')))
    throw new LabError(
      `The target ${host} is refused: this process could reach other networks. Attacks go to loopback, or run ` +
        `inside a testbed machine ("npm run lab -- run attacker -- …").`,
    );
}
