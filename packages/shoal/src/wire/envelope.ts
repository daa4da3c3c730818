import { type InstanceId, type Key, type Message, provenanceMax } from '../model/index.ts';

/**
 * What an envelope carries. `notice`: an error notice for the provenance of a failed message. Between instances of a keyed
 * type, `state`: the state of a key that moves; `place`: that the state of a key stays with the sender; `ended`: that a key
 * whose place was the sender has no state any more.
 */
export const EnvelopeKind = {
  message: 1,
  request: 2,
  reply: 3,
  notice: 4,
  timer: 5,
  state: 6,
  place: 7,
  ended: 8,
} as const;
export type EnvelopeKind = (typeof EnvelopeKind)[keyof typeof EnvelopeKind];

/** Stand for no version in {@link Envelope.routedBy}: versions are larger. */
export const routedToFormer = 1;
export const routedBack = 2;

const nobody: readonly InstanceId[] = [];
const noOne = 0 as InstanceId;

/** Chains of one, which most are, by sender; made once. */
const single: (readonly InstanceId[] | undefined)[] = [];
/** Instance ids grow: those beyond get an array each time. */
const singleMax = 4_096;

/** The chain of what a sender sends, by that of what it had been sent. Not frozen: V8 reads elements of frozen arrays slowly. */
export function extendChain(prior: readonly InstanceId[], sender: InstanceId): readonly InstanceId[] {
  if (sender === noOne) return prior;
  if (prior.length === 0) return onlySender(sender);
  const extended: InstanceId[] = [];
  for (let i = Math.max(0, prior.length + 1 - provenanceMax); i < prior.length; i++)
    extended.push(prior[i] as InstanceId);
  extended.push(sender);
  return extended;
}

function onlySender(sender: InstanceId): readonly InstanceId[] {
  const known = single[sender];
  if (known !== undefined) return known;
  const made = [sender];
  if (sender < singleMax) single[sender] = made;
  return made;
}

/**
 * A message with its header and payload, as a thread holds it. The header fields are what handlers see
 * ({@link Message}); the others are the runtime's.
 */
export class Envelope implements Message {
  kind: EnvelopeKind = EnvelopeKind.message;
  /** In-port of the receiving type, by position; for replies and notices the outcome and reason codes. */
  port = 0;
  payload: unknown = undefined;
  id = 0;
  flowKey: Key = 0;
  clientKey: Key = 0;
  sender: InstanceId = noOne;
  origin: InstanceId = noOne;
  /** The provenance without the sender. Messages have these arrays in common: they never change. */
  prior: readonly InstanceId[] = nobody;
  /** {@link chain}, once it is known; whoever changes the sender or what was prior to it sets it, too. */
  knownChain: readonly InstanceId[] | null = null;
  enqueuedAtMs = 0;
  deadlineAtMs: number = Number.POSITIVE_INFINITY;
  priority = 0;
  isTraced = false;
  /** Names a request to its requester; 0: none. */
  correlation = 0;
  /**
   * How the receiver was chosen, where its type keeps states by key. 0: not by the key. {@link routedToFormer}: it was
   * the owner. {@link routedBack}: it knew a place of the key, where the key was not any more. Negative: it is the place
   * of the key, known to the instance with this id. Else the version of the table by which it owns the key.
   */
  routedBy = 0;

  /** A copy for the handler. */
  get provenance(): readonly InstanceId[] {
    return this.chain.slice();
  }

  /** The provenance. */
  get chain(): readonly InstanceId[] {
    this.knownChain ??= extendChain(this.prior, this.sender);
    return this.knownChain;
  }
}
