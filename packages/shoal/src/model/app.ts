import type { MsuType, PortRef } from './msu.ts';
import { markPlace } from './place.ts';
import type { OutPort, Publishes, Receives, Requests, Sends, Serves } from './port.ts';

/**
 * How a route chooses among the instances of the receiving type:
 * - `shortest-queue`: join an idle one, else the shorter of two chosen at random. Default for `state: 'none'`.
 * - `keyed`: weighted rendezvous hashing of the flow key. Default for `keyed` types.
 * - `round-robin`: weighted.
 * - `same-process`: only instances on the sender's process, the shortest queue among them. Default for `pinned`.
 * - `same-machine-as-origin`: only on the machine where the chain began.
 * - `same-instance`: the instance of the type that the chain has met before; else as `keyed`.
 * - `explicit`: the sender names the instance (`options.to`).
 * - `all`: every instance (`publishes` ports only).
 */
export type RoutingPolicy =
  | 'shortest-queue'
  | 'keyed'
  | 'round-robin'
  | 'same-process'
  | 'same-machine-as-origin'
  | 'same-instance'
  | 'explicit'
  | 'all';

/** Options of an edge. */
export interface EdgeOptions {
  /** Default by the state kind of the receiving type, see {@link RoutingPolicy}. */
  readonly routing?: RoutingPolicy;
}

/** A connection from an out-port to an in-port. Made by {@link connect}. */
export interface Edge {
  readonly from: { readonly msu: string; readonly port: string };
  readonly to: { readonly msu: string; readonly port: string };
  readonly routing: RoutingPolicy | 'default';
}

/** The in-port to which an out-port may be connected: the same message type, and the same reply. */
export type PartnerOf<P> =
  P extends Sends<infer T>
    ? Receives<T>
    : P extends Publishes<infer T>
      ? Receives<T>
      : P extends Requests<infer Q, infer R>
        ? Serves<Q, R>
        : never;

/** Connects an out-port to an in-port that carries the same message type; anything else does not compile. */
export function connect<P extends OutPort>(
  from: PortRef<P>,
  to: PortRef<PartnerOf<P>>,
  options: EdgeOptions = {},
): Edge {
  const source: { readonly msu: string; readonly port: string } | undefined = from;
  const target: { readonly msu: string; readonly port: string } | undefined = to;
  // A plain JavaScript app may hand over a port that does not exist: `validate` reports it with its place.
  return markPlace(
    {
      from: { msu: source?.msu ?? '', port: source?.port ?? '' },
      to: { msu: target?.msu ?? '', port: target?.port ?? '' },
      routing: options.routing ?? 'default',
    },
    connect,
  );
}

/** An MSU type, whatever its ports and timers. */
// biome-ignore lint/suspicious/noExplicitAny: an app holds types of any ports; `connect` has checked the edges.
export type AnyMsuType = MsuType<any, any, any>;

/** An app: MSU types and the edges between their ports. The default export of an app module. */
export interface App {
  readonly name: string;
  readonly msus: readonly AnyMsuType[];
  readonly edges: readonly Edge[];
}

/** Declares an app. */
export function defineApp(app: { name: string; msus: readonly AnyMsuType[]; edges: readonly Edge[] }): App {
  return markPlace({ name: app.name, msus: app.msus, edges: app.edges }, defineApp);
}
