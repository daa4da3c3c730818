import type { Deployment } from './deployment.ts';
import { startWholeServers } from './whole-servers.ts';

/** One plain Node server on each web machine. */
export const standalone: Deployment = {
  name: 'standalone',
  title: 'One plain Node server on each web machine behind HAProxy; nothing changes under attack.',
  instance: 'server process',
  start: (context) => startWholeServers(context),
};
