import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import * as http from 'node:http';
import * as https from 'node:https';
import type { AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import type { Launcher } from '../attacks/start.ts';
import { createServiceCertificate, serverName } from '../service/certificates.ts';
import { type LoadOptions, LoadOptionsError, LoadProcessError, startLoad } from './index.ts';
import { outcomes } from './result.ts';

async function withServer<T>(server: http.Server, use: (port: number) => Promise<T>): Promise<T> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  try {
    return await use((server.address() as AddressInfo).port);
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

const base = (port: number): LoadOptions => ({
  host: '127.0.0.1',
  port,
  rate: 200,
  durationMs: 2_000,
  // A busy host may hold everything up for seconds; what is tested is not how fast it is.
  timeoutMs: 15_000,
  mix: [{ name: 'get', weight: 1, request: () => ({ path: '/' }) }],
});

test('a server that stalls for half a second cannot hide it: latency counts from the intended send time', async () => {
  // The server holds every answer from 1,000 to 1,500 ms. With four connections a generator that waits for
  // answers before it sends again would see four slow requests; the truth is a hundred, 250 ms slow on average.
  let firstAt: number | undefined;
  const server = http.createServer((_, response) => {
    firstAt ??= performance.now();
    const sinceMs = performance.now() - firstAt;
    const stalled = sinceMs >= 1_000 && sinceMs < 1_500;
    setTimeout(() => response.end('x'), stalled ? 1_500 - sinceMs : 0);
  });
  await withServer(server, async (port) => {
    const { done } = startLoad({ ...base(port), keptConnections: 4, connectionsMax: 4 });
    const result = await done;
    const stalled = result.seconds[1]!.total;
    assert.equal(result.seconds.length, 2);
    assert.equal(stalled.ok, stalled.sent);
    // Half of the second's requests fall into the stall; a tenth of them into its last 50 ms.
    assert.ok(stalled.latency.p90Ms > 300, `p90 ${stalled.latency.p90Ms} ms`);
    assert.ok(stalled.latency.meanMs > 80, `mean ${stalled.latency.meanMs} ms`);
  });
});

test('a generator that spins sends what one that sleeps would, and keeps its core busy', async () => {
  await withServer(
    http.createServer((_, response) => response.end('x')),
    async (port) => {
      const sleeping = await startLoad({ ...base(port), durationMs: 1_000 }).done;
      const spinning = await startLoad({ ...base(port), durationMs: 1_000, spins: true }).done;
      const [slept, spun] = [sleeping.phases[0]!, spinning.phases[0]!];
      assert.equal(spun.sent, slept.sent);
      assert.equal(spun.ok, spun.sent);
      assert.ok(spinning.generator.cpuSeconds > sleeping.generator.cpuSeconds);
    },
  );
});

test('every request ends in exactly one outcome, whatever the server does', async () => {
  let count = 0;
  const server = http.createServer((request, response) => {
    count += 1;
    switch (count % 7) {
      case 0:
        response.writeHead(503).end('busy');
        break;
      case 1:
        response.writeHead(500).end('broken');
        break;
      case 2:
        request.socket.destroy();
        break;
      case 3:
        request.socket.end('this is not HTTP\r\n\r\n');
        break;
      case 4:
        break;
      default:
        response.end('fine');
    }
  });
  await withServer(server, async (port) => {
    const { done } = startLoad({ ...base(port), newConnectionRatio: 0.3, timeoutMs: 1_000, seed: 5 });
    const result = await done;
    const [all] = result.phases;
    assert.ok(all!.sent > 300);
    assert.equal(
      all!.sent,
      outcomes.reduce((sum, outcome) => sum + all![outcome], 0),
    );
    for (const outcome of outcomes) assert.ok(all![outcome] > 0, `no request was ${outcome}`);
    assert.ok(result.errors.LAB_RESPONSE_SYNTAX! > 0);
    assert.ok(all!.secondsBelow99 === 2);
    assert.ok(all!.refusedLatency.p50Ms > 0);
  });
});

test('over HTTPS, new visitors open a connection each and regular ones keep theirs', async () => {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'load-test-'));
  try {
    const { certificateFile, keyFile, ca } = await createServiceCertificate(folder);
    const paths = new Map<string, number>();
    const bodies = new Set<string>();
    const server = https.createServer(
      { cert: await readFile(certificateFile), key: await readFile(keyFile) },
      async (request, response) => {
        paths.set(request.url!, (paths.get(request.url!) ?? 0) + 1);
        let body = '';
        for await (const bytes of request) body += bytes;
        if (request.method === 'POST') bodies.add(body);
        response.end('{"fine":true}');
      },
    );
    await withServer(server, async (port) => {
      const { done } = startLoad({
        ...base(port),
        tls: { ca, serverName },
        newConnectionRatio: 0.2,
        keptConnections: 8,
        mix: [
          {
            name: 'object',
            weight: 3,
            variants: 20,
            request: (random) => ({ path: `/objects/${random.integer(50)}` }),
          },
          {
            name: 'post',
            weight: 1,
            request: (random) => ({ method: 'POST', path: '/post', body: `number ${random.integer(9)}` }),
          },
        ],
      });
      const result = await done;
      const [all] = result.phases;
      assert.equal(all!.successRatio, 1);
      const { object, post } = result.kinds;
      assert.ok(Math.abs(object!.sent / all!.sent - 0.75) < 0.08);
      assert.equal(paths.get('/post'), post!.sent);
      assert.ok(paths.size > 10);
      assert.ok([...bodies].every((body) => /^number [0-8]$/.test(body)) && bodies.size > 3);
      const fresh = result.connections.opened - 8;
      assert.ok(
        Math.abs(fresh / all!.sent - 0.2) < 0.07,
        `${fresh} of ${all!.sent} requests were new visitors`,
      );
      assert.ok(result.generator.cpuSeconds > 0);
    });
  } finally {
    await rm(folder, { recursive: true });
  }
});

