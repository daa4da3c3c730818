/** The out-ports that handlers see, over the routes of their thread. */
import {
  type Acceptance,
  type PublishPort,
  type Reply,
  type RequestPort,
  type SendOptions,
  type SendPort,
  ShoalError,
} from '../model/index.ts';
import { EnvelopeKind } from '../wire/index.ts';
import type { Instance } from './instance.ts';
import type { OnReply } from './pending-requests.ts';
import type { LiveEndpoint, Route } from './route.ts';

/** Between two looks at the credit while somebody waits in `ready()`. */
const readyPollMs = 5;

/** Messages that an endpoint takes now. */
function creditOf(endpoint: LiveEndpoint): number {
  if (endpoint.local !== null) return endpoint.local.inbox.localCredit;
  return endpoint.writer?.credit() ?? 0;
}

function routeCredit(route: Route): number {
  let most = 0;
  for (const endpoint of route.endpoints) if (!endpoint.isDraining) most = Math.max(most, creditOf(endpoint));
  return most;
}

export class LiveSendPort implements SendPort<unknown> {
  readonly #instance: Instance;
  readonly #route: Route;

  constructor(instance: Instance, route: Route) {
    this.#instance = instance;
    this.#route = route;
  }

  send(payload: unknown, options?: SendOptions): Acceptance {
    return this.#instance.outbox.send(this.#route, payload, options, EnvelopeKind.message, 0);
  }

  credit(): number {
    return routeCredit(this.#route);
  }

  ready(): Promise<void> {
    if (this.credit() > 0) return Promise.resolve();
    const { thread } = this.#instance;
    return new Promise((resolve) => {
      const look = (): void => {
        if (this.credit() > 0) resolve();
        else thread.after(readyPollMs, look);
      };
      thread.after(readyPollMs, look);
    });
  }
}

/** From best to worst, for a publication that is taken differently by several subscribers. */
const severity: readonly Acceptance[] = [
  'accepted',
  'no-endpoint',
  'too-many-requests',
  'queue-full',
  'out-of-profile',
  'too-large',
  'stopping',
];

export class LivePublishPort implements PublishPort<unknown> {
  readonly #instance: Instance;
  readonly #routes: readonly Route[];

  constructor(instance: Instance, routes: readonly Route[]) {
    this.#instance = instance;
    this.#routes = routes;
  }

  publish(payload: unknown, options?: SendOptions): Acceptance {
    let worst = 0;
    for (const route of this.#routes) {
      if (route.edge.routing === 'all') {
        for (const endpoint of route.endpoints) {
          if (endpoint.isDraining) continue;
          const accepted = this.#instance.outbox.sendTo(
            route,
            endpoint,
            payload,
            options,
            EnvelopeKind.message,
            0,
          );
          worst = Math.max(worst, severity.indexOf(accepted));
        }
      } else {
        const accepted = this.#instance.outbox.send(route, payload, options, EnvelopeKind.message, 0);
        worst = Math.max(worst, severity.indexOf(accepted));
      }
    }
    return severity[worst] as Acceptance;
  }
}

export class LiveRequestPort implements RequestPort<unknown, unknown> {
  readonly #instance: Instance;
  readonly #route: Route;

  constructor(instance: Instance, route: Route) {
    this.#instance = instance;
    this.#route = route;
  }

  request(payload: unknown, options?: SendOptions): Promise<Reply<unknown>> {
    if (!this.#instance.mayAwait) {
      throw new ShoalError(
        'SHOAL_BAD_CALL',
        `MSU type '${this.#instance.graph.name}' is 'sync' and cannot await: use ask() with a callback, or declare execution: 'async'.`,
      );
    }
    return new Promise((resolve) => this.#instance.outbox.ask(this.#route, payload, options, resolve));
  }

  ask(payload: unknown, onReply: OnReply, options?: SendOptions): void {
    this.#instance.outbox.ask(this.#route, payload, options, onReply);
  }

  credit(): number {
    return Math.min(this.#instance.outbox.requestCredit(), routeCredit(this.#route));
  }
}
