import type { Deployment } from './deployment.ts';
import { startWholeServers } from './whole-servers.ts';

/** Two processes on a machine: one more than its share of a core keeps serving while the other is stuck. */
const processesPerMachine = 2;

/** `node:cluster` on each web machine. */
export const cluster: Deployment = {
  name: 'cluster',
  title: 'node:cluster with two processes on each web machine, which share the port and replace each other.',
  instance: 'server process',
  start: (context) => startWholeServers(context, { processes: processesPerMachine }),
};
