/**
 * What every server of this service does, whoever runs the code: one list of tests for the monolith and for the
 * MSUs. Everything is seen from outside: bytes, the server's sockets, and the connections it says it holds.
 */
import assert from 'node:assert/strict';
import * as net from 'node:net';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { embeddedObject } from '../service/object-store.ts';
import { connectClient, eventually, fetchOnce, request, sendPlain } from './client.ts';
import { type ServerKind, startServer, type TestServer } from './servers.ts';

/** Short times, so that tests of slow clients are quick; each differs, so that one cannot pass for another. */
const timeouts = {
  SHOAL_WEB_HEADERS_TIMEOUT_MS: '700',
  SHOAL_WEB_BODY_TIMEOUT_MS: '900',
  SHOAL_WEB_IDLE_TIMEOUT_MS: '1500',
  SHOAL_WEB_HANDSHAKE_TIMEOUT_MS: '2500',
  SHOAL_WEB_WRITE_TIMEOUT_MS: '1000',
  SHOAL_WEB_LINGER_MS: '300',
};

async function connectionsOf(server: TestServer): Promise<number> {
  const text = await fetchOnce(server.port, '/health');
  return Number(/"connections":(\d+)/.exec(text)?.[1]);
}

/** Sockets and connection states are back to where they were. Our own look at `/health` is one connection. */
async function nothingLeaked(server: TestServer, socketsBefore: number): Promise<void> {
  let sockets = 0;
  let connections = 0;
  await eventually('sockets and states as before', async () => {
    connections = await connectionsOf(server);
    sockets = server.sockets();
    return connections === 1 && sockets <= socketsBefore + 1;
  }).catch(() =>
    assert.fail(`leaked: ${sockets} sockets (before: ${socketsBefore}), ${connections} connections`),
  );
}

const post = (headers: string, body: string): string =>
  `POST /search HTTP/1.1\r\nHost: localhost\r\n${headers}\r\n${body}`;

