/**
 * **http**: parses requests, answers those for objects, has texts searched by the regex MSU, and sends responses to
 * the write MSU in the order of the requests. Keyed by connection: its state is a parser and the answers that are
 * still missing, so it can be cloned, and each connection stays with the instance that knows it.
 */
import {
  defineMsu,
  type InstanceId,
  instanceId,
  type Key,
  type KeyedStates,
  type MsuContext,
  type MsuType,
  type Receives,
  type Reply,
  type Requests,
  receives,
  requests,
  type Sends,
  sends,
} from 'shoal';
import { HttpSession } from '../http/http-session.ts';
import { SweepClock } from '../limits.ts';
import { createMemoryStore, createRedisStore } from '../service/object-store.ts';
import type { Searcher, SearchOutcome } from '../service/search.ts';
import { createService, type Service } from '../service/service.ts';
import type { WebSettings } from '../settings.ts';
import {
  type ClientMessage,
  type ControlMessage,
  clientEvent,
  clientMessage,
  controlAction,
  controlMessage,
  type FoundMessage,
  foundMessage,
  labelsOf,
  type ResponseMessage,
  readerOf,
  responseMessage,
  type SearchMessage,
  searchMessage,
} from './messages.ts';
import { type KeyedOptions, Outbox } from './outbox.ts';

type HttpOut = {
  readonly search: Requests<SearchMessage, FoundMessage>;
  readonly responses: Sends<ResponseMessage>;
  readonly control: Sends<ControlMessage>;
};
type HttpTimers = { readonly sweep: { periodMs: number } };
export type HttpMsu = MsuType<{ readonly clients: Receives<ClientMessage> }, HttpOut, HttpTimers>;

/** The state of a connection. */
interface ClientState {
  readonly session: HttpSession;
  /** The number of the event to come. */
  sequence: number;
}

const noBytes = Buffer.alloc(0);

/** Events of connections that wait; while there are so many, the read MSU reads no more. */
const queueMax = 4_096;

/** How a request to the regex MSU came back, in the service's words. */
function outcomeOf(reply: Reply<FoundMessage>): SearchOutcome {
  switch (reply.outcome) {
    case 'done':
      return { outcome: 'done', count: reply.value.count, labels: labelsOf(reply.value) };
    case 'failed':
      if (reply.reason === 'run-limit') return { outcome: 'too-costly' };
      // The thread went down with someone else's search: this one may be tried again.
      return reply.reason === 'thread-lost' ? { outcome: 'busy' } : { outcome: 'failed' };
    case 'shed':
    case 'refused':
    case 'timeout':
      return { outcome: 'busy' };
  }
}

/** What one http instance holds. */
class HttpServer {
  readonly #context: MsuContext<HttpOut, HttpTimers>;
  readonly #settings: WebSettings;
  readonly #clock: SweepClock;
  readonly #states: KeyedStates<ClientState>;
  readonly #responses: Outbox<ResponseMessage>;
  readonly #control: Outbox<ControlMessage>;
  readonly #service: Service;
  #isDraining = false;
  #onEmpty: (() => void) | null = null;

