/**
 * How messages end. A message is *refused* (never accepted; the sender is told at once), or *accepted*, and
 * then ends exactly once as `done`, `failed` or `shed`. Every one of these is counted, by reason.
 */

/** Why a message was not accepted. */
export type RefusalReason =
  /** The lane or the instance's queue bound (messages, bytes or work) is reached. */
  | 'queue-full'
  /** The routing table of the port has no usable endpoint. */
  | 'no-endpoint'
  /** The encoded payload is larger than the lane's `messageMaxBytes`. */
  | 'too-large'
  /** The sender is over its declared traffic profile, or was pushed back. */
  | 'out-of-profile'
  /** The requester already has its maximum of outstanding requests. */
  | 'too-many-requests'
  /** The sender or the process is stopping. */
  | 'stopping';

/** Why an accepted message failed. */
export type FailureReason =
  /** The handler threw, or its promise was rejected. */
  | 'handler-error'
  /** The handler took longer than the type's `runLimitMs`. Its thread was killed, unless the handler only awaited. */
  | 'run-limit'
  /** The thread ended (crash, exit, heap overflow) while it held the message. */
  | 'thread-lost'
  /** The payload could not be decoded. */
  | 'decode-error'
  /** The reply could not be carried back (larger than the lane allows, or not encodable). */
  | 'reply-lost';

/** Why an accepted message was not handled. */
export type SheddingReason =
  /** Its deadline had passed when its turn came. */
  | 'expired'
  /** Its instance was removed, or the process stopped, before its turn came. */
  | 'stopping'
  /** A delayed message could not be accepted by any receiver when it was due; or a key's new owner could not take what was passed on. */
  | 'undeliverable';

/** Every {@link RefusalReason}. Their order is part of the layout of counters. */
export const refusalReasons: readonly RefusalReason[] = [
  'queue-full',
  'no-endpoint',
  'too-large',
  'out-of-profile',
  'too-many-requests',
  'stopping',
];
/** Every {@link FailureReason}. Their order is part of the layout of counters. */
export const failureReasons: readonly FailureReason[] = [
  'handler-error',
  'run-limit',
  'thread-lost',
  'decode-error',
  'reply-lost',
];
/** Every {@link SheddingReason}. Their order is part of the layout of counters. */
export const sheddingReasons: readonly SheddingReason[] = ['expired', 'stopping', 'undeliverable'];

/** What `send` and `publish` answer. */
export type Acceptance = 'accepted' | RefusalReason;

/** What a request comes back with. */
export type Reply<R> =
  | { readonly outcome: 'done'; readonly value: R }
  | { readonly outcome: 'failed'; readonly reason: FailureReason; readonly detail: string }
  | { readonly outcome: 'shed'; readonly reason: SheddingReason }
  | { readonly outcome: 'refused'; readonly reason: RefusalReason }
  | { readonly outcome: 'timeout' };
