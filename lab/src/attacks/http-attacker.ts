import http from 'node:http';
import https from 'node:https';
import type { Duplex } from 'node:stream';
import tls from 'node:tls';
import type { AttackContext } from './attack.ts';
import { connectToTarget } from './attack-socket.ts';

/** One request of an HTTP attack. */
export interface HttpShot {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly headers?: http.OutgoingHttpHeaders;
  readonly body?: Buffer;
}

/** Sends requests for the HTTP attacks, its bytes counted below TLS. */
export interface HttpAttacker {
  /** True when the target did as asked (a status below 400); false when it refused, broke off or took too long. */
  send(shot: HttpShot): Promise<boolean>;
  /** Drops its connections. */
  close(): void;
}

/** Opens a connection to the target and counts its bytes; under TLS the certificate is not checked. */
function connect(context: AttackContext): Duplex {
  const raw = connectToTarget(context);
  if (!context.plan.tls) return raw;
  const secure = tls.connect({ socket: raw, rejectUnauthorized: false, ALPNProtocols: ['http/1.1'] });
  raw.on('error', (error) => secure.destroy(error));
  return secure;
}

/** An HTTP or HTTPS sender for one attack. */
export function createHttpAttacker(
  context: AttackContext,
  options: { readonly keepAlive: boolean },
): HttpAttacker {
  const { plan, signal } = context;
  const agent = new (plan.tls ? https : http).Agent({
    keepAlive: options.keepAlive,
    maxSockets: plan.maxInFlight,
    maxFreeSockets: plan.maxInFlight,
  });
  agent.createConnection = () => connect(context);
  return {
    send(shot) {
      return new Promise((resolve) => {
        const request = (plan.tls ? https : http).request({
          agent,
          host: plan.host,
          port: plan.port,
          method: shot.method,
          path: shot.path,
          headers: {
            ...shot.headers,
            ...(shot.body === undefined ? {} : { 'content-length': shot.body.length }),
          },
        });
        const end = (success: boolean): void => {
          clearTimeout(timer);
          signal.removeEventListener('abort', abort);
          resolve(success);
        };
        const abort = (): void => {
          request.destroy();
          end(false);
        };
        const timer = setTimeout(abort, plan.timeoutMs);
        signal.addEventListener('abort', abort);
        request.on('response', (response) => {
          const accepted = (response.statusCode ?? 500) < 400;
          response.on('error', () => end(false));
          response.on('end', () => end(accepted));
          response.on('close', () => end(accepted && response.complete));
          response.resume();
        });
        request.on('error', () => end(false));
        request.end(shot.body);
      });
    },
    close: () => agent.destroy(),
  };
}
