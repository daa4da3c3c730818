import type { Deployment } from './deployment.ts';
import { hardenedConfig, publicPort, startHaproxy } from './haproxy.ts';
import { keepService, stopAll } from './service-program.ts';
import { upstreamOf } from './whole-servers.ts';

/** V8's linear-time engine takes over from a pattern that backtracks too much, where it can run the pattern. */
const nodeFlags = ['--enable-experimental-regexp-engine-on-excessive-backtracks'];

/** What a careful team sets, with today's tools and no change of architecture. */
export const hardened: Deployment = {
  name: 'hardened',
  title:
    'HAProxy ends TLS and limits each source; servers shed under pressure, bound bodies, and match in a pool with a timeout.',
  instance: 'server process',
  // TLS costs its CPU where it ends; the databases hardly use theirs.
  cores: { 'load-balancer': 0.36, database: 0.1 },
  async start(context) {
    const web = context.testbed.withRole('web');
    const balancer = context.testbed.withRole('load-balancer')[0]!;
    const variation = { tls: null, protection: 'hardened', renegotiation: 'default' } as const;
    const programs = await Promise.all(
      web.map((machine) => keepService(context, machine, variation, nodeFlags)),
    );
    const haproxy = await startHaproxy(balancer, context.folder, (socketPath) =>
      hardenedConfig(balancer.address, socketPath, context.certificate.bothFile, web.map(upstreamOf)),
    );
    return {
      host: balancer.address,
      port: publicPort,
      async close() {
        await haproxy.close();
        await stopAll(programs);
      },
    };
  },
};
