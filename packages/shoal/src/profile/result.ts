import type { Exact } from './exact.ts';
import type { Steps } from './steps.ts';

/** A transmitter is a node's link; a receiver is a receive buffer that a receiver profile drains. */
export type HopRole = 'transmitter' | 'receiver';

/** What one flow meets at one place. All numbers exact, in seconds and bits. */
export interface HopResult {
  readonly node: string;
  readonly role: HopRole;
  /** The greatest backlog within the horizon and the earliest time at which it is reached. */
  readonly buffer: { readonly timeSeconds: Exact; readonly bits: Exact };
  /**
   * The greatest delay within the horizon under the chosen rule and the arrival time of the bit that suffers it.
   * Bits still waiting at the horizon count with the time that they have waited: a lower bound of their delay.
   */
  readonly delay: { readonly timeSeconds: Exact; readonly seconds: Exact };
  /** As `delay`, but only of bits that left within the horizon. */
  readonly servedDelay: { readonly timeSeconds: Exact; readonly seconds: Exact };
  /** Bits still waiting at the horizon. */
  readonly unservedBits: Exact;
  /** Bits waiting at the end of each hyperperiod. */
  readonly backlogBitsAtHyperperiods: readonly Exact[];
  /** Bits by which the backlog grows in each hyperperiod, in the long run; 0 when it is bounded. */
  readonly growthBitsPerHyperperiod: Exact;
  /** Names of the other flows that share this receive buffer; the figures are those of the whole buffer. */
  readonly sharedWith: readonly string[];
  /** The functions themselves, when they were asked for. */
  readonly curves: HopCurves | undefined;
}

/** Rates at one hop over the horizon, in bits per second over seconds. */
export interface HopCurves {
  /** What arrives to be sent. */
  readonly required: Steps;
  /** Capacity that flows of higher priority have left. */
  readonly provided: Steps;
  /** What is sent. */
  readonly output: Steps;
  /** Capacity that is left for flows of lower priority. */
  readonly remaining: Steps;
}

/** One sender and one of its receivers. */
export interface FlowResult {
  /** Name of the sender's profile. */
  readonly name: string;
  readonly flow: string | undefined;
  readonly priority: number;
  readonly route: readonly string[];
  /** In order along the route. */
  readonly hops: readonly HopResult[];
  readonly endToEnd: {
    /** The greatest time from the sender to the end of the route within the horizon, latencies included. */
    readonly delaySeconds: Exact;
    /** When the bit that suffers it was sent. */
    readonly timeSeconds: Exact;
    /** Sum of the delays of the hops, latencies not included: what the published tool's documents add up. */
    readonly sumOfHopDelaysSeconds: Exact;
  };
}

/** Result of {@link analyze}. All numbers exact. */
export interface AnalysisResult {
  readonly hyperperiodSeconds: Exact;
  /** Hyperperiods analysed: the horizon is `periods · hyperperiodSeconds`. */
  readonly periods: number;
  /** True when no backlog grows without bound. Exact, whatever the horizon. */
  readonly stable: boolean;
  /** Sum over all buffers of the bits by which they grow in each hyperperiod, in the long run. */
  readonly growthBitsPerHyperperiod: Exact;
  /** True when every later hyperperiod would be like the last, so that no figure of a bounded buffer can still rise. */
  readonly settled: boolean;
  readonly warnings: readonly string[];
  /** By priority. */
  readonly flows: readonly FlowResult[];
}
