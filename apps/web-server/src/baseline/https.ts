/** The same service behind plain `node:https`, as most Node servers are written. */
import type { ServerResponse } from 'node:http';
import * as https from 'node:https';
import type { AddressInfo } from 'node:net';
import { textResponse, type WebResponse } from '../http/response.ts';
import { createMemoryStore, createRedisStore } from '../service/object-store.ts';
import { searchInline } from '../service/search.ts';
import { createService } from '../service/service.ts';
import type { WebSettings } from '../settings.ts';
import { certificateCheckMs, readCredentials, watchCredentials } from '../tls/credentials.ts';
import type { RunningServer } from './running-server.ts';

function respond(response: ServerResponse, answer: WebResponse): void {
  const headers: Record<string, string | number> = {
    'Content-Type': answer.type,
    'Content-Length': typeof answer.body === 'string' ? Buffer.byteLength(answer.body) : answer.body.length,
  };
  if (answer.retryAfterSeconds !== undefined) headers['Retry-After'] = answer.retryAfterSeconds;
  if (answer.allow !== undefined) headers.Allow = answer.allow;
  response.writeHead(answer.status, headers);
  response.end(answer.body);
}

/** Starts the server. @throws Error if the certificate or the address cannot be used */
export async function startHttps(settings: WebSettings): Promise<RunningServer> {
  const { limits } = settings;
  const log = (text: string): void => void process.stderr.write(`${text}\n`);
  const store = settings.objects === '' ? createMemoryStore() : createRedisStore(settings.objects, log);
  let connections = 0;
  const service = createService({
    store,
    search: searchInline,
    connections: () => connections,
    limits,
    retryAfterSeconds: settings.retryAfterSeconds,
  });
  const server = https.createServer(
    {
      ...readCredentials(settings.credentialFiles),
      handshakeTimeout: limits.handshakeTimeoutMs,
      maxHeaderSize: limits.headersMaxBytes,
      headersTimeout: limits.headersTimeoutMs,
      requestTimeout: limits.headersTimeoutMs + limits.bodyTimeoutMs,
      keepAliveTimeout: limits.idleTimeoutMs,
    },
    (request, response) => {
      const method = request.method ?? '';
      const url = request.url ?? '';
      const serve = (body: Buffer | null): void => {
        const answer = service({ method, url, body }, () => (later) => respond(response, later));
        if (answer !== null) respond(response, answer);
      };
      if (method === 'GET' || method === 'HEAD') return serve(null);
      const parts: Buffer[] = [];
      let bytes = 0;
      request.on('data', (part: Buffer) => {
        bytes += part.length;
        if (bytes <= limits.bodyMaxBytes) parts.push(part);
      });
      request.on('end', () => {
        if (bytes <= limits.bodyMaxBytes) serve(Buffer.concat(parts));
        else respond(response, textResponse(413, 'the body is too large'));
      });
    },
  );
  server.on('secureConnection', (socket) => {
    connections += 1;
    socket.once('close', () => {
      connections -= 1;
    });
  });
  const watch = watchCredentials(
    settings.credentialFiles,
    (credentials) => {
      server.setSecureContext(credentials);
      server.setTicketKeys(credentials.ticketKeys);
    },
    log,
  );
  const checking = setInterval(watch.check, certificateCheckMs);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ port: settings.port, host: settings.host, backlog: 1_024 }, () => resolve());
  });
  return {
    port: (server.address() as AddressInfo).port,
    reloadCertificate: watch.reload,
    close: async () => {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeIdleConnections();
      await closed;
      clearInterval(checking);
      await store.close();
    },
  };
}
