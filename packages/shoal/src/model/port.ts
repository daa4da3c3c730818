/** Ports: where messages enter and leave an MSU. Declared in `defineMsu`, connected in `defineApp`. */
import type { MessageType } from './message-type.ts';

/** In-port for one-way messages, from `sends` or `publishes` ports. */
export interface Receives<T> {
  readonly kind: 'receives';
  readonly message: MessageType<T>;
}

/** In-port that answers requests. */
export interface Serves<Q, R> {
  readonly kind: 'serves';
  readonly message: MessageType<Q>;
  readonly reply: MessageType<R>;
}

/** Out-port: each message goes to one instance of the connected type, chosen by the routing policy. */
export interface Sends<T> {
  readonly kind: 'sends';
  readonly message: MessageType<T>;
}

/** Out-port: each message goes to every subscribing type (and, with routing `all`, to each of their instances). */
export interface Publishes<T> {
  readonly kind: 'publishes';
  readonly message: MessageType<T>;
}

/** Out-port: request with one reply. */
export interface Requests<Q, R> {
  readonly kind: 'requests';
  readonly message: MessageType<Q>;
  readonly reply: MessageType<R>;
  /** A request without a reply after so many milliseconds ends as `timeout`. 0: never. */
  readonly timeoutMs: number;
}

/** Default of a `requests` port's `timeoutMs`. */
export const defaultRequestTimeoutMs = 5_000;

/** Declares an in-port for one-way messages. */
export function receives<T>(message: MessageType<T>): Receives<T> {
  return { kind: 'receives', message };
}

/** Declares an in-port that answers requests. */
export function serves<Q, R>(message: MessageType<Q>, reply: MessageType<R>): Serves<Q, R> {
  return { kind: 'serves', message, reply };
}

/** Declares an out-port whose messages each go to one instance. */
export function sends<T>(message: MessageType<T>): Sends<T> {
  return { kind: 'sends', message };
}

/** Declares an out-port whose messages go to every subscribing type. */
export function publishes<T>(message: MessageType<T>): Publishes<T> {
  return { kind: 'publishes', message };
}

/** Declares an out-port for requests. `timeoutMs` defaults to {@link defaultRequestTimeoutMs}. */
export function requests<Q, R>(
  message: MessageType<Q>,
  reply: MessageType<R>,
  options: { timeoutMs?: number } = {},
): Requests<Q, R> {
  return { kind: 'requests', message, reply, timeoutMs: options.timeoutMs ?? defaultRequestTimeoutMs };
}

/** A timer of an MSU: an event in its queue every `periodMs`; 0 fires once, `delayMs` after the instance starts. */
export interface TimerSpec {
  /** Milliseconds between two events; 0: one event. */
  readonly periodMs: number;
  /** Milliseconds until the first event. Default: `periodMs`. */
  readonly delayMs?: number;
  /** Priority among the events of the instance, where its queue order is `priority`; larger is sooner. Default 0. */
  readonly priority?: number;
}

/** The declaration of an in-port. */
// biome-ignore lint/suspicious/noExplicitAny: any port, whatever it carries; MessageType is invariant.
export type InPort = Receives<any> | Serves<any, any>;
/** The declaration of an out-port. */
// biome-ignore lint/suspicious/noExplicitAny: any port, whatever it carries; MessageType is invariant.
export type OutPort = Sends<any> | Publishes<any> | Requests<any, any>;
/** In-ports by name. */
export type InPorts = Readonly<Record<string, InPort>>;
/** Out-ports by name. */
export type OutPorts = Readonly<Record<string, OutPort>>;
/** Timers by name. */
export type TimerSpecs = Readonly<Record<string, TimerSpec>>;
