import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import * as https from 'node:https';
import * as net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { startLoad } from '../load/index.ts';
import { createServiceCertificate, serverName } from './certificates.ts';
import { createService } from './create-service.ts';
import { readInstanceReports } from './instance-report.ts';
import { honestMix } from './mix.ts';
import { fillObjectStore, objectText } from './object-store.ts';
import { readServiceOptions, type ServiceOptions } from './options.ts';

let folder: string;
let redis: ChildProcess;
let options: ServiceOptions;
let ca: string;

before(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'service-test-'));
  const certificate = await createServiceCertificate(folder);
  ca = certificate.ca;
  const [redisPort, port] = [await freePort(), await freePort()];
  const socketPath = path.join(folder, 'redis.sock');
  redis = spawn(
    'redis-server',
    [
      '--port',
      String(redisPort),
      '--bind',
      '127.0.0.1',
      '--unixsocket',
      socketPath,
      '--save',
      '',
      '--dir',
      folder,
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  for await (const text of redis.stdout!) if (String(text).includes('Ready to accept')) break;
  redis.stdout!.resume();
  await fillObjectStore(socketPath);
  options = {
    host: '127.0.0.1',
    port,
    tls: certificate,
    redis: [`127.0.0.1:${redisPort}`],
    renegotiation: 'default',
    processes: 1,
    protection: 'none',
    reportFolder: folder,
  };
  options = {
    ...options,
    tls: { certificateFile: certificate.certificateFile, keyFile: certificate.keyFile },
  };
});

after(async () => {
  redis.kill();
  await once(redis, 'exit');
  await rm(folder, { recursive: true });
});

async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as net.AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

interface Answer {
  readonly status: number;
  readonly text: string;
}

async function ask(target: string, body?: Buffer | string, type = 'text/plain'): Promise<Answer> {
  const request = https.request({
    host: '127.0.0.1',
    port: options.port,
    path: target,
    method: body === undefined ? 'GET' : 'POST',
    ca,
    servername: serverName,
    agent: false,
    headers: body === undefined ? {} : { 'content-type': type, 'content-length': Buffer.byteLength(body) },
  });
  request.end(body);
  const [response] = await once(request, 'response');
  let text = '';
  for await (const bytes of response) text += bytes;
  return { status: response.statusCode, text };
}

test('the plain service answers every route', async (t) => {
  const service = await createService(options);
  t.after(() => service.close());
  await service.listen({ host: options.host, port: options.port });
  assert.deepEqual(await ask('/objects/7'), { status: 200, text: objectText(7) });
  assert.equal((await ask('/objects/1000')).status, 404);
  assert.equal((await ask('/objects/x')).status, 404);
  assert.equal((await ask('/match?text=a%20fine%20title')).text, '{"matches":true}');
  assert.equal((await ask('/match?text=not..fine')).text, '{"matches":false}');
  assert.equal((await ask('/match-curable?text=fine%21')).text, '{"matches":false}');
  assert.equal((await ask(`/match?text=${'a'.repeat(1_001)}`)).status, 414);
  const upload = await ask('/upload', gzipSync('x'.repeat(5_000_000)), 'application/octet-stream');
  assert.equal(JSON.parse(upload.text).bytes, 5_000_000);
  assert.equal((await ask('/upload', 'not gzip', 'application/octet-stream')).status, 400);
  assert.deepEqual(JSON.parse((await ask('/lookup', 'a\nb\na')).text), { keys: 3, distinct: 2, sum: 5 });
  assert.equal((await ask('/nowhere')).status, 404);
  const reports = readInstanceReports(folder);
  assert.equal(reports.length, 1);
  assert.ok(reports[0]!.descriptorShare > 0 && reports[0]!.busyShare <= 1);
});

test('the hardened service bounds what a request may cost', async (t) => {
  const service = await createService({ ...options, protection: 'hardened' });
  t.after(() => service.close());
  await service.listen({ host: options.host, port: options.port });
  assert.equal((await ask('/match?text=a%20fine%20title')).text, '{"matches":true}');
  const bomb = gzipSync(Buffer.alloc(5_000_000));
  assert.equal((await ask('/upload', bomb, 'application/octet-stream')).status, 413);
  assert.equal((await ask('/lookup', 'key\n'.repeat(1_001))).status, 413);
  // 2^40 steps would take hours; the pool gives up on it and the service goes on.
  assert.equal((await ask(`/match?text=${'a'.repeat(40)}!`)).status, 503);
  assert.equal((await ask('/objects/3')).status, 200);
});

test('two processes share the port, and the honest mix is answered in full', async () => {
  const main = path.join(import.meta.dirname, import.meta.url.endsWith('.ts') ? 'main.ts' : 'main.js');
  const child = spawn(process.execPath, [...process.execArgv, main], {
    env: { ...process.env, LAB_SERVICE: JSON.stringify({ ...options, processes: 2 }) },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  try {
    for await (const text of child.stdout) if (String(text).includes('listening')) break;
    assert.equal(readInstanceReports(folder).length, 2);
    const result = await startLoad({
      host: options.host,
      port: options.port,
      tls: { ca, serverName },
      rate: 100,
      durationMs: 1_500,
      timeoutMs: 15_000,
      newConnectionRatio: 0.1,
      mix: honestMix,
    }).done;
    assert.equal(result.phases[0]!.ok, result.phases[0]!.sent);
    for (const kind of Object.values(result.kinds)) assert.ok(kind.ok > 0);
  } finally {
    child.kill('SIGTERM');
    await once(child, 'exit');
  }
});

test('options that cannot be used are refused with all that is wrong', () => {
  assert.throws(() => readServiceOptions({}), /LAB_SERVICE/);
  const bad = JSON.stringify({ ...options, port: 0, processes: 0 });
  assert.throws(
    () => readServiceOptions({ LAB_SERVICE: bad }),
    (error: Error) => error.message.includes('port') && error.message.includes('processes'),
  );
});
