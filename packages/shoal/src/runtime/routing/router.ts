import type { InstanceId, Key, MachineId } from '../../model/index.ts';
import type { KeyedRouting } from './keyed.ts';

/** An instance that a route leads to, as the sending thread sees it. */
export interface RouterEndpoint {
  readonly instanceId: InstanceId;
  readonly machine: MachineId;
  /** On the sender's process. */
  readonly isLocalProcess: boolean;
  /** Relative share; > 0. */
  readonly weight: number;
  /** Gets nothing new: only keys that it holds, and messages of chains that name or have met it. */
  readonly isDraining: boolean;
  /** Messages waiting or in service, or milliseconds of their work, as far as the sender knows; 0: idle. Called on the hot path. */
  queueLength(): number;
  /** Absent: its type keeps no states by key. */
  readonly keys?: EndpointKeys;
}

/** What the sending thread has sent to an endpoint whose type keeps states by key. */
export interface EndpointKeys {
  /** Position of the next message that this thread sends there. */
  next(): number;
  /** Whether the message at a position, one of a bucket, has ended there. */
  hasEnded(position: number, bucket: number): boolean;
  /** Flow key and position of whatever this thread has sent there and has not ended, oldest first. */
  eachPending(visit: (flowKey: Key, position: number) => void): void;
  /** Sees what other threads have sent there. */
  look(): void;
}

/**
 * What a decision may depend on besides the flow key: the chain of the message being sent. The sending thread keeps
 * one such object and changes it before each call, so that a decision allocates nothing.
 */
export interface RouterContext {
  /** Where the chain began. */
  readonly originMachine: MachineId;
  /** Instances that the chain has met, oldest first; only the first `provenanceLength` count. */
  readonly provenance: ArrayLike<number>;
  readonly provenanceLength: number;
}

/** Chooses among the endpoints of one immutable routing table. */
export interface Router {
  readonly endpoints: readonly RouterEndpoint[];
  /** Indices of the endpoints that may get something new: a publication by `all` goes to each of them. */
  readonly active: Int32Array;
  /**
   * Index of the endpoint for the next message, or -1 if none may have it: always with `explicit`, which sends only to
   * whom the sender names, and with `all`.
   */
  choose(flowKey: Key): number;
  /** Index of an instance, draining or not; -1 if it is no endpoint. For `options.to`, under any policy. */
  indexOf(instanceId: number): number;
  /** Of policies that route by key; null for others. */
  readonly keyed: KeyedRouting | null;
}

/** The part of a {@link Router} that differs from policy to policy. */
export type Choose = (flowKey: Key) => number;

/** Indices of the endpoints that may get something new. */
export function activeIndices(
  endpoints: readonly RouterEndpoint[],
  isWanted: (endpoint: RouterEndpoint) => boolean = () => true,
): Int32Array {
  const active: number[] = [];
  for (const [index, endpoint] of endpoints.entries()) {
    if (!endpoint.isDraining && isWanted(endpoint)) active.push(index);
  }
  return Int32Array.from(active);
}
