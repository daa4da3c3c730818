import type { Connect, Connection, ExchangeEnd } from './connection.ts';
import type { Random } from './random.ts';

/** One request on its way: what the pool needs to know of it. */
export interface Exchange {
  /** Wants a connection of its own. */
  readonly fresh: boolean;
  readonly bytes: Buffer;
  /** Called once when the request has ended, never after `abandon`. */
  ended(end: ExchangeEnd): void;
}

export interface PoolCounts {
  opened: number;
  failed: number;
  resent: number;
  peakOpen: number;
}

/**
 * Hands connections to requests.
 *
 * - P1: never more than `connectionsMax` sockets, nor more than `keptConnections` kept ones; a request beyond
 *   that waits, first come first served. (Opening one more for every burst would turn a moment of slowness
 *   into a flood of handshakes of our own making.)
 * - P2: while fewer than `keptConnections` are kept, a request opens one, so that the load comes over many;
 *   then an idle one is picked at random.
 * - P3: a request sent on a kept connection that closes without a byte of answer is sent once more on a new
 *   connection, as browsers do: the server may close an idle connection at any time.
 */
export interface ConnectionPool {
  submit(exchange: Exchange): void;
  /** Gives a request up: closes its connection or takes it out of the queue. Returns true if it had to wait. */
  abandon(exchange: Exchange): boolean;
  readonly counts: Readonly<PoolCounts>;
  close(): void;
}

interface Slot {
  connection: Connection;
  readonly fresh: boolean;
  exchange: Exchange | undefined;
  opened: boolean;
  /** Has carried a request before. */
  used: boolean;
  gone: boolean;
}

export interface PoolLimits {
  readonly keptConnections: number;
  readonly connectionsMax: number;
}

export function createConnectionPool(
  connect: Connect,
  limits: PoolLimits,
  random: Random,
  onOpened: () => void,
): ConnectionPool {
  const slots = new Set<Slot>();
  const idle: Slot[] = [];
  const waiting: { readonly kept: Set<Exchange>; readonly fresh: Set<Exchange> } = {
    kept: new Set(),
    fresh: new Set(),
  };
  const slotOf = new Map<Exchange, Slot>();
  const resent = new WeakSet<Exchange>();
  const counts: PoolCounts = { opened: 0, failed: 0, resent: 0, peakOpen: 0 };
  let kept = 0;
  let closed = false;

  const drop = (slot: Slot): void => {
    if (slot.gone) return;
    slot.gone = true;
    slots.delete(slot);
    if (!slot.fresh) kept -= 1;
    const at = idle.indexOf(slot);
    if (at >= 0) idle.splice(at, 1);
    if (!slot.opened) counts.failed += 1;
    slot.connection.destroy();
    serveWaiting();
  };
  const give = (slot: Slot, exchange: Exchange): void => {
    slot.exchange = exchange;
    slotOf.set(exchange, slot);
    slot.connection.send(exchange.bytes);
  };
  const onEnded = (slot: Slot, end: ExchangeEnd): void => {
    const exchange = slot.exchange!;
    slot.exchange = undefined;
    slotOf.delete(exchange);
    const reusable = end.kind === 'response' && end.response.reusable && !slot.fresh;
    const wasUsed = slot.used;
    slot.used = true;
    if (reusable) release(slot);
    else drop(slot);
    if (end.kind === 'broken' && wasUsed && !end.responseStarted && !resent.has(exchange) && !closed) {
      resent.add(exchange);
      counts.resent += 1;
      openFor(exchange);
    } else exchange.ended(end);
  };
  const open = (fresh: boolean): Slot => {
    const slot: Slot = {
      connection: connect({
        opened() {
          slot.opened = true;
          counts.opened += 1;
          onOpened();
        },
        ended: (end) => onEnded(slot, end),
        closed: () => drop(slot),
      }),
      fresh,
      exchange: undefined,
      opened: false,
      used: false,
      gone: false,
    };
    slots.add(slot);
    if (!fresh) kept += 1;
    counts.peakOpen = Math.max(counts.peakOpen, slots.size);
    return slot;
  };
  const mayOpen = (fresh: boolean): boolean =>
    slots.size < limits.connectionsMax && (fresh || kept < limits.keptConnections);
  const openFor = (exchange: Exchange): void => {
    const { fresh } = exchange;
    if (mayOpen(fresh)) give(open(fresh), exchange);
    else waiting[fresh ? 'fresh' : 'kept'].add(exchange);
  };
  const release = (slot: Slot): void => {
    const [exchange] = waiting.kept;
    if (exchange === undefined) idle.push(slot);
    else {
      waiting.kept.delete(exchange);
      give(slot, exchange);
    }
  };
  const serveWaiting = (): void => {
    if (closed) return;
    for (const queue of [waiting.kept, waiting.fresh]) {
      const [first] = queue;
      if (first === undefined || !mayOpen(first.fresh)) continue;
      queue.delete(first);
      give(open(first.fresh), first);
      return;
    }
  };

  return {
    counts,
    submit(exchange) {
      if (mayOpen(exchange.fresh) || exchange.fresh || idle.length === 0) {
        openFor(exchange);
        return;
      }
      const at = random.integer(idle.length);
      const slot = idle[at]!;
      idle[at] = idle[idle.length - 1]!;
      idle.pop();
      give(slot, exchange);
    },
    abandon(exchange) {
      if (waiting.kept.delete(exchange) || waiting.fresh.delete(exchange)) return true;
      const slot = slotOf.get(exchange);
      if (slot === undefined) return false;
      slotOf.delete(exchange);
      slot.exchange = undefined;
      drop(slot);
      return false;
    },
    close() {
      closed = true;
      for (const slot of [...slots]) drop(slot);
    },
  };
}
