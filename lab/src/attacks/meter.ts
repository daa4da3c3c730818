import { readFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import type { AttackName, AttackStats } from './attack.ts';

/** Linux reports the CPU time of waited-for children in ticks of 1/100 s (`USER_HZ`, fixed in the kernel's ABI). */
const TICKS_PER_SECOND = 100;

/** CPU seconds of the children this process has waited for (`cutime` + `cstime` of /proc/self/stat). */
function childrenCpuSeconds(): number {
  const stat = readFileSync('/proc/self/stat', 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[13]) + Number(fields[14])) / TICKS_PER_SECOND;
}

/** Counts what an attack does. One a process; the attack's code adds to it, the reporter reads it. */
export class AttackMeter {
  /** The attack whose requests are being counted now. */
  active: AttackName;
  sent = 0;
  completed = 0;
  failed = 0;
  skipped = 0;
  inFlight = 0;

  readonly #startedAt = process.hrtime.bigint();
  /** Everything before the attack was preparation. */
  readonly #cpuAtStart = process.cpuUsage();
  readonly #open = new Set<Socket>();
  #closedSent = 0;
  #closedReceived = 0;

  constructor(active: AttackName) {
    this.active = active;
  }

  /** Milliseconds since the attack began. */
  elapsedMs(): number {
    return Number(process.hrtime.bigint() - this.#startedAt) / 1e6;
  }

  /** Counts the bytes of a raw (not TLS) socket from now on. */
  track(socket: Socket): Socket {
    this.#open.add(socket);
    socket.once('close', () => {
      this.#open.delete(socket);
      this.#closedSent += socket.bytesWritten;
      this.#closedReceived += socket.bytesRead;
    });
    return socket;
  }

  /** Adds bytes that another program (slowhttptest) moved. */
  addBytes(sent: number, received: number): void {
    this.#closedSent += sent;
    this.#closedReceived += received;
  }

  stats(phase: number): AttackStats {
    let bytesSent = this.#closedSent;
    let bytesReceived = this.#closedReceived;
    for (const socket of this.#open) {
      bytesSent += socket.bytesWritten;
      bytesReceived += socket.bytesRead;
    }
    const cpu = process.cpuUsage(this.#cpuAtStart);
    return {
      elapsedMs: this.elapsedMs(),
      active: this.active,
      phase,
      sent: this.sent,
      completed: this.completed,
      failed: this.failed,
      skipped: this.skipped,
      inFlight: this.inFlight,
      bytesSent,
      bytesReceived,
      cpuSeconds: (cpu.user + cpu.system) / 1e6 + childrenCpuSeconds(),
      preparationCpuSeconds: (this.#cpuAtStart.user + this.#cpuAtStart.system) / 1e6,
    };
  }
}