  constructor(
    context: MsuContext<HttpOut, HttpTimers>,
    settings: WebSettings,
    store: Parameters<typeof createService>[0]['store'],
  ) {
    this.#context = context;
    this.#settings = settings;
    this.#clock = new SweepClock(context.now(), settings.limits);
    this.#states = context.states<ClientState>();
    const nobodyWaits = { onWaiting: () => undefined };
    this.#control = new Outbox(context.out.control, { ...nobodyWaits, onLost: () => undefined });
    this.#responses = new Outbox(context.out.responses, {
      ...nobodyWaits,
      // Without its response the connection is of no use to the client.
      onLost: (_response, key) => this.#ask(key, controlAction.destroy),
    });
    this.#service = createService({
      store,
      search: this.#search,
      connections: () => this.#states.size,
      limits: settings.limits,
      retryAfterSeconds: settings.retryAfterSeconds,
    });
  }

  handle(message: ClientMessage, key: Key): void {
    let state = this.#states.get(key);
    if (state === undefined) {
      // The rest of a connection whose beginning we have not seen could be anything: it must not be parsed.
      if (message.sequence > 0) {
        if (message.event !== clientEvent.closed) this.#ask(key, controlAction.destroy);
        return;
      }
      if (message.event === clientEvent.closed) return;
      state = this.#open(key, message.writer as InstanceId);
    } else if (message.sequence !== state.sequence) {
      this.#close(key, state);
      if (message.event !== clientEvent.closed) this.#ask(key, controlAction.destroy);
      return;
    }
    state.sequence += 1;
    switch (message.event) {
      case clientEvent.bytes:
        return state.session.push(message.bytes ?? noBytes);
      case clientEvent.end:
        return state.session.finish();
      case clientEvent.drain:
        return state.session.drain();
      default:
        return this.#close(key, state);
    }
  }

  /** Gives a connection up, and has it closed. */
  abandon(key: Key): void {
    const state = this.#states.get(key);
    if (state !== undefined) this.#close(key, state);
    this.#ask(key, controlAction.destroy);
  }

  sweep(): void {
    this.#clock.advance(this.#context.now());
    for (const key of this.#states.keys()) this.#states.get(key)?.session.sweep();
  }

  /** Resolves when the last connection has ended. */
  drain(): Promise<void> {
    this.#isDraining = true;
    for (const key of [...this.#states.keys()]) this.#states.get(key)?.session.drain();
    return new Promise((resolve) => {
      this.#onEmpty = resolve;
      this.#checkEmpty();
    });
  }

  readonly #search: Searcher = (text, defer) => {
    const answer = defer();
    this.#context.out.search.ask({ text }, (reply) => answer(outcomeOf(reply)));
    return null;
  };

  #open(key: Key, writer: InstanceId): ClientState {
    const { limits } = this.#settings;
    const options: KeyedOptions = writer === instanceId(0) ? { flowKey: key } : { flowKey: key, to: writer };
    const toReader: KeyedOptions = { flowKey: key, to: readerOf(key) };
    const session = new HttpSession(this.#service, limits, this.#clock, {
      transmit: (bytes, isLast) => {
        if (options.to !== undefined) this.#responses.send({ bytes, isLast }, options);
        else {
          const action = isLast ? controlAction.transmitLast : controlAction.transmit;
          this.#control.send({ action, bytes }, toReader);
        }
      },
      closeQuietly: () => {
        if (options.to !== undefined) this.#responses.send({ bytes: noBytes, isLast: true }, options);
        else this.#control.send({ action: controlAction.transmitLast }, toReader);
      },
      holdReading: (isHeld) => this.#ask(key, isHeld ? controlAction.hold : controlAction.release),
    });
    const state: ClientState = { session, sequence: 0 };
    this.#states.set(key, state);
    if (this.#isDraining) session.drain();
    return state;
  }

  #close(key: Key, state: ClientState): void {
    state.session.close();
    this.#states.delete(key);
    this.#checkEmpty();
  }

  #ask(key: Key, action: number): void {
    this.#control.send({ action }, { flowKey: key, to: readerOf(key) });
  }

  #checkEmpty(): void {
    if (this.#onEmpty === null || this.#states.size > 0) return;
    this.#onEmpty();
    this.#onEmpty = null;
  }
}

export function defineHttp(settings: WebSettings): HttpMsu {
  return defineMsu({
    name: 'http',
    state: 'keyed',
    execution: 'sync',
    colocation: 'connection',
    queueMaxMessages: queueMax,
    cost: { serviceTimeMs: 0.02, memoryMiB: 32 },
    in: { clients: receives(clientMessage) },
    out: {
      search: requests(searchMessage, foundMessage, { timeoutMs: settings.searchDeadlineMs }),
      responses: sends(responseMessage),
      control: sends(controlMessage),
    },
    timers: { sweep: { periodMs: settings.limits.sweepMs } },
    create(context) {
      const log = (text: string): void => context.log('warn', text);
      const store = settings.objects === '' ? createMemoryStore() : createRedisStore(settings.objects, log);
      const server = new HttpServer(context, settings, store);
      return {
        clients: (event, message) => {
          try {
            server.handle(event, message.flowKey);
          } catch (error) {
            // What the client would get from here on would be wrong.
            server.abandon(message.flowKey);
            throw error;
          }
        },
        sweep: () => server.sweep(),
        onDrain: () => server.drain(),
        onClose: () => store.close(),
      };
    },
  });
}
