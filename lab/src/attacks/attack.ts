// The words that every attack shares. An attack is written once, in a file of its own; it runs in a process of
// its own (process.ts), started by startAttack (start.ts) on this machine or inside a testbed machine.
import type { z } from 'zod';
import type { DecompressionBombSettings } from './decompression-bomb.ts';
import type { HashCollisionSettings } from './hash-collision.ts';
import type { AttackMeter } from './meter.ts';
import type { MixedSettings } from './mixed.ts';
import type { Phase } from './phases.ts';
import type { RedosSettings } from './redos.ts';
import type { SlowlorisSettings } from './slowloris.ts';
import type { TlsHandshakeSettings } from './tls-handshake.ts';
import type { TlsRenegotiationSettings } from './tls-renegotiation.ts';

/** What each attack lets one choose; every field has a default, stated in the attack's file. */
export interface AttackSettings {
  'tls-renegotiation': TlsRenegotiationSettings;
  'tls-handshake': TlsHandshakeSettings;
  redos: RedosSettings;
  slowloris: SlowlorisSettings;
  'hash-collision': HashCollisionSettings;
  'decompression-bomb': DecompressionBombSettings;
  mixed: MixedSettings;
}

export type AttackName = keyof AttackSettings;

/** Which attack, and its own settings. */
export type AttackChoice = {
  [Name in AttackName]: { readonly attack: Name; readonly settings?: Partial<AttackSettings[Name]> };
}[AttackName];

/** What one request of an attack costs its target; measured by `calibrate`. */
export interface AttackStrength {
  /** CPU seconds that one request burns at the target. */
  readonly cpuSecondsPerRequest: number;
}

/** How hard and how long, and at whom. */
export interface AttackPlan {
  /** Loopback, or an address inside a namespace without a default route; anything else is refused. */
  readonly host: string;
  readonly port: number;
  /** Ramps, steady stretches and pauses, one after the other; the attack ends with the last. */
  readonly phases: readonly Phase[];
  /** When given, the rates of the phases are cores' worth at the target; else they are requests per second. */
  readonly strength?: AttackStrength;
  /** Seed of everything random in the attack. Default 1. */
  readonly seed?: number;
  /** The attack ends after this many requests. Default 1,000,000, which is also the most allowed. */
  readonly maxRequests?: number;
  /** Requests in flight at most; those that fall due above it are counted as skipped. Default 512. */
  readonly maxInFlight?: number;
  /** A request is given up after this many ms. Default 30,000. */
  readonly timeoutMs?: number;
  /** HTTP attacks: speak HTTPS (true, the default) or plain HTTP. The TLS attacks always speak TLS. */
  readonly tls?: boolean;
  /** Addresses of the attacking machine to connect from, in turn; slowloris ignores them. Default: any. */
  readonly localAddresses?: readonly string[];
  /** Wall-clock time at which the first phase begins, in ms since 1970. Default, and when past: once prepared. */
  readonly startAtEpochMs?: number;
}

export type AttackOptions = AttackPlan & AttackChoice;

/** `AttackPlan` with every default filled in and rates in requests per second. */
export type ResolvedPlan = Readonly<Required<Omit<AttackPlan, 'strength'>>>;

/** Counts since the start of an attack. */
export interface AttackStats {
  readonly elapsedMs: number;
  /** The attack under way: for `mixed` the member whose turn it is, for the others the attack itself. */
  readonly active: AttackName;
  /** Index of the phase under way. */
  readonly phase: number;
  readonly sent: number;
  /** Requests that got what they were after (see each attack). */
  readonly completed: number;
  /** Requests that the target refused, cut short or did not answer within `timeoutMs`. */
  readonly failed: number;
  /** Requests that were due but not sent, because `maxInFlight` were under way. */
  readonly skipped: number;
  readonly inFlight: number;
  /** Bytes written to and read from the sockets, TLS records included, TCP and IP headers not. */
  readonly bytesSent: number;
  readonly bytesReceived: number;
  /** CPU the attack's process (and slowhttptest, where used) has spent since. */
  readonly cpuSeconds: number;
  /** CPU spent once, before: starting the process and making the attack ready. */
  readonly preparationCpuSeconds: number;
}

/** What an attack's code is given while it runs. */
export interface AttackContext {
  readonly plan: ResolvedPlan;
  readonly meter: AttackMeter;
  /** Aborted when the attack is to stop early. */
  readonly signal: AbortSignal;
}

/** An attack with everything made ready: attacks until the plan is over or aborted, then closes what it opened. */
export type PreparedAttack = (context: AttackContext) => Promise<void>;

/** Prepares a chosen attack, with the defaults of its settings filled in. */
export type PrepareAttack = (choice: AttackChoice, plan: ResolvedPlan) => Promise<PreparedAttack>;

/** One attack. Its settings have a schema that fills in their defaults. */
export interface AttackDefinition<Name extends AttackName> {
  readonly name: Name;
  /** One sentence: what it does to the target. */
  readonly title: string;
  /** What the target must be or do for the attack to bite, a sentence each. */
  readonly needs: readonly string[];
  /** What of the target it exhausts; says which column of a calibration to read. */
  readonly exhausts: 'cpu' | 'descriptors' | 'memory';
  readonly settings: z.ZodType<AttackSettings[Name], unknown>;
  /**
   * Does what is done once, before the clock starts (finds colliding keys, packs a bomb). `prepareOther` is for
   * an attack made of others.
   */
  prepare(
    settings: AttackSettings[Name],
    plan: ResolvedPlan,
    prepareOther: PrepareAttack,
  ): PreparedAttack | Promise<PreparedAttack>;
}
