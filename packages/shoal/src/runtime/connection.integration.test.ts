// 10,000 loopback connections handed between two real threads: no lost byte, no leaked descriptor.
import assert from 'node:assert/strict';
import * as crypto from 'node:crypto';
import { once } from 'node:events';
import * as net from 'node:net';
import { after, before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import * as tls from 'node:tls';
import { MessageChannel, Worker } from 'node:worker_threads';
import { attachConnection, detachConnection, discardConnection } from './connection.ts';
import { openDescriptors } from './test-support/descriptors.ts';
import { type HandOffCounts, type HandOffData, pskCiphers, pskIdentity } from './test-threads/hand-off.ts';

type Kind = 'plain' | 'tls' | 'half-closed' | 'aborted' | 'reset-at-once';

const key = crypto.randomBytes(16);
const inFlight = 64;
const settleMaxMs = 5_000;
let acceptor: Worker;
let server: Worker;
let plainPort = 0;
let tlsPort = 0;

function start(data: Omit<HandOffData, 'key'>): Worker {
  const suffix = import.meta.url.endsWith('.ts') ? '.ts' : '.js';
  return new Worker(new URL(`./test-threads/hand-off${suffix}`, import.meta.url), {
    workerData: { ...data, key } satisfies HandOffData,
    transferList: [data.channel],
  });
}

before(async () => {
  const { port1, port2 } = new MessageChannel();
  server = start({ role: 'server', channel: port2 });
  await once(server, 'message');
  acceptor = start({ role: 'acceptor', channel: port1 });
  const [listening] = await once(acceptor, 'message');
  ({ plainPort, tlsPort } = listening);
});

after(async () => {
  await Promise.all([acceptor.terminate(), server.terminate()]);
});

async function counts(thread: Worker): Promise<HandOffCounts> {
  const answer = once(thread, 'message');
  thread.postMessage('counts');
  return (await answer)[0].counts;
}

/** Client addresses vary, so that a run does not use up the loopback's ports for those who come after. */
function connect(kind: Kind, index: number): net.Socket {
  const from = { host: '127.0.0.1', localAddress: `127.0.1.${1 + (index % 200)}`, allowHalfOpen: true };
  if (kind !== 'tls') return net.connect({ ...from, port: plainPort });
  const underlying = net.connect({ ...from, port: tlsPort });
  return tls.connect({
    socket: underlying,
    ciphers: pskCiphers,
    maxVersion: 'TLSv1.2',
    pskCallback: () => ({ psk: key, identity: pskIdentity }),
    checkServerIdentity: () => undefined,
  });
}

/** Sends `bytes` and resolves with what came back until the end. */
function exchange(kind: Kind, index: number, bytes: Buffer): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const socket = connect(kind, index);
    const received: Buffer[] = [];
    let length = 0;
    socket.on('data', (chunk: Buffer) => {
      received.push(chunk);
      length += chunk.length;
      if (kind !== 'half-closed' && length >= bytes.length) socket.end();
    });
    socket.on('error', reject);
    socket.on('close', () => resolve(Buffer.concat(received)));
    // Half of it at once (it is in the kernel before the hand-off), the rest when the connection stands.
    const half = kind === 'half-closed' ? bytes.length : bytes.length >> 1;
    socket.write(bytes.subarray(0, half));
    if (kind === 'half-closed') socket.end();
    else socket.once(kind === 'tls' ? 'secureConnect' : 'connect', () => socket.write(bytes.subarray(half)));
  });
}

/** A client that goes away with a reset: at once, or after it has sent something. */
async function abort(kind: Kind, index: number, bytes: Buffer): Promise<void> {
  const socket = connect(kind, index);
  socket.on('error', () => {});
  await once(socket, 'connect');
  if (kind === 'aborted') {
    socket.write(bytes);
    await once(socket, 'data');
  }
  const closed = once(socket, 'close');
  socket.resetAndDestroy();
  await closed;
}

function kindOf(index: number): Kind {
  const slot = index % 20;
  if (slot < 11) return 'plain';
  if (slot < 14) return 'tls';
  if (slot < 17) return 'half-closed';
  return slot < 19 ? 'aborted' : 'reset-at-once';
}