/** Runs the tests against a server of the kind. */
export function testContract(kind: ServerKind): void {
  describe(`the web server as ${kind.name}`, () => {
    let server: TestServer;
    let sockets = 0;
    before(async () => {
      server = await startServer(kind, timeouts);
      await fetchOnce(server.port, '/object/1');
      // That connection is to be gone.
      for (let since = 0; since < 10; since++) {
        if (server.sockets() !== sockets) since = 0;
        sockets = server.sockets();
        await sleep(100);
      }
    });
    after(async () => {
      assert.equal(await server.stop(), 0, server.errors());
    });

    test('objects, searches and errors have their statuses', async () => {
      const client = await connectClient(server.port);
      client.send(request('/object/7'));
      const first = await client.until((text) => text.length > 1_024);
      assert.ok(first.endsWith(embeddedObject(7).toString()));
      client.send(request('/search?q=status:+200'));
      await client.until(/"labels":\["status"\]/);
      client.send(request('/object/none'));
      await client.until(/404 Not Found/);
      client.send('DELETE /object/1 HTTP/1.1\r\nHost: a\r\n\r\n');
      await client.until(/405 Method Not Allowed[\s\S]*Allow: GET, HEAD/);
      client.send(post('Content-Length: 7\r\n', 'date: 1'));
      await client.until(/"labels":\["date"\]/);
      client.send(post('Transfer-Encoding: chunked\r\n', '3\r\nvia\r\n3\r\n: x\r\n0\r\n\r\n'));
      await client.until(/"labels":\["via"\]/);
      assert.deepEqual(client.statuses(), [200, 200, 404, 405, 200, 200]);
      client.destroy();
      await nothingLeaked(server, sockets);
    });

    test('pipelined requests are answered in order, searches among objects', async () => {
      const client = await connectClient(server.port);
      const paths = Array.from({ length: 300 }, (_, i) =>
        i % 3 === 0 ? `/search?q=n${i % 7}-x:` : `/object/${i}`,
      );
      const stream =
        paths.map((path) => request(path)).join('') + request('/object/0', 'Connection: close\r\n');
      for (let at = 0; at < stream.length; at += 1_777) client.send(stream.slice(at, at + 1_777));
      const text = await client.closed();
      assert.equal(client.statuses().length, 301);
      const seen = [...text.matchAll(/(object \d+ of)|("labels":\[[^\]]*\])/g)].map(([match]) => match);
      const order = seen.filter((match, i) => match !== seen[i - 1]);
      const expected = [...paths, '/object/0'].map((path) =>
        path.startsWith('/object/') ? `object ${path.slice(8)} of` : `"labels":[`,
      );
      assert.deepEqual(
        order.map((match) => (match.startsWith('"') ? '"labels":[' : match)),
        expected,
      );
    });

    test('bad requests get their status and then the end', async () => {
      const cases: readonly (readonly [string, number])[] = [
        ['nonsense\r\n\r\n', 501],
        ['GET / HTTP/1.1\r\nbad header\r\n\r\n', 400],
        ['GET / HTTP/1.1\r\n\r\n', 400],
        ['GET / HTTP/4.2\r\nHost: a\r\n\r\n', 505],
        [request(`/${'a'.repeat(9_000)}`), 414],
        [request('/', `X: ${'b'.repeat(20_000)}\r\n`), 431],
        [request('/', 'X: y\r\n'.repeat(150)), 431],
        [post('Content-Length: 1000000\r\n', 'abc'), 413],
        [post('Content-Length: 5\r\nTransfer-Encoding: chunked\r\n', '0\r\n\r\n'), 400],
        [post('Expect: much\r\nContent-Length: 1\r\n', ''), 417],
      ];
      for (const [bytes, status] of cases) {
        const client = await connectClient(server.port);
        client.send(bytes);
        const text = await client.closed();
        assert.deepEqual(client.statuses(), [status], bytes.slice(0, 60));
        assert.match(text, /Connection: close/);
      }
      await nothingLeaked(server, sockets);
    });

    test('a response is not lost when the client still sends a large body', async () => {
      const client = await connectClient(server.port);
      client.send(post('Content-Length: 10000000\r\n', 'x'.repeat(3_000_000)));
      await client.until(/413 Content Too Large/);
      await client.closed();
      await nothingLeaked(server, sockets);
    });

    test('100 Continue is said before a body that waits for it', async () => {
      const client = await connectClient(server.port);
      client.send(post('Expect: 100-continue\r\nContent-Length: 2\r\n', ''));
      await client.until(/100 Continue/);
      client.send('a:');
      await client.until(/200 OK/);
      client.destroy();
    });

    test('clients that are slow with headers or body are told 408; idle ones are closed without a word', async () => {
      const headers = await connectClient(server.port);
      const body = await connectClient(server.port);
      const idle = await connectClient(server.port);
      const trickle = setInterval(() => headers.send('X: y\r\n'), 100);
      headers.send('GET / HTTP/1.1\r\n');
      body.send(post('Content-Length: 1000\r\n', 'abc'));
      idle.send(request('/object/1'));
      await headers.closed();
      clearInterval(trickle);
      await Promise.all([body.closed(), idle.closed()]);
      assert.deepEqual(
        [headers, body, idle].map((client) => client.statuses()),
        [[408], [408], [200]],
      );
      await nothingLeaked(server, sockets);
    });

    test('a handshake that is not finished, garbage instead of TLS, and old TLS end the connection only', async () => {
      const silent = net.connect({ host: '127.0.0.1', port: server.port });
      silent.on('error', () => undefined);
      const silentClosed = new Promise((resolve) => silent.once('close', resolve));
      silent.resume();
      await sendPlain(server.port, request('/object/1'));
      await sendPlain(server.port, Buffer.alloc(4_096, 0xff));
      // The first half of a hello.
      await sendPlain(server.port, Buffer.from('16030102000100', 'hex'));
      await assert.rejects(connectClient(server.port, { maxVersion: 'TLSv1.1', minVersion: 'TLSv1.1' }));
      await silentClosed;
      await nothingLeaked(server, sockets);
    });

    test('a half-closed connection still gets its answers', async () => {
      const client = await connectClient(server.port);
      client.send(request('/object/1') + request('/search?q=a:') + request('/object/2'));
      client.socket.end();
      const text = await client.closed();
      assert.deepEqual(client.statuses(), [200, 200, 200]);
      assert.ok(text.includes('object 2 of'));
    });

    test('connections aborted at any point leave nothing behind', async () => {
      const abort = async (i: number): Promise<void> => {
        const raw = net.connect({ host: '127.0.0.1', port: server.port });
        raw.on('error', () => undefined);
        const client = await connectClient(server.port, { socket: raw });
        const parts = [
          'GET /obj',
          request('/object/1'),
          post('Content-Length: 99\r\n', 'a'),
          request('/search?q=a:'),
        ];
        client.send(parts[i % parts.length]!);
        if (i % 3 === 0) await sleep(5);
        // A reset and an orderly end, in turns.
        if (i % 8 < parts.length) raw.resetAndDestroy();
        else client.destroy();
      };
      for (let round = 0; round < 10; round++) {
        await Promise.all(Array.from({ length: 20 }, (_, i) => abort(i)));
      }
      await nothingLeaked(server, sockets);
    });

    test('a client that asks for much and reads nothing is closed, and costs no memory without bound', async () => {
      const client = await connectClient(server.port);
      client.socket.pause();
      const stream = request('/object/1', `X: ${'y'.repeat(1_000)}\r\n`).repeat(200);
      const closed = new Promise((resolve) => client.socket.once('close', resolve));
      let isOpen = true;
      void closed.then(() => {
        isOpen = false;
      });
      client.socket.on('error', () => {
        isOpen = false;
      });
      // Until the server has stopped reading, so that our bytes wait here. The kernel takes megabytes of answers first.
      const isStopped = (): boolean => client.socket.writableLength > 4_000_000 || !isOpen;
      for (let i = 0; i < 2_000 && !isStopped(); i++) {
        client.send(stream);
        await sleep(2);
      }
      assert.ok(isStopped(), `${client.socket.writableLength} bytes wait`);
      await eventually('the server gave it up', async () => (await connectionsOf(server)) === 1);
      client.destroy();
      await nothingLeaked(server, sockets);
    });

    test('a TLS session is resumed on another connection', async () => {
      const first = await connectClient(server.port);
      const session = new Promise<Buffer>((resolve) => first.socket.once('session', resolve));
      first.send(request('/object/1'));
      await first.until(/object 1 of/);
      const second = await connectClient(server.port, { session: await session });
      second.send(request('/object/2'));
      await second.until(/object 2 of/);
      assert.equal(second.socket.isSessionReused(), true);
      first.destroy();
      second.destroy();
    });

    test('a new certificate is used for new connections, and open ones go on', async () => {
      const open = await connectClient(server.port);
      open.send(request('/object/1'));
      await open.until(/object 1 of/);
      const before = open.socket.getPeerCertificate().fingerprint256;
      await server.renewCertificate();
      await eventually('a new certificate is shown', async () => {
        open.send(request('/object/3'));
        const client = await connectClient(server.port);
        const now = client.socket.getPeerCertificate().fingerprint256;
        client.destroy();
        return now !== before;
      });
      open.send(request('/object/2'));
      await open.until(/object 2 of/);
      open.destroy();
      await nothingLeaked(server, sockets);
    });
  });

  test(`the web server as ${kind.name} finishes what it has begun when it is told to stop`, async () => {
    const server = await startServer(kind);
    const idle = await connectClient(server.port);
    idle.send(request('/object/1'));
    await idle.until(/object 1 of/);
    const busy = await connectClient(server.port);
    busy.send('GET /object/2 HTTP/1.1\r\nHost:');
    await sleep(100);
    const stopped = server.stop();
    await idle.closed();
    busy.send(' a\r\n\r\n');
    const text = await busy.closed();
    assert.match(text, /200 OK[\s\S]*Connection: close[\s\S]*object 2 of/);
    assert.equal(await stopped, 0);
  });
}
