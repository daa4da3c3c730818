import type { InstanceId, Key } from './ids.ts';

/** The header of a message, as handlers see it. Read-only; the payload is passed beside it. */
export interface Message {
  /** Unique within the process for its life. */
  readonly id: number;
  /** Routes keyed traffic; 0: none. */
  readonly flowKey: Key;
  /** Who caused this work, set at the entry; 0: unknown. */
  readonly clientKey: Key;
  /** The instance that sent this message. */
  readonly sender: InstanceId;
  /** The instance where the chain began. */
  readonly origin: InstanceId;
  /** Instances that handled the chain, oldest first, at most `provenanceMax` of them (the newest are kept). */
  readonly provenance: readonly InstanceId[];
  /** When it was accepted: milliseconds on the machine's monotonic clock. */
  readonly enqueuedAtMs: number;
  /** When it is no longer worth handling, on the same clock; `Infinity`: never. */
  readonly deadlineAtMs: number;
  /** Larger is sooner, where the queue order is `priority`. */
  readonly priority: number;
  /** It, or a message before it in its chain, was sent with `trace`. */
  readonly isTraced: boolean;
}

/** How a message is sent. Absent fields continue the chain of the message being handled (or of `cause`). */
export interface SendOptions {
  readonly flowKey?: Key;
  readonly clientKey?: Key;
  readonly priority?: number;
  /** Milliseconds from now until the message is not worth handling. Default: the receiving type's `deadlineMs`. */
  readonly deadlineMs?: number;
  /** Deliver after so many milliseconds. Default 0. */
  readonly delayMs?: number;
  /** Exactly this instance, whatever the routing policy (it must be an endpoint of the port). */
  readonly to?: InstanceId;
  /** Marks the message, and what is sent in its chain: handlers see `isTraced`, and may log what they did. Default: as its cause. */
  readonly trace?: boolean;
  /** The message whose chain goes on, where it is not the one being handled (after an `await`, say). */
  readonly cause?: Message;
}

/**
 * Tells an MSU upstream that a message which it handled has failed further on. Notices are coalesced: of several that
 * wait for room upstream, only the newest of a flow key is kept (of messages without a key, each).
 */
export interface ErrorNotice {
  /** The flow key of the failed message: find what you hold for it. */
  readonly flowKey: Key;
  /** Of the failed message: the newest with this flow key. */
  readonly messageId: number;
  /** The instance in which it failed. */
  readonly failedIn: InstanceId;
  readonly reason: string;
}
