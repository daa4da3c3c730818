/**
 * What the agent tells a thread, and what a thread answers. Posted as structured values; shared memory is passed
 * by reference. After posting, the agent counts up the thread's `control` word and rings its bell, so that a
 * parked thread looks at its port.
 */
import type { AppGraph, InstanceId, Limits, SchedulingOrder, ThreadId } from '../model/index.ts';
import type { LaneMemory } from '../transport/index.ts';

/** What a thread is started with. */
export interface ThreadStart {
  readonly threadId: ThreadId;
  readonly name: string;
  /** URL of the app module. */
  readonly appUrl: string;
  readonly graph: AppGraph;
  readonly limits: Limits;
  readonly block: SharedArrayBuffer;
  /** Core to pin to; -1: none. */
  readonly core: number;
  readonly nice: number;
  readonly scheduling: SchedulingOrder;
  /** Where its message ids come from (`message-ids.ts`). */
  readonly messageBlocks: SharedArrayBuffer;
  readonly seed: number;
}

/** One endpoint of a table, with what the thread needs to reach it. */
export interface ThreadEndpoint {
  readonly instanceId: InstanceId;
  readonly weight: number;
  readonly isDraining: boolean;
  readonly block: SharedArrayBuffer;
  /** Its type keeps states by key. */
  readonly isKeyed: boolean;
  /** Null: the instance is on the same thread. */
  readonly way: { readonly lane: LaneMemory; readonly threadBlock: SharedArrayBuffer } | null;
}

export interface ThreadTable {
  readonly edgeId: number;
  readonly version: number;
  readonly endpoints: readonly ThreadEndpoint[];
}

/** An instance of a keyed type, for the instances of the type on a thread. */
export interface ThreadSibling {
  readonly instanceId: InstanceId;
  readonly weight: number;
  readonly isDraining: boolean;
  readonly block: SharedArrayBuffer;
  /** It takes messages now. */
  readonly hasBegun: boolean;
  /** How often it has lost its thread. */
  readonly restarts: number;
  readonly threadBlock: SharedArrayBuffer;
  /** By which instances of the type on the thread pass on to it. None: it is on the thread itself. */
  readonly lanes: readonly { readonly from: InstanceId; readonly lane: LaneMemory }[];
}

/** How a thread learns the way back to an instance elsewhere. */
export interface ThreadReplyWay {
  readonly instanceId: InstanceId;
  readonly lane: LaneMemory;
  readonly threadBlock: SharedArrayBuffer;
  readonly wantsNotices: boolean;
}

/** A lane that leads to an instance of the thread. */
export interface ThreadLane {
  readonly lane: LaneMemory;
  /** Messages; replies and notices; what another instance of the type passes on. */
  readonly kind: 'message' | 'reply' | 'sibling';
}

/** What happened to the instance before: 'new', or the reason why its last thread died. */
export type HostOrigin = 'new' | 'run-limit' | 'thread-lost';

export type ThreadRequestBody =
  /** Creates an instance. `isBuried`: only ends what its predecessor left; no user code runs. */
  | {
      readonly kind: 'host';
      readonly instanceId: InstanceId;
      readonly msu: string;
      readonly block: SharedArrayBuffer;
      readonly lanes: readonly ThreadLane[];
      /** Names of its custom counters so far, by slot. */
      readonly counterNames: readonly string[];
      readonly origin: HostOrigin;
      readonly isBuried: boolean;
    }
  /** Hosted instances may serve: the tables by which they send are here. */
  | { readonly kind: 'begin'; readonly instanceIds: readonly InstanceId[] }
  | { readonly kind: 'attach'; readonly instanceId: InstanceId; readonly lanes: readonly ThreadLane[] }
  | { readonly kind: 'reply-ways'; readonly ways: readonly ThreadReplyWay[] }
  | { readonly kind: 'tables'; readonly tables: readonly ThreadTable[] }
  /** Who owns which keys of a type, for its instances: before senders have a table of the same version. */
  | {
      readonly kind: 'owners';
      readonly msu: string;
      readonly version: number;
      /** All other instances have it already. */
      readonly isInForce: boolean;
      readonly siblings: readonly ThreadSibling[];
    }
  /** Answered when the instances of the type that serve have taken what was sent to them so far, and what they passed on is there. */
  | { readonly kind: 'settle'; readonly msu: string }
  /**
   * All instances have been told of the owners. Answered when those of the type that serve have given what the table takes
   * from them to the next owners, and those have it.
   */
  | { readonly kind: 'hand-over'; readonly msu: string }
  /** All have handed over. */
  | { readonly kind: 'owners-in-force'; readonly msu: string; readonly version: number }
  | { readonly kind: 'drain'; readonly instanceId: InstanceId }
  | { readonly kind: 'remove'; readonly instanceId: InstanceId }
  /** Instances elsewhere that are gone, and lanes whose senders are: nothing more comes or goes there. */
  | {
      readonly kind: 'forget';
      readonly instanceIds: readonly InstanceId[];
      readonly laneIds: readonly number[];
    }
  /** Closes every instance and ends the thread. */
  | { readonly kind: 'stop' };

export interface ThreadRequest {
  readonly requestId: number;
  readonly body: ThreadRequestBody;
}

export type ThreadReport =
  | { readonly kind: 'ready' }
  | {
      readonly kind: 'answer';
      readonly requestId: number;
      readonly isOk: true;
      readonly hasErrorHandler: boolean;
    }
  | { readonly kind: 'answer'; readonly requestId: number; readonly isOk: false; readonly detail: string }
  | {
      readonly kind: 'counter';
      readonly instanceId: InstanceId;
      readonly slot: number;
      readonly name: string;
    }
  | {
      readonly kind: 'log';
      readonly level: 'debug' | 'info' | 'warn' | 'error';
      readonly msu: string;
      readonly instanceId: InstanceId;
      readonly text: string;
      readonly fields: Readonly<Record<string, unknown>>;
    };
