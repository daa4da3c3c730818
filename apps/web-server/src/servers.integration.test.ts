import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import net from 'node:net';
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

test('searches beyond what can be done in time are refused at once with the time to wait', async () => {
  const server = await startServer(shoalApp, { SHOAL_WEB_SEARCH_DEADLINE_MS: '150' });
  const costly = `/search?q=${`${'a'.repeat(19)}+`.repeat(40)}`;
  const responses = await Promise.all(Array.from({ length: 12 }, () => fetchOnce(server.port, costly)));
  const refused = responses.filter((response) => response.includes('503 Service Unavailable'));
  assert.ok(refused.length > 0);
  for (const response of refused) assert.match(response, /Retry-After: 1/);
  assert.match(await fetchOnce(server.port, '/object/1'), /200 OK/);
  assert.equal(await server.stop(), 0, server.errors());
});

test('handshakes beyond the bound wait for their turn, and connections beyond those that may wait are closed', async () => {
  const server = await startServer(shoalApp, {
    SHOAL_WEB_HANDSHAKES_MAX: '2',
    SHOAL_WEB_HANDSHAKES_WAITING_MAX: '3',
  });
  const open = async (): Promise<net.Socket> => {
    const socket = net.connect({ host: '127.0.0.1', port: server.port });
    socket.on('error', () => undefined).resume();
    await once(socket, 'connect');
    return socket;
  };
  // They say nothing, and are in progress until they time out, or go.
  const silent = [await open(), await open()];
  const waiting = [await open(), await open(), await open()];
  const refused = await Promise.all([open(), open(), open(), open()]);
  await Promise.all(refused.map((socket) => socket.destroyed || once(socket, 'close')));
  assert.ok([...silent, ...waiting].every((socket) => !socket.destroyed));
  for (const socket of silent) socket.destroy();
  const answers = waiting.map(async (socket) => {
    socket.removeAllListeners('data').pause();
    const client = await connectClient(server.port, { socket });
    client.send(request('/object/1'));
    await client.until(/200 OK/);
    client.destroy();
  });
  await Promise.all(answers);
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
