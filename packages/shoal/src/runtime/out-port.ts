/** The out-ports that handlers see, over the routes of their thread. */
import {
  type Acceptance,
  type InstanceId,
  type PublishPort,
  type Reply,
  type RequestPort,
  type RoutingPolicy,
  type SendOptions,
  type SendPort,
  ShoalError,
} from '../model/index.ts';
import { EnvelopeKind } from '../wire/index.ts';
import { creditOf, creditOfRoute } from './credit.ts';
import type { Instance } from './instance.ts';
import type { OnReply } from './pending-requests.ts';
import type { Route } from './route.ts';

/** Between two looks at the credit while somebody waits in `ready()`. */
const readyPollMs = 5;

/**
 * Policies by which a message that was refused goes to the same endpoint again; by the others it may go to any.
 */
const sticky: readonly RoutingPolicy[] = ['keyed', 'same-instance', 'explicit'];

export class LiveSendPort implements SendPort<unknown> {
  readonly #instance: Instance;
  readonly #route: Route;
  /** The last message was refused; and by whom, where another attempt goes there again. */
  #isRefused = false;
  #refusedBy: InstanceId | null = null;

  constructor(instance: Instance, route: Route) {
    this.#instance = instance;
    this.#route = route;
  }

  send(payload: unknown, options?: SendOptions): Acceptance {
    const { outbox } = this.#instance;
    const accepted = outbox.send(this.#route, payload, options, EnvelopeKind.message, 0);
    if (accepted === 'accepted') {
      if (this.#isRefused) this.#isRefused = false;
      return accepted;
    }
    this.#isRefused = true;
    const isSticky = options?.to !== undefined || sticky.includes(this.#route.edge.routing);
    this.#refusedBy = isSticky ? outbox.refusedBy : null;
    return accepted;
  }

  credit(): number {
    return creditOfRoute(this.#route, this.#instance.thread.time());
  }

  /** After a refusal never at once: whoever tries again in a loop must let others of its thread run. */
  ready(): Promise<void> {
    if (!this.#isRefused && this.credit() > 0) return Promise.resolve();
    const refusedBy = this.#refusedBy;
    this.#isRefused = false;
    const { thread } = this.#instance;
    return new Promise((resolve) => {
      const look = (): void => {
        if (this.#hasRoom(refusedBy)) resolve();
        else thread.after(readyPollMs, look);
      };
      thread.after(readyPollMs, look);
    });
  }

  #hasRoom(refusedBy: InstanceId | null): boolean {
    const endpoint = this.#route.endpoints.find(({ instanceId }) => instanceId === refusedBy);
    return (
      (endpoint === undefined
        ? this.credit()
        : creditOf(this.#route, endpoint, this.#instance.thread.time())) > 0
    );
  }
}

export class LivePublishPort implements PublishPort<unknown> {
  readonly #instance: Instance;
  readonly #routes: readonly Route[];

  constructor(instance: Instance, routes: readonly Route[]) {
    this.#instance = instance;
    this.#routes = routes;
  }

  publish(payload: unknown, options?: SendOptions): Acceptance {
    return this.#instance.outbox.publish(this.#routes, payload, options);
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
    const { outbox, thread } = this.#instance;
    return Math.min(outbox.requestCredit(), creditOfRoute(this.#route, thread.time()));
  }
}
