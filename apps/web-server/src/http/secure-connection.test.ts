import assert from 'node:assert/strict';
import { once } from 'node:events';
import type * as net from 'node:net';
import { test } from 'node:test';
import * as tls from 'node:tls';
import { defaultWebLimits } from '../limits.ts';
import { createCertificate } from '../tls/certificate.ts';
import { SecureConnection } from './secure-connection.ts';

/** More than the kernel's buffers take. */
const longResponseBytes = 32 * 1_048_576;

test('a client that took its last response slowly has its full lingering time from the end of it', async () => {
  const { certificate, key } = createCertificate(['localhost'], Date.now(), 1);
  const server = tls.createServer({ cert: certificate, key, allowHalfOpen: true });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = tls.connect({
    port: (server.address() as net.AddressInfo).port,
    host: '127.0.0.1',
    rejectUnauthorized: false,
  });
  client.on('error', () => undefined);
  const [socket] = (await once(server, 'secureConnection')) as [tls.TLSSocket];
  const clock = { nowMs: 1 };
  const connection = new SecureConnection(socket, defaultWebLimits, clock, {
    onBytes: () => undefined,
    onEnd: () => undefined,
    onClosed: () => undefined,
  });
  try {
    connection.transmit(Buffer.alloc(longResponseBytes), true);
    const taken = once(socket, 'finish');
    clock.nowMs += 5 * defaultWebLimits.lingerMs;
    connection.sweep();
    assert.equal(socket.destroyed, false, 'the response is on its way');

    client.resume();
    await taken;
    connection.sweep();
    assert.equal(socket.destroyed, false, 'the client has only now got it all');
    clock.nowMs += defaultWebLimits.lingerMs;
    connection.sweep();
    assert.equal(socket.destroyed, true, 'and does not close its side');
  } finally {
    client.destroy();
    socket.destroy();
    server.close();
  }
});