test('a certificate that does not carry the expected name is refused', async () => {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'load-test-'));
  try {
    const { certificateFile, keyFile, ca } = await createServiceCertificate(folder);
    const server = https.createServer(
      { cert: await readFile(certificateFile), key: await readFile(keyFile) },
      (_, response) => response.end(),
    );
    await withServer(server, async (port) => {
      const { done } = startLoad({
        ...base(port),
        durationMs: 300,
        tls: { ca, serverName: 'other.example' },
      });
      const result = await done;
      assert.equal(result.phases[0]!.errored, result.phases[0]!.sent);
      assert.deepEqual(Object.keys(result.errors), ['ERR_TLS_CERT_ALTNAME_INVALID']);
    });
  } finally {
    await rm(folder, { recursive: true });
  }
});

test('a request that gets no connection times out from its intended time', async () => {
  const server = http.createServer(() => undefined);
  await withServer(server, async (port) => {
    const { done } = startLoad({ ...base(port), connectionsMax: 2, keptConnections: 2, timeoutMs: 400 });
    const result = await done;
    assert.equal(result.phases[0]!.timedOut, result.phases[0]!.sent);
    assert.ok(result.connections.peakOpen <= 2);
    assert.ok(result.seconds[0]!.total.sent > 100, 'waiting requests do not hold back later ones');
  });
});

test('a load starts when it was told to', async () => {
  const server = http.createServer((_, response) => response.end());
  await withServer(server, async (port) => {
    const startAtEpochMs = Date.now() + 1_500;
    const { startedAtEpochMs } = await startLoad({ ...base(port), durationMs: 200, startAtEpochMs }).done;
    assert.ok(startedAtEpochMs >= startAtEpochMs, `${startedAtEpochMs - startAtEpochMs} ms`);
  });
});

test('connections come from the local addresses given', async () => {
  const seen = new Set<string>();
  const server = http.createServer((request, response) => {
    seen.add(request.socket.remoteAddress!);
    response.end();
  });
  await withServer(server, async (port) => {
    const localAddresses = ['127.0.0.11', '127.0.0.12', '127.0.0.13'];
    const { done } = startLoad({ ...base(port), durationMs: 500, localAddresses });
    assert.equal((await done).phases[0]!.successRatio, 1);
    assert.deepEqual([...seen].sort(), localAddresses);
  });
});

test('a kept connection that the server closes while idle costs no request', async () => {
  const server = http.createServer((_, response) => response.end('x'));
  server.keepAliveTimeout = 1;
  await withServer(server, async (port) => {
    const { done } = startLoad({ ...base(port), rate: 60, keptConnections: 4 });
    const result = await done;
    assert.equal(result.phases[0]!.successRatio, 1);
  });
});

test('a closed load gives the figures until then', async () => {
  const server = http.createServer((_, response) => response.end('x'));
  await withServer(server, async (port) => {
    let seconds = 0;
    const load = startLoad({
      ...base(port),
      durationMs: 60_000,
      onSecond: () => {
        seconds += 1;
        if (seconds === 1) void load.close();
      },
    });
    const result = await load.done;
    assert.ok(result.phases[0]!.ok > 100 && result.durationMs < 10_000);
  });
});

test('options that cannot be used are refused at once, all together', () => {
  assert.throws(
    () => startLoad({ ...base(0), mix: [], newConnectionRatio: 2 }),
    (error) => error instanceof LoadOptionsError && error.problems.length === 3,
  );
});

test('a generator that ends without a result is an error', async () => {
  const launch: Launcher = async () => {
    const child = spawn(process.execPath, ['-e', '0'], { stdio: ['ignore', 'pipe', 'ignore'] });
    return {
      pid: child.pid!,
      stdout: child.stdout,
      exited: once(child, 'close'),
      terminate: () => child.kill(),
    };
  };
  await assert.rejects(startLoad({ ...base(9), launch }).done, LoadProcessError);
});
