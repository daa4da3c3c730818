import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import net from 'node:net';
import { Duplex } from 'node:stream';
import { test } from 'node:test';
import { connectClient, eventually, fetchOnce, request } from './test/client.ts';
import { startRedis } from './test/redis.ts';
import { clusterOfTwo, monolith, nodeHttps, type ServerKind, shoalApp, startServer } from './test/servers.ts';

for (const kind of [clusterOfTwo, nodeHttps]) {
  test(`${kind.name} does the same work as the others`, async () => {
    const server = await startServer(kind);
    assert.match(await fetchOnce(server.port, '/object/7'), /200 OK[\s\S]*object 7 of/);
    assert.match(await fetchOnce(server.port, '/search?q=status:+200'), /"labels":\["status"\]/);
    assert.match(await fetchOnce(server.port, '/object/none'), /404 Not Found/);
    const before = await fetchOnce(server.port, '/health');
    assert.match(before, /"isAlive":true/);
    assert.equal(await server.stop(), 0, server.errors());
  });
}

for (const kind of [monolith, nodeHttps]) {
  test(`${kind.name} notices a new certificate without being told`, async () => {
    const server = await startServer({ ...kind, reloadsOnHangup: false });
    const shown = async (): Promise<string> => {
      const client = await connectClient(server.port);
      const { fingerprint256 } = client.socket.getPeerCertificate();
      client.destroy();
      return fingerprint256;
    };
    const before = await shown();
    await server.renewCertificate();
    await eventually('a new certificate is shown', async () => (await shown()) !== before);
    assert.equal(await server.stop(), 0, server.errors());
  });
}

for (const kind of [monolith, shoalApp] satisfies ServerKind[]) {
  test(`${kind.name} takes its objects from Redis, and answers 503 while Redis is away`, async () => {
    const redis = await startRedis({ 'object:a': 'hello', 'object:b': 'world' });
    const server = await startServer(kind, { SHOAL_WEB_OBJECTS: redis.url });
    try {
      let response = await fetchOnce(server.port, '/object/a');
      // The first look-up may come before the connection to Redis.
      for (let i = 0; i < 100 && !response.includes('200 OK'); i++) {
        await new Promise((resolve) => setTimeout(resolve, 50));
        response = await fetchOnce(server.port, '/object/a');
      }
      assert.match(response, /200 OK[\s\S]*hello$/);
      assert.match(await fetchOnce(server.port, '/object/b'), /world$/);
      assert.match(await fetchOnce(server.port, '/object/c'), /404 Not Found/);
      await redis.close();
      assert.match(await fetchOnce(server.port, '/object/a'), /503 Service Unavailable[\s\S]*Retry-After: 1/);
      assert.match(await fetchOnce(server.port, '/search?q=a:'), /200 OK/);
    } finally {
      await redis.close();
      assert.equal(await server.stop(), 0, server.errors());
    }
  });
}

test('a search that runs too long costs its client 422, its thread, and nobody else anything', async () => {
  const server = await startServer(shoalApp, {
    SHOAL_WEB_SEARCH_RUN_LIMIT_MS: '200',
    SHOAL_WEB_SEARCH_DEADLINE_MS: '5000',
  });
  const runaway = fetchOnce(server.port, `/search?q=${'a'.repeat(60)}`);
  const objects = await Promise.all(
    Array.from({ length: 20 }, (_, i) => fetchOnce(server.port, `/object/${i}`)),
  );
  for (const response of objects) assert.match(response, /200 OK/);
  assert.match(await runaway, /422 Unprocessable Content/);
  assert.match(await fetchOnce(server.port, '/search?q=status:'), /"labels":\["status"\]/);
  assert.equal(await server.stop(), 0, server.errors());
});

/** Path of a search that takes some five milliseconds for each. */
const costly = (blocks: number): string => `/search?q=${`${'a'.repeat(19)}+`.repeat(blocks)}`;

test('a search passes those that wait and are known to take long', async () => {
  const server = await startServer(shoalApp, {
    SHOAL_WEB_SEARCH_DEADLINE_MS: '60000',
    SHOAL_WEB_SEARCH_RUN_LIMIT_MS: '60000',
    SHOAL_WEB_SEARCH_QUEUE_MAX_MS: '60000',
  });
  const cheap = '/search?q=status:';
  const long = costly(8);
  for (const path of [long, cheap]) assert.match(await fetchOnce(server.port, path), /200 OK/);
  const answered: string[] = [];
  const paths = [...Array.from({ length: 30 }, () => long), cheap];
  await Promise.all(
    paths.map(async (path) => {
      assert.match(await fetchOnce(server.port, path), /200 OK/);
      answered.push(path);
    }),
  );
  const before = answered.indexOf(cheap);
  assert.ok(before < 20, `${before} of 30 came first`);
  assert.equal(await server.stop(), 0, server.errors());
});

