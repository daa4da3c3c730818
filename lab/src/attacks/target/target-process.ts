// A small service to attack, as many are: plain node:http(s), one route for each weakness, no defences.
// `node target-process.js '<TargetOptions as JSON>'`; prints `{"port":N}` once it listens on 127.0.0.1 (or on
// the host given), and ends when its standard input closes.
import { readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import tls from 'node:tls';
import zlib from 'node:zlib';
import { hashKey } from '../hashes.ts';
import { redosPatterns } from '../redos-patterns.ts';

export interface TargetOptions {
  readonly keyFile?: string;
  readonly certificateFile?: string;
  readonly host?: string;
  readonly pattern?: keyof typeof redosPatterns;
  readonly liftRenegotiationLimit?: boolean;
}

const options = JSON.parse(process.argv[2] ?? '{}') as TargetOptions;
const unpackers: Readonly<Record<string, (body: Buffer) => Buffer>> = {
  gzip: zlib.gunzipSync,
  deflate: zlib.inflateSync,
  br: zlib.brotliDecompressSync,
};

/** A hand-written table with chains, as the attack `hash-collision` wants it. Returns the number of entries. */
function fillTable(keys: readonly string[]): number {
  const buckets: string[][] = Array.from({ length: 4096 }, () => []);
  let entries = 0;
  for (const key of keys) {
    const bucket = buckets[hashKey('fnv1a', key) & 4095];
    if (bucket === undefined || bucket.includes(key)) continue;
    bucket.push(key);
    entries += 1;
  }
  return entries;
}

function answer(request: http.IncomingMessage, response: http.ServerResponse): void {
  const url = new URL(request.url ?? '/', 'http://target');
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    const body = Buffer.concat(chunks);
    switch (url.pathname) {
      case '/match':
        response.end(
          String(redosPatterns[options.pattern ?? 'look-around'].test(url.searchParams.get('text') ?? '')),
        );
        return;
      case '/lookup':
        response.end(String(fillTable(body.toString().split('\n'))));
        return;
      case '/upload': {
        const unpack = unpackers[request.headers['content-encoding'] ?? ''];
        response.end(String((unpack === undefined ? body : unpack(body)).length));
        return;
      }
      case '/large':
        response.end(Buffer.alloc(4 * 1024 * 1024));
        return;
      case '/':
        response.end('ok');
        return;
      default:
        response.writeHead(404).end();
    }
  });
}

if (options.liftRenegotiationLimit === true)
  Object.assign(tls, { CLIENT_RENEG_LIMIT: Number.POSITIVE_INFINITY });
const server =
  options.keyFile === undefined || options.certificateFile === undefined
    ? http.createServer(answer)
    : https.createServer(
        { key: readFileSync(options.keyFile), cert: readFileSync(options.certificateFile) },
        answer,
      );
server.on('tlsClientError', () => {});
server.listen(0, options.host ?? '127.0.0.1', () => {
  process.stdout.write(`${JSON.stringify({ port: (server.address() as AddressInfo).port })}\n`);
});
process.stdin.on('end', () => process.exit(0)).resume();
