import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);
/** `ss` prints about 500 bytes a socket; this is room for 60,000. */
const OUTPUT_MAX_BYTES = 64 * 1024 * 1024;

/** What the kernel knows of one established TCP connection. */
export interface SocketBytes {
  /** Local address and port: what tells the connections to one target apart. */
  readonly local: string;
  readonly sent: number;
  readonly received: number;
}

/** Reads the lines of `ss -tinpHO` for the sockets of the given processes. */
export function parseSocketBytes(output: string, pids: ReadonlySet<number>): SocketBytes[] {
  const sockets: SocketBytes[] = [];
  for (const line of output.split('\n')) {
    const owner = /pid=(\d+)/.exec(line);
    if (owner === null || !pids.has(Number(owner[1]))) continue;
    const [, , local] = line.trim().split(/\s+/);
    const bytes = (word: string): number => Number(new RegExp(` ${word}:(\\d+)`).exec(line)?.[1] ?? 0);
    if (local !== undefined)
      sockets.push({ local, sent: bytes('bytes_sent'), received: bytes('bytes_received') });
  }
  return sockets;
}

/** The established connections of these processes to a target, as the kernel counts them (program `ss`). */
export async function socketBytes(
  host: string,
  port: number,
  pids: ReadonlySet<number>,
): Promise<SocketBytes[]> {
  const destination = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
  const args = ['-tinpHO', 'state', 'established', 'dst', destination];
  const { stdout } = await run('ss', args, { maxBuffer: OUTPUT_MAX_BYTES });
  return parseSocketBytes(stdout, pids);
}