test('searches beyond what can be done in time are refused by the work that waits, with the time to wait', async () => {
  const server = await startServer(shoalApp, {
    // Nothing is late here: what is refused is refused for what waits already.
    SHOAL_WEB_SEARCH_DEADLINE_MS: '60000',
    SHOAL_WEB_SEARCH_RUN_LIMIT_MS: '60000',
    SHOAL_WEB_SEARCH_QUEUE_MAX_MS: '50',
  });
  // By the first ones it is known what a search takes.
  const long = costly(40);
  for (let i = 0; i < 3; i++) assert.match(await fetchOnce(server.port, long), /200 OK/);
  const responses = await Promise.all(Array.from({ length: 12 }, () => fetchOnce(server.port, long)));
  const refused = responses.filter((response) => response.includes('503 Service Unavailable'));
  assert.ok(refused.length > 0);
  for (const response of refused) assert.match(response, /Retry-After: 1/);
  const served = responses.filter((response) => response.includes('200 OK'));
  assert.equal(served.length + refused.length, responses.length);
  await eventually('each refusal is counted as one by the bound of the queue', async () => {
    const byQueue = await server.metric('shoal_messages_refused_total', 'http', 'queue-full');
    const done = await server.metric('shoal_messages_done_total', 'regex');
    return byQueue === refused.length && done === 3 + served.length;
  });
  assert.equal(await server.metric('shoal_messages_shed_total', 'regex'), 0);
  assert.match(await fetchOnce(server.port, '/object/1'), /200 OK/);
  assert.equal(await server.stop(), 0, server.errors());
});

/** Connects without TLS, and says so much. */
async function openPlain(port: number, bytes = ''): Promise<net.Socket> {
  const socket = net.connect({ host: '127.0.0.1', port });
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  if (bytes !== '') socket.write(bytes, 'latin1');
  return socket;
}

async function allClosed(sockets: readonly net.Socket[]): Promise<void> {
  for (const socket of sockets) socket.resume();
  await eventually('they are closed', () => sockets.every((socket) => socket.destroyed));
}

/** What a TLS client says first, and no more. */
const firstByte = '\x16';
/** Nobody is closed for being late. */
const noHandshakeTimeout = { SHOAL_WEB_HANDSHAKE_TIMEOUT_MS: '3600000' };
/** Nor loses its place, so whoever waits for one that is held waits longer than any test. */
const longTurns = { ...noHandshakeTimeout, SHOAL_WEB_HANDSHAKE_TURN_MS: '3600000' };

test('handshakes beyond the bound wait for their turn as queue, and those beyond what may wait are closed', async () => {
  const server = await startServer(shoalApp, {
    ...longTurns,
    SHOAL_WEB_HANDSHAKES_MAX: '2',
    SHOAL_WEB_HANDSHAKES_WAITING_MAX: '3',
  });
  const queue = (length: number): Promise<void> =>
    eventually(`a queue of ${length}`, async () => {
      return (await server.metric('shoal_queue_length_messages', 'read')) === length;
    });
  // They have begun, and hold their places until they go.
  const begun = [await openPlain(server.port, firstByte), await openPlain(server.port, firstByte)];
  const waiting = [1, 2, 3].map(() => connectClient(server.port));
  await queue(3);
  await allClosed(await Promise.all([1, 2, 3, 4].map(() => openPlain(server.port, firstByte))));
  assert.ok(begun.every((socket) => !socket.destroyed));
  for (const socket of begun) socket.destroy();
  for (const client of await Promise.all(waiting)) {
    client.send(request('/object/1'));
    await client.until(/200 OK/);
    client.destroy();
  }
  await queue(0);
  assert.equal(await server.stop(), 0, server.errors());
});

test('clients that wait for their handshake and go leave the queue', async () => {
  const server = await startServer(shoalApp, { ...longTurns, SHOAL_WEB_HANDSHAKES_MAX: '1' });
  const before = server.sockets();
  const queue = (length: number): Promise<void> =>
    eventually(`a queue of ${length}`, async () => {
      return (await server.metric('shoal_queue_length_messages', 'read')) === length;
    });
  const begun = await openPlain(server.port, firstByte);
  const waiting = await Promise.all([1, 2, 3].map(() => openPlain(server.port, firstByte)));
  await queue(3);
  for (const socket of waiting) socket.resetAndDestroy();
  await queue(0);
  // In the middle of a handshake, and before one: the end of the client's side is the end.
  const silent = await openPlain(server.port);
  begun.end();
  silent.end();
  await allClosed([begun, silent]);
  await eventually('nothing leaked', () => server.sockets() <= before);
  assert.equal(await server.stop(), 0, server.errors());
});

