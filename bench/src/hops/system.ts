import type { PayloadKind } from './payload.ts';

/** A way to hand a value to another part of a program. */
export interface HopSystem {
  /** The system and the settings it ran with. */
  readonly name: string;
  readonly system: 'shoal' | 'postMessage' | 'piscina' | 'poolifier' | 'workerpool' | 'moleculer';
  readonly kind: 'request' | 'one-way';
  readonly where: 'same-thread' | 'cross-thread' | 'cross-thread-sockets';
  /** Starts it, with one worker (or instance) on the other side. */
  open(payload: PayloadKind): Promise<HopSession>;
}

/** A system that is running and ready. Calls do not overlap. */
export interface HopSession {
  /** One caller, who waits for each reply before the next request. `null` for one-way systems. */
  readonly roundTrips: ((durationMs: number) => Promise<RoundTrips>) | null;
  /** 256 requests in flight; or, one-way, as many messages as the system takes. */
  throughput(durationMs: number): Promise<Throughput>;
  close(): Promise<void>;
}

export interface RoundTrips {
  readonly p50Us: number;
  readonly p99Us: number;
  /** Sum of the numbers in all replies. */
  readonly checksum: number;
}

export interface Throughput {
  readonly perSecond: number;
  readonly checksum: number;
}
