/**
 * The two threads of the hand-off test. `acceptor` listens, detaches every connection and sends it on; `server`
 * attaches it and echoes: plain and TLS as it comes, half-closed ones (first byte `H`) all at once after the client's
 * end. Both count what they see.
 */
import * as net from 'node:net';
import * as tls from 'node:tls';
import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import type { Connection } from '../../model/index.ts';
import { attachConnection, detachConnection, discardConnection } from '../connection.ts';

export interface HandOffData {
  readonly role: 'acceptor' | 'server';
  /** Carries connections from the acceptor to the server. */
  readonly channel: MessagePort;
  /** Pre-shared key of the TLS connections, made by the run. */
  readonly key: Uint8Array;
}

export interface HandOffCounts {
  detached: number;
  gone: number;
  refused: number;
  attached: number;
  lost: number;
  closed: number;
  withAddress: number;
}

export const pskIdentity = 'hand-off';
export const pskCiphers = 'PSK-AES128-GCM-SHA256';

/** A connection that comes from the acceptor, and whether it arrived on the TLS port. */
interface Parcel {
  readonly connection: Connection;
  readonly isTls: boolean;
}

function runAcceptor(data: HandOffData, counts: HandOffCounts): void {
  const listen = (isTls: boolean): Promise<number> =>
    new Promise((resolve) => {
      const server = net.createServer({ pauseOnConnect: true, allowHalfOpen: true }, (socket) => {
        const detachment = detachConnection(socket);
        counts[detachment.kind]++;
        if (detachment.kind !== 'detached') return;
        const parcel: Parcel = { connection: detachment.connection, isTls };
        data.channel.postMessage(parcel);
      });
      server.listen(0, '127.0.0.1', 4_096, () => resolve((server.address() as net.AddressInfo).port));
      parentPort?.on('message', (message) => {
        // Ends only if no connection is counted any more: that is what destroying the socket is for.
        if (message === 'close') server.close(() => parentPort?.postMessage({ kind: 'server-closed' }));
      });
    });
  Promise.all([listen(false), listen(true)]).then(([plainPort, tlsPort]) => {
    parentPort?.postMessage({ kind: 'listening', plainPort, tlsPort });
  });
}

function echo(socket: net.Socket | tls.TLSSocket): void {
  const kept: Buffer[] = [];
  let isHalfClosed: boolean | null = null;
  socket.on('data', (chunk) => {
    isHalfClosed ??= chunk[0] === 'H'.charCodeAt(0);
    if (isHalfClosed) kept.push(chunk);
    else socket.write(chunk);
  });
  socket.on('end', () => socket.end(Buffer.concat(kept)));
}

function runServer(data: HandOffData, counts: HandOffCounts): void {
  const key = Buffer.from(data.key);
  const secure = tls.createServer(
    { pskCallback: () => key, ciphers: pskCiphers, maxVersion: 'TLSv1.2', allowHalfOpen: true },
    (socket) => {
      socket.on('error', () => {});
      echo(socket);
    },
  );
  secure.on('tlsClientError', (_error, socket) => socket.destroy());
  data.channel.on('message', (parcel: Parcel) => {
    const socket = attachConnection(parcel.connection, { allowHalfOpen: true });
    if (socket === null) {
      counts.lost++;
      discardConnection(parcel.connection);
      return;
    }
    counts.attached++;
    if (socket.remoteAddress?.startsWith('127.') && (socket.remotePort ?? 0) > 0) counts.withAddress++;
    socket.on('error', () => {});
    socket.on('close', () => counts.closed++);
    if (parcel.isTls) secure.emit('connection', socket);
    else echo(socket);
  });
  parentPort?.postMessage({ kind: 'ready' });
}

if (parentPort !== null) {
  const data = workerData as HandOffData;
  const counts: HandOffCounts = {
    detached: 0,
    gone: 0,
    refused: 0,
    attached: 0,
    lost: 0,
    closed: 0,
    withAddress: 0,
  };
  parentPort.on('message', (message) => {
    if (message === 'counts') parentPort?.postMessage({ kind: 'counts', counts });
  });
  if (data.role === 'acceptor') runAcceptor(data, counts);
  else runServer(data, counts);
}
