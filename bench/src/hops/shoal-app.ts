/**
 * The app that is measured: `caller` asks `answer`, or tells it, as often as `control` has it do so. The load is
 * driven inside of `caller`, by the code that drives the other systems, because a thread that parks between messages
 * can only be reached by messages. `control` takes commands from, and brings results to, the benchmark's own thread.
 *
 * Settings are in the query of this module's URL: `payload`, `channel` (name of a `BroadcastChannel`), and `sockets`
 * (`1`: the caller's thread has an open connection to itself, so that it waits through the event loop).
 */
import * as net from 'node:net';
import { BroadcastChannel } from 'node:worker_threads';
import {
  bytes,
  connect,
  defineApp,
  defineMsu,
  type MessageType,
  receives,
  record,
  requests,
  sends,
  serves,
  value,
} from 'shoal';
import { type Ask, driveRoundTrips, driveThroughput } from './drive.ts';
import {
  answer as answerTo,
  makePayloads,
  numberIn,
  type Payload,
  type PayloadKind,
  payloadCount,
} from './payload.ts';
import type { RoundTrips, Throughput } from './system.ts';

export interface Command {
  readonly what: 'round-trips' | 'throughput' | 'one-way';
  readonly durationMs: number;
}
/** On the channel, commands go one way and results the other. */
export type OnChannel =
  | { readonly to: 'app'; readonly command: Command }
  | { readonly to: 'bench'; readonly result: RoundTrips | Throughput };

const settings = new URL(import.meta.url).searchParams;
const payloadKind = (settings.get('payload') ?? 'bytes64') as PayloadKind;
const hasSockets = settings.get('sockets') === '1';
const channelName = settings.get('channel') ?? '';

// Both kinds of payload go through the same code here.
const payload = (
  payloadKind === 'bytes64' ? bytes() : record({ id: 'number', name: 'string' })
) as MessageType<Payload>;
const command = value<Command>();
const result = value<RoundTrips | Throughput>();
const acknowledgement = record({ checksum: 'number' });

/**
 * One-way messages that one acknowledgement stands for, and how many may be on their way. A lane holds 1,024, and a
 * slot is free again a little later than its message is acknowledged.
 */
const ackEvery = 256;
const onTheirWayMax = 768;

const answer = defineMsu({
  name: 'answer',
  in: { ask: serves(payload, payload), tell: receives(payload) },
  out: { acknowledge: sends(acknowledgement) },
  create: (context) => {
    let received = 0;
    let checksum = 0;
    return {
      ask: answerTo,
      tell: (message) => {
        checksum += numberIn(message);
        if (++received % ackEvery !== 0) return;
        context.out.acknowledge.send({ checksum });
        checksum = 0;
      },
    };
  },
});

const caller = defineMsu({
  name: 'caller',
  execution: hasSockets ? 'async' : 'sync',
  in: { command: receives(command), acknowledged: receives(acknowledgement) },
  out: { ask: requests(payload, payload), tell: sends(payload), result: sends(result) },
  create: (context) => {
    const payloads = makePayloads(payloadKind);
    const closeSockets = hasSockets ? openSockets() : () => {};

    const ask: Ask = (request, onReply) =>
      context.out.ask.ask(request, (reply) => {
        if (reply.outcome !== 'done') throw new Error(`a request ended ${JSON.stringify(reply)}`);
        onReply(reply.value);
      });
    const onEnd = (measured: RoundTrips | Throughput): void => void context.out.result.send(measured);

    let oneWay: {
      startMs: number;
      durationMs: number;
      told: number;
      acknowledged: number;
      checksum: number;
    } | null = null;
    const tell = (count: number): void => {
      if (oneWay === null) return;
      for (let i = 0; i < count; i++) {
        const acceptance = context.out.tell.send(payloads[oneWay.told % payloadCount] as Payload);
        if (acceptance !== 'accepted') throw new Error(`a message was not accepted: ${acceptance}`);
        oneWay.told++;
      }
    };

    return {
      command: ({ what, durationMs }) => {
        if (what === 'round-trips') driveRoundTrips(ask, payloads, durationMs, onEnd);
        else if (what === 'throughput') driveThroughput(ask, payloads, durationMs, onEnd);
        else {
          oneWay = { startMs: performance.now(), durationMs, told: 0, acknowledged: 0, checksum: 0 };
          tell(onTheirWayMax);
        }
      },
      acknowledged: ({ checksum }) => {
        if (oneWay === null) return;
        oneWay.acknowledged += ackEvery;
        oneWay.checksum += checksum;
        const elapsedMs = performance.now() - oneWay.startMs;
        if (elapsedMs < oneWay.durationMs) tell(ackEvery);
        else if (oneWay.acknowledged === oneWay.told) {
          const perSecond = (oneWay.acknowledged * 1_000) / elapsedMs;
          context.out.result.send({ perSecond, checksum: oneWay.checksum });
          oneWay = null;
        }
      },
      onClose: closeSockets,
    };
  },
});

/** A listener of this thread with a connection to itself, idle. */
function openSockets(): () => void {
  const accepted: net.Socket[] = [];
  const server = net.createServer((socket) => accepted.push(socket.on('error', () => {})));
  let client: net.Socket | null = null;
  server.listen(0, '127.0.0.1', () => {
    client = net.connect((server.address() as net.AddressInfo).port, '127.0.0.1');
    client.on('error', () => {});
  });
  return () => {
    client?.destroy();
    for (const socket of accepted) socket.destroy();
    server.close();
  };
}

const control = defineMsu({
  name: 'control',
  execution: 'async',
  in: { result: receives(result) },
  out: { command: sends(command) },
  create: (context) => {
    const channel = new BroadcastChannel(channelName);
    // Typed loosely by Node.
    channel.onmessage = (event: unknown) => {
      const { data } = event as { data: OnChannel };
      if (data.to === 'app') context.out.command.send(data.command);
    };
    return {
      result: (measured) => {
        const message: OnChannel = { to: 'bench', result: measured };
        channel.postMessage(message);
      },
      onClose: () => channel.close(),
    };
  },
});

export default defineApp({
  name: 'hops',
  msus: [control, caller, answer],
  edges: [
    connect(control.out.command, caller.in.command),
    connect(caller.out.result, control.in.result),
    connect(caller.out.ask, answer.in.ask),
    connect(caller.out.tell, answer.in.tell),
    connect(answer.out.acknowledge, caller.in.acknowledged),
  ],
});
