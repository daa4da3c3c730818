import { readFileSync } from 'node:fs';
import tls from 'node:tls';
import { promisify } from 'node:util';
import { crc32, gunzip } from 'node:zlib';
import underPressure from '@fastify/under-pressure';
import fastify, { type FastifyInstance } from 'fastify';
import { startInstanceReports } from './instance-report.ts';
import { KeyTable } from './key-table.ts';
import { createInlineMatcher, createPooledMatcher, type Matcher } from './matcher.ts';
import { connectObjectStore, type ObjectStore, objectCount } from './object-store.ts';
import type { ServiceOptions } from './options.ts';
import type { TitlePattern } from './patterns.ts';

/** Largest body as it comes over the wire. */
const bodyMaxBytes = 262_144;
/** Longest text to match. */
const textMaxCharacters = 1_000;

/** What a careful team limits in its own code; `none` leaves out. */
const hardenedLimits = {
  unpackedMaxBytes: 1_048_576,
  lookupKeysMax: 1_000,
  headersTimeoutMs: 5_000,
  requestTimeoutMs: 10_000,
  connectionsCheckMs: 1_000,
  eventLoopDelayMaxMs: 250,
  eventLoopUtilizationMax: 0.98,
  pressureSampleMs: 500,
} as const;

const gunzipAsync = promisify(gunzip);

/**
 * Makes the service: objects from Redis, a regular expression, a gzip body, a table lookup, over HTTPS.
 * One code base for every deployment; `options` say how it runs. The caller makes it listen.
 */
export async function createService(options: ServiceOptions): Promise<FastifyInstance> {
  const hardened = options.protection === 'hardened';
  const service = createServer(options, hardened);
  if (hardened) {
    await service.register(underPressure, {
      maxEventLoopDelay: hardenedLimits.eventLoopDelayMaxMs,
      maxEventLoopUtilization: hardenedLimits.eventLoopUtilizationMax,
      sampleInterval: hardenedLimits.pressureSampleMs,
      retryAfter: 1,
    });
  }
  const store = await connectObjectStore(options.redis);
  const matcher = hardened ? await createPooledMatcher() : createInlineMatcher();
  addRoutes(service, store, matcher, hardened);
  const stopReports =
    options.reportFolder === null ? undefined : startInstanceReports(options.reportFolder, options.host);
  service.addHook('onClose', async () => {
    stopReports?.();
    await matcher.close();
    await store.close();
  });
  return service;
}

function createServer(options: ServiceOptions, hardened: boolean): FastifyInstance {
  // The types call it read-only; Node reads it at every renegotiation.
  if (options.renegotiation === 'unlimited') {
    Object.assign(tls, { CLIENT_RENEG_LIMIT: Number.POSITIVE_INFINITY });
  }
  const timeouts = hardened
    ? {
        headersTimeout: hardenedLimits.headersTimeoutMs,
        requestTimeout: hardenedLimits.requestTimeoutMs,
        connectionsCheckingInterval: hardenedLimits.connectionsCheckMs,
      }
    : {};
  const common = { bodyLimit: bodyMaxBytes, logger: false, forceCloseConnections: true } as const;
  if (options.tls === null) return fastify({ ...common, http: timeouts });
  return fastify({
    ...common,
    https: {
      ...timeouts,
      cert: readFileSync(options.tls.certificateFile),
      key: readFileSync(options.tls.keyFile),
    },
  }) as unknown as FastifyInstance;
}

function addRoutes(service: FastifyInstance, store: ObjectStore, matcher: Matcher, hardened: boolean): void {
  service.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
  service.removeContentTypeParser('text/plain');

  service.get('/health', async () => ({ fine: true }));

  service.get<{ Params: { id: string } }>('/objects/:id', async (request, reply) => {
    const id = Number(request.params.id);
    if (!Number.isInteger(id) || id < 0 || id >= objectCount)
      return reply.code(404).send({ error: 'no object' });
    const text = await store.get(id);
    if (text === null) return reply.code(404).send({ error: 'no object' });
    return reply.type('application/json').send(text);
  });

  const matchRoute = (path: string, pattern: TitlePattern): void => {
    service.get<{ Querystring: { text?: string } }>(path, async (request, reply) => {
      const { text = '' } = request.query;
      if (text.length > textMaxCharacters) return reply.code(414).send({ error: 'text too long' });
      const matches = await matcher.match(text, pattern);
      if (matches === undefined) return reply.code(503).send({ error: 'busy' });
      return { matches };
    });
  };
  matchRoute('/match', 'look-around');
  matchRoute('/match-curable', 'curable');

  service.post<{ Body: Buffer }>('/upload', async (request, reply) => {
    const limit = hardened ? { maxOutputLength: hardenedLimits.unpackedMaxBytes } : {};
    try {
      const unpacked = await gunzipAsync(request.body, limit);
      return { bytes: unpacked.length, crc: crc32(unpacked) };
    } catch (error) {
      const tooLong = (error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE';
      return reply
        .code(tooLong ? 413 : 400)
        .send({ error: tooLong ? 'unpacks to too much' : 'no gzip body' });
    }
  });

  service.post<{ Body: Buffer }>('/lookup', async (request, reply) => {
    const keys = request.body.toString().split('\n');
    if (hardened && keys.length > hardenedLimits.lookupKeysMax)
      return reply.code(413).send({ error: 'too many keys' });
    const table = new KeyTable<number>();
    keys.forEach((key, at) => {
      table.set(key, at);
    });
    let sum = 0;
    for (const key of keys) sum += table.get(key) ?? 0;
    return { keys: keys.length, distinct: table.size, sum };
  });
}