test('connections that say nothing keep nobody out: each handshake that begins has its place', async () => {
  const silentMax = 150;
  const server = await startServer(shoalApp, {
    ...longTurns,
    SHOAL_WEB_SILENT_MAX: String(silentMax),
    SHOAL_WEB_HANDSHAKES_MAX: '2',
    SHOAL_WEB_HANDSHAKES_WAITING_MAX: '3',
  });
  const silent: net.Socket[] = [];
  for (let i = 0; i < silentMax + 100; i++) silent.push(await openPlain(server.port));
  // The oldest had to go.
  await allClosed(silent.slice(0, 100));
  for (let i = 0; i < 5; i++) assert.match(await fetchOnce(server.port, `/object/${i}`), /200 OK/);
  const rest = silent.slice(100 + 5);
  assert.ok(rest.every((socket) => !socket.destroyed));
  // The newest sample may still be of the moment when they all came.
  await eventually('they are no work that waits', async () => {
    return (await server.metric('shoal_queue_length_messages', 'read')) === 0;
  });
  // Silent until now, and then like any other.
  for (const socket of rest.slice(-5)) {
    const client = await connectClient(server.port, { socket });
    client.send(request('/object/7', 'Connection: close\r\n'));
    assert.match(await client.closed(), /object 7 of/);
  }
  for (const socket of rest) socket.destroy();
  assert.equal(await server.stop(), 0, server.errors());
});

test('clients that stop half-way in their handshake keep their connections, but hold up nobody for long', async () => {
  const server = await startServer(shoalApp, { ...noHandshakeTimeout, SHOAL_WEB_HANDSHAKES_MAX: '2' });
  const stopped = await Promise.all(Array.from({ length: 10 }, () => openPlain(server.port, firstByte)));
  const clients = await Promise.all([1, 2, 3].map(() => connectClient(server.port)));
  assert.ok(stopped.every((socket) => !socket.destroyed));
  for (const client of clients) {
    client.send(request('/object/1'));
    await client.until(/200 OK/);
    client.destroy();
  }
  for (const socket of stopped) socket.destroy();
  assert.equal(await server.stop(), 0, server.errors());
});

test('a client whose bytes come one by one loses none of them', async () => {
  const server = await startServer(shoalApp);
  const socket = await openPlain(server.port);
  socket.setNoDelay(true);
  const slow = new Duplex({
    read: () => undefined,
    write: (bytes: Buffer, _encoding, done) => {
      void (async () => {
        for (const byte of bytes) {
          socket.write(Uint8Array.of(byte));
          await new Promise((resolve) => setImmediate(resolve));
        }
      })().then(() => done(), done);
    },
  });
  socket.on('data', (bytes) => slow.push(bytes));
  socket.on('end', () => slow.push(null));
  const client = await connectClient(server.port, { socket: slow });
  client.send(request('/object/9'));
  await client.until(/200 OK[\s\S]*object 9 of/);
  client.destroy();
  socket.destroy();
  assert.equal(await server.stop(), 0, server.errors());
});

test('settings that cannot be used end the programs with one clear list', () => {
  for (const kind of [monolith, nodeHttps, shoalApp]) {
    const flags = process.execArgv.filter((flag) => !flag.startsWith('--test'));
    const { status, stderr, stdout } = spawnSync(process.execPath, [...flags, ...kind.command], {
      env: { ...process.env, SHOAL_WEB_PORT: 'x', SHOAL_WEB_CERT: '/nowhere' },
      encoding: 'utf8',
    });
    assert.notEqual(status, 0);
    const said = stderr + stdout;
    assert.match(said, /SHOAL_WEB_PORT=x/, kind.name);
    assert.match(said, /give both, or neither/);
    assert.doesNotMatch(said, /\n\s+at /, 'no stack trace');
  }
});

test('no engine flag cures the pattern: its time still doubles with each letter', () => {
  const module = new URL(
    `./service/search.${import.meta.url.endsWith('.ts') ? 'ts' : 'js'}`,
    import.meta.url,
  );
  const program = `
    const { search } = await import(${JSON.stringify(module.href)});
    const time = (letters) => {
      const from = process.hrtime.bigint();
      search('a'.repeat(letters));
      return Number(process.hrtime.bigint() - from);
    };
    time(16);
    process.stdout.write(String(time(22) / time(17)));
  `;
  const flags = process.execArgv.filter((flag) => !flag.startsWith('--test'));
  const cure = '--enable-experimental-regexp-engine-on-excessive-backtracks';
  const args = [...flags, cure, '--input-type=module', '-e', program];
  const ratio = Number(execFileSync(process.execPath, args, { encoding: 'utf8' }));
  assert.ok(
    ratio > 6,
    `five letters more took ${ratio} times as long; in a linear engine it would be 1.3 times`,
  );
});
