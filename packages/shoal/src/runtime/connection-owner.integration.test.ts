// Who closes a connection that travels as a message: whoever took it, or the platform, and never both.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import * as net from 'node:net';
import { after, before, test } from 'node:test';
import { startApp, type TestRuntime, unaccounted } from './test-apps/start.ts';
import { openDescriptors } from './test-support/descriptors.ts';

const names = ['takes-throws', 'takes-rejects', 'leaves', 'leaves-throws', 'holds'];
const each = 20;
let app: TestRuntime;

const onThread = (name: string, instances: readonly string[]) => ({
  name,
  core: -1,
  nice: 0,
  scheduling: 'fifo' as const,
  instances,
});

before(async () => {
  app = await startApp('connections', {
    threads: [
      onThread(
        'doors',
        names.map((name) => `to-${name}`),
      ),
      onThread('readers', names),
    ],
  });
});
after(() => app.runtime.close());

async function dial(name: string): Promise<net.Socket> {
  const { port } = app.logged.find(
    ({ text, fields }) => text.startsWith('listening') && fields.msu === `to-${name}`,
  )!.fields;
  const socket = net.connect(Number(port), '127.0.0.1');
  socket.on('error', () => {});
  await once(socket, 'connect');
  return socket;
}

const dialAll = (name: string): Promise<net.Socket[]> =>
  Promise.all(Array.from({ length: each }, () => dial(name)));

/** What comes back of a few bytes; `closed` where the connection ends instead. */
function exchange(socket: net.Socket, text: string): Promise<string> {
  if (socket.closed) return Promise.resolve('closed');
  return new Promise((resolve) => {
    const settle = (answer: string): void => {
      socket.off('data', onData).off('close', onClose);
      resolve(answer);
    };
    const onData = (data: Buffer): void => settle(String(data));
    const onClose = (): void => settle('closed');
    socket.on('data', onData).on('close', onClose);
    if (socket.writable) socket.write(text);
  });
}

const exchangeAll = async (sockets: readonly net.Socket[], text: string): Promise<string[]> =>
  Promise.all(sockets.map((socket, i) => exchange(socket, `${text} ${i}`)));

const echoes = (count: number, text: string): string[] =>
  Array.from({ length: count }, (_, i) => `${text} ${i}`);

/** Ends clients, and waits until nothing is left of their connections. */
async function hangUp(sockets: readonly net.Socket[], socketsBefore: number): Promise<void> {
  for (const socket of sockets) socket.resume().end();
  await app.until('descriptors given back', () => openDescriptors('socket') === socketsBefore);
}

const ended = (name: string, kind: 'done' | 'failed'): number => {
  const [sample] = app.instances(name);
  return kind === 'done' ? (sample?.done ?? 0) : (sample?.failed['handler-error'] ?? 0);
};

for (const name of ['takes-throws', 'takes-rejects']) {
  test(`a connection that was taken by a handler that then ${name.slice(6)} belongs to who took it`, async () => {
    const socketsBefore = openDescriptors('socket');
    const first = await dialAll(name);
    await app.until('failures', () => ended(name, 'failed') === each);
    assert.deepEqual(await exchangeAll(first, 'one'), echoes(each, 'one'));
    // Were the descriptors of the first closed, these would get their numbers.
    const second = await dialAll(name);
    await app.until('failures', () => ended(name, 'failed') === 2 * each);
    assert.deepEqual(await exchangeAll(second, 'two'), echoes(each, 'two'));
    assert.deepEqual(await exchangeAll(first, 'three'), echoes(each, 'three'));
    await hangUp(first, socketsBefore + 2 * each);
    assert.deepEqual(await exchangeAll(second, 'four'), echoes(each, 'four'));
    await hangUp(second, socketsBefore);
  });
}

for (const [name, kind] of [
  ['leaves', 'done'],
  ['leaves-throws', 'failed'],
] as const) {
  test(`a connection that a handler which ${kind === 'done' ? 'returns' : 'throws'} has not taken is closed`, async () => {
    const socketsBefore = openDescriptors('socket');
    const sockets = await dialAll(name);
    assert.deepEqual(await exchangeAll(sockets, 'one'), new Array(each).fill('closed'));
    await app.until('ends', () => ended(name, kind) === each);
    await hangUp(sockets, socketsBefore);
  });
}

test('when an instance goes, connections in progress are closed but for those that it took', async () => {
  const socketsBefore = openDescriptors('socket');
  const sockets = await dialAll('holds');
  const [holder] = await app.until('all held', () => {
    const samples = app.instances('holds');
    return samples[0]?.counters.held === each ? samples : undefined;
  });
  const removed = await app.command({ kind: 'remove-instance', instanceId: holder!.instanceId });
  assert.ok(removed.isOk, JSON.stringify(removed));
  const answers = await exchangeAll(sockets, 'one');
  assert.equal(answers.filter((answer) => answer === 'closed').length, each / 2, answers.join());
  const taken = sockets.filter((_, i) => answers[i] !== 'closed');
  // New connections to others get the numbers of what was closed.
  const others = await dialAll('takes-throws');
  assert.deepEqual(await exchangeAll(others, 'two'), echoes(each, 'two'));
  assert.deepEqual(await exchangeAll(taken, 'three'), echoes(each / 2, 'three'));
  await hangUp([...sockets, ...others], socketsBefore);
});

test('every connection is counted once', async () => {
  await app.runtime.close();
  assert.deepEqual(unaccounted(app.last()), []);
});
