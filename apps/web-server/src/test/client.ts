/** A client for tests: sees every byte, and can do what no well-behaved client does. */
import * as net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import * as tls from 'node:tls';

export interface TestClient {
  readonly socket: tls.TLSSocket;
  send(text: string): void;
  /** Everything received so far. */
  received(): string;
  /** Statuses of the responses received so far. */
  statuses(): number[];
  /** Resolves when what was received matches. */
  until(pattern: RegExp | ((received: string) => boolean)): Promise<string>;
  /** Resolves with everything received once the server has ended the connection. */
  closed(): Promise<string>;
  destroy(): void;
}

/** Longest that a test waits for anything. */
const patienceMs = 15_000;

/** Looks again until it is true, but not for ever. */
export async function eventually(what: string, look: () => Promise<boolean> | boolean): Promise<void> {
  const endMs = performance.now() + patienceMs;
  while (performance.now() < endMs) {
    if (await look()) return;
    await sleep(50);
  }
  throw new Error(`never: ${what}`);
}

export function request(path: string, headers = ''): string {
  return `GET ${path} HTTP/1.1\r\nHost: localhost\r\n${headers}\r\n`;
}

function patiently<T>(what: string, work: Promise<T>, seen: () => string): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new Error(`waited ${patienceMs} ms for ${what}; received: ${seen().slice(0, 500)}`)),
      patienceMs,
    );
    work.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

/** Connects with TLS; any certificate will do unless options say otherwise. */
export async function connectClient(port: number, options: tls.ConnectionOptions = {}): Promise<TestClient> {
  const socket = tls.connect({ host: '127.0.0.1', port, rejectUnauthorized: false, ...options });
  let received = '';
  const listeners = new Set<() => void>();
  socket.on('data', (bytes) => {
    received += bytes.toString('latin1');
    for (const listener of listeners) listener();
  });
  const ended = new Promise<void>((resolve) => {
    socket.once('close', () => resolve());
  });
  const until: TestClient['until'] = (pattern) => {
    const isThere = (): boolean =>
      typeof pattern === 'function' ? pattern(received) : new RegExp(pattern).test(received);
    const work = new Promise<string>((resolve, reject) => {
      const check = (): void => {
        if (!isThere()) return;
        listeners.delete(check);
        resolve(received);
      };
      listeners.add(check);
      check();
      void ended.then(() =>
        reject(new Error(`closed before ${pattern}; received: ${received.slice(0, 500)}`)),
      );
    });
    return patiently(String(pattern), work, () => received);
  };
  await patiently(
    'a TLS connection',
    new Promise<void>((resolve, reject) => {
      socket.once('secureConnect', resolve);
      socket.once('error', reject);
    }),
    () => received,
  );
  socket.on('error', () => undefined);
  return {
    socket,
    send: (text) => void socket.write(text, 'latin1'),
    received: () => received,
    statuses: () => [...received.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map((match) => Number(match[1])),
    until,
    closed: () =>
      patiently(
        'the end of the connection',
        ended.then(() => received),
        () => received,
      ),
    destroy: () => void socket.destroy(),
  };
}

/** Connects without TLS and sends bytes; resolves when the server has closed the connection. */
export async function sendPlain(port: number, bytes: string | Uint8Array): Promise<void> {
  const socket = net.connect({ host: '127.0.0.1', port });
  const ended = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  socket.on('error', () => undefined);
  socket.resume();
  socket.write(bytes);
  await patiently('the end of a plain connection', ended, () => '');
}

/** One request on a connection of its own: the whole response. */
export async function fetchOnce(
  port: number,
  path: string,
  options: tls.ConnectionOptions = {},
): Promise<string> {
  const client = await connectClient(port, options);
  client.send(request(path, 'Connection: close\r\n'));
  return client.closed();
}
