/**
 * Sends that must not get lost while the receiver's queue is full: keeps them in order and tries again when there
 * is room. Whoever they belong to is told, so that it takes no more in.
 */
import type { Key, RefusalReason, SendOptions, SendPort } from 'shoal';

/** Messages kept; beyond it a message is given up, as one that no endpoint takes. */
const keptMax = 65_536;

export interface OutboxEvents<T> {
  /** Messages of this key begin to wait (true), or wait no more (false). */
  onWaiting(flowKey: Key, isWaiting: boolean): void;
  /** No endpoint takes the message; it is lost. */
  onLost(payload: T, flowKey: Key, reason: RefusalReason): void;
}

/** Options of a message of an outbox: the key is needed, to tell whose message it is. */
export type KeyedOptions = SendOptions & { readonly flowKey: Key };

export class Outbox<T> {
  readonly #port: SendPort<T>;
  readonly #events: OutboxEvents<T>;
  readonly #kept: { readonly payload: T; readonly options: KeyedOptions }[] = [];
  readonly #waiting = new Set<Key>();

  constructor(port: SendPort<T>, events: OutboxEvents<T>) {
    this.#port = port;
    this.#events = events;
  }

  send(payload: T, options: KeyedOptions): void {
    if (this.#kept.length > 0) return this.#keep(payload, options);
    const accepted = this.#port.send(payload, options);
    if (accepted === 'accepted') return;
    if (accepted === 'queue-full') this.#keep(payload, options);
    else this.#events.onLost(payload, options.flowKey, accepted);
  }

  #keep(payload: T, options: KeyedOptions): void {
    if (this.#kept.length >= keptMax) return this.#events.onLost(payload, options.flowKey, 'queue-full');
    this.#kept.push({ payload, options });
    if (this.#kept.length === 1) this.#retryWhenReady();
    if (this.#waiting.has(options.flowKey)) return;
    this.#waiting.add(options.flowKey);
    this.#events.onWaiting(options.flowKey, true);
  }

  #retryWhenReady(): void {
    void this.#port.ready().then(() => this.#retry());
  }

  #retry(): void {
    let sent = 0;
    for (; sent < this.#kept.length; sent++) {
      const { payload, options } = this.#kept[sent]!;
      const accepted = this.#port.send(payload, options);
      if (accepted === 'queue-full') break;
      if (accepted !== 'accepted') this.#events.onLost(payload, options.flowKey, accepted);
    }
    this.#kept.splice(0, sent);
    if (this.#kept.length > 0) return this.#retryWhenReady();
    for (const flowKey of [...this.#waiting]) {
      this.#waiting.delete(flowKey);
      this.#events.onWaiting(flowKey, false);
    }
  }
}
