/** Every bound of the platform, named. A deployment may change the resolved {@link Limits}; the constants are fixed. */

/** Instances of provenance kept in a message header; older ones are forgotten first. */
export const provenanceMax = 6;
/** Limited resources that a type may declare. */
export const resourcesMax = 8;
/** Bytes of a lane slot: header and small payloads. */
export const slotBytes = 256;
/** Error notices that an instance keeps while there is no room for them upstream. */
export const keptNoticesMax = 65_536;

/** Bounds of the data plane. All are per process unless they say otherwise. */
export interface Limits {
  /** Messages a lane (one sending thread to one instance) holds; a power of two. Default 1,024. */
  readonly laneMaxMessages: number;
  /** Bytes of payloads larger than a slot that a lane holds. Default 1 MiB. */
  readonly laneMaxBytes: number;
  /** Encoded bytes of one message; at most half of `laneMaxBytes`. Default 256 KiB. */
  readonly messageMaxBytes: number;
  /** Work a queue may hold, in milliseconds of measured service time, where its type says nothing; 0: not bounded. Default 0. */
  readonly queueMaxWorkMs: number;
  /** Outstanding requests of one instance; a power of two. Default 1,024. */
  readonly requestsMax: number;
  /** Delayed messages waiting in one thread. Default 65,536. */
  readonly delayedMax: number;
  /** Keyed states of one instance. Default 1,048,576. */
  readonly statesMax: number;
  /** Events in one turn of a thread, before I/O is served. Default 256. */
  readonly turnMaxEvents: number;
  /** Milliseconds of one turn, after which no further event is begun before I/O is served. Default 2. */
  readonly turnMaxMs: number;
  /** MSU threads of a process. Default 64. */
  readonly threadsMax: number;
  /** Instances of a process. Default 1,024. */
  readonly instancesMax: number;
  /** Heap limit of an MSU thread, MiB; 0: Node's own. Default 256. */
  readonly threadHeapMaxMiB: number;
}

/** Default {@link Limits}. */
export const defaultLimits: Limits = {
  laneMaxMessages: 1_024,
  laneMaxBytes: 1_048_576,
  messageMaxBytes: 262_144,
  queueMaxWorkMs: 0,
  requestsMax: 1_024,
  delayedMax: 65_536,
  statesMax: 1_048_576,
  turnMaxEvents: 256,
  turnMaxMs: 2,
  threadsMax: 64,
  instancesMax: 1_024,
  threadHeapMaxMiB: 256,
};
