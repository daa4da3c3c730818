/**
 * The same server as one plain Node program: the same TLS, parser, session and service code as the MSUs, called
 * one after the other on one event loop. What Shoal is compared with.
 */
import * as tls from 'node:tls';
import { HttpSession } from '../http/http-session.ts';
import { holder, SecureConnection } from '../http/secure-connection.ts';
import { SweepClock } from '../limits.ts';
import { createMemoryStore, createRedisStore } from '../service/object-store.ts';
import { searchInline } from '../service/search.ts';
import { createService } from '../service/service.ts';
import type { WebSettings } from '../settings.ts';
import { certificateCheckMs, readCredentials, watchCredentials } from '../tls/credentials.ts';
import type { RunningServer } from './running-server.ts';

/** One connection: its socket side and its HTTP side. */
interface Client {
  readonly connection: SecureConnection;
  readonly session: HttpSession;
}

/** Starts the server. @throws Error if the certificate or the address cannot be used */
export async function startMonolith(settings: WebSettings): Promise<RunningServer> {
  const { limits } = settings;
  const clock = new SweepClock(performance.now(), limits);
  const clients = new Set<Client>();
  const log = (text: string): void => void process.stderr.write(`${text}\n`);
  const store = settings.objects === '' ? createMemoryStore() : createRedisStore(settings.objects, log);
  const service = createService({
    store,
    search: searchInline,
    connections: () => clients.size,
    limits,
    retryAfterSeconds: settings.retryAfterSeconds,
  });

  const server = tls.createServer(
    {
      ...readCredentials(settings.credentialFiles),
      handshakeTimeout: limits.handshakeTimeoutMs,
      noDelay: true,
    },
    (socket) => accept(socket),
  );

  function accept(socket: tls.TLSSocket): void {
    const session = new HttpSession(service, limits, clock, {
      transmit: (bytes, isLast) => connection.transmit(bytes, isLast),
      closeQuietly: () => connection.transmit(Buffer.alloc(0), true),
      holdReading: (isHeld) => connection.hold(holder.session, isHeld),
    });
    const connection = new SecureConnection(socket, limits, clock, {
      onBytes: (bytes) => session.push(bytes),
      onEnd: () => session.finish(),
      onClosed: () => {
        session.close();
        clients.delete(client);
      },
    });
    const client: Client = { connection, session };
    clients.add(client);
  }

  // A handshake that failed is the client's affair. One that timed out keeps its socket unless we destroy it.
  server.on('tlsClientError', (_error, socket) => socket.destroy());
  const watch = watchCredentials(
    settings.credentialFiles,
    (credentials) => {
      server.setSecureContext(credentials);
      server.setTicketKeys(credentials.ticketKeys);
    },
    log,
  );
  const sweeping = setInterval(() => {
    clock.advance(performance.now());
    for (const { connection, session } of clients) {
      session.sweep();
      connection.sweep();
    }
  }, limits.sweepMs);
  const checking = setInterval(watch.check, certificateCheckMs);

  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ port: settings.port, host: settings.host, backlog: 1_024 }, () => resolve());
  });
  const { port } = server.address() as { port: number };
  return {
    port,
    reloadCertificate: watch.reload,
    close: async () => {
      const closed = new Promise((resolve) => server.close(resolve));
      for (const { session } of clients) session.drain();
      await closed;
      clearInterval(sweeping);
      clearInterval(checking);
      await store.close();
    },
  };
}