async function run(total: number): Promise<Record<Kind, number>> {
  const seen: Record<Kind, number> = { plain: 0, tls: 0, 'half-closed': 0, aborted: 0, 'reset-at-once': 0 };
  const pool = crypto.randomBytes(65_536);
  let next = 0;
  const client = async (): Promise<void> => {
    while (next < total) {
      const index = next++;
      const kind = kindOf(index);
      const length = index % 100 === 0 ? 60_000 : 2 + ((index * 37) % 3_000);
      const bytes = Buffer.from(pool.subarray(index % 5_000, (index % 5_000) + length));
      bytes[0] = (kind === 'half-closed' ? 'H' : 'E').charCodeAt(0);
      if (kind === 'aborted' || kind === 'reset-at-once') await abort(kind, index, bytes);
      else assert.ok(bytes.equals(await exchange(kind, index, bytes)), `${kind} connection ${index}`);
      seen[kind]++;
    }
  };
  await Promise.all(Array.from({ length: inFlight }, client));
  return seen;
}

/** Waits until the server thread has closed all that it attached, at most `settleMaxMs`. */
async function settled(): Promise<{ accepted: HandOffCounts; served: HandOffCounts }> {
  for (let waitedMs = 0; ; waitedMs += 20) {
    const accepted = await counts(acceptor);
    const served = await counts(server);
    const isSettled =
      served.attached + served.lost === accepted.detached && served.closed === served.attached;
    if (isSettled || waitedMs > settleMaxMs) return { accepted, served };
    await delay(20);
  }
}

test('10,000 connections of all kinds reach the other thread without a lost byte or a leaked descriptor', async () => {
  await run(200);
  const warm = await settled();
  const socketsBefore = openDescriptors('socket');
  const seen = await run(10_000);
  const { accepted, served } = await settled();

  assert.deepEqual(seen, {
    plain: 5_500,
    tls: 1_500,
    'half-closed': 1_500,
    aborted: 1_000,
    'reset-at-once': 500,
  });
  assert.equal(accepted.refused, 0);
  assert.equal(served.lost, 0);
  // A client that is reset at once may be gone before it is accepted; all others are handed over.
  const handed = accepted.detached - warm.accepted.detached;
  assert.ok(handed >= 9_500 && handed <= 10_000, `${handed} handed over`);
  assert.equal(served.attached, accepted.detached);
  assert.equal(served.closed, served.attached);
  assert.ok(served.withAddress - warm.served.withAddress >= 9_500);
  assert.equal(openDescriptors('socket'), socketsBefore);
});

test('a server whose connections are all handed over closes while they are still open', async () => {
  const socket = connect('plain', 0);
  socket.write('E1');
  const [first] = await once(socket, 'data');
  assert.equal(String(first), 'E1');
  const closed = new Promise<void>((resolve) => {
    let left = 2;
    acceptor.on('message', (message) => {
      if (message.kind === 'server-closed' && --left === 0) resolve();
    });
  });
  acceptor.postMessage('close');
  await closed;
  socket.write('E2');
  const [second] = await once(socket, 'data');
  assert.equal(String(second), 'E2');
  const ended = once(socket, 'close');
  socket.end();
  await ended;
});

/** One accepted connection on this thread, with its client. */
async function accept(): Promise<{ client: net.Socket; accepted: net.Socket; close: () => void }> {
  const listener = net.createServer({ pauseOnConnect: true });
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const client = net.connect((listener.address() as net.AddressInfo).port, '127.0.0.1');
  const [accepted] = await once(listener, 'connection');
  return { client, accepted, close: () => listener.close() };
}

test('a connection is detached once: the second time it is gone', async () => {
  const { client, accepted, close } = await accept();
  const first = detachConnection(accepted);
  assert.equal(first.kind, 'detached');
  assert.deepEqual(detachConnection(accepted), { kind: 'gone' });
  const ended = once(client, 'close');
  client.resume();
  if (first.kind === 'detached') discardConnection(first.connection);
  await ended;
  close();
});

test('a connection whose descriptor now is another file is not attached, and that file is not closed', async () => {
  const { client, accepted, close } = await accept();
  const detachment = detachConnection(accepted);
  assert.equal(detachment.kind, 'detached');
  if (detachment.kind !== 'detached') return;
  const stale = { ...detachment.connection, inode: detachment.connection.inode + 1 };
  assert.equal(attachConnection(stale), null);
  discardConnection(stale);
  const socket = attachConnection(detachment.connection);
  assert.ok(socket !== null, 'the descriptor is still open');
  const ended = once(client, 'close');
  client.resume();
  socket.destroy();
  await ended;
  close();
});
