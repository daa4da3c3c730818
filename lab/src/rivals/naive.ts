import { setTimeout as sleep } from 'node:timers/promises';
import { readInstanceReports } from '../service/instance-report.ts';
import type { RunningProgram } from '../testbed/program.ts';
import type { TestbedMachine } from '../testbed/testbed.ts';
import type { Deployment, DeploymentContext, RunningDeployment } from './deployment.ts';
import { createReplicationPolicy } from './replication-policy.ts';
import { launchService, stopAll } from './service-program.ts';
import { startWholeServers } from './whole-servers.ts';

/** How often the replicator looks at the servers' reports. */
const lookEveryMs = 250;

/**
 * Whole-server replication: when the web servers are overloaded, the whole web server is started on a database
 * machine and entered into HAProxy, one machine after the other. The replicator itself runs outside of the
 * machines and so costs the deployment nothing, which is generous.
 */
async function startNaive(context: DeploymentContext): Promise<RunningDeployment> {
  const spares = context.testbed.withRole('database');
  const servers = await startWholeServers(context, {}, spares);
  const replicas: { readonly machine: TestbedMachine; readonly program: RunningProgram }[] = [];
  const policy = createReplicationPolicy(spares.length);
  let closing = false;

  const add = async (): Promise<void> => {
    const used = new Set(replicas.map(({ machine }) => machine));
    const machine = spares.find((spare) => !used.has(spare));
    if (machine === undefined) return;
    const program = await launchService(context, machine);
    const replica = { machine, program };
    replicas.push(replica);
    // One that dies (of memory, say) is out, and may be started again.
    void program.exited.then(() => {
      const at = replicas.indexOf(replica);
      if (at >= 0) replicas.splice(at, 1);
    });
    const serves = (): boolean =>
      readInstanceReports(context.reportFolder).some(({ host }) => host === machine.address);
    while (!closing && replicas.includes(replica) && !serves()) await sleep(lookEveryMs);
    if (serves()) await servers.haproxy.setState(machine.name, 'ready');
  };
  const remove = async (): Promise<void> => {
    const replica = replicas.pop();
    if (replica === undefined) return;
    await servers.haproxy.setState(replica.machine.name, 'maint');
    await replica.program.stop();
  };
  const replicate = async (): Promise<void> => {
    while (!closing) {
      await sleep(lookEveryMs);
      const action = policy.step(readInstanceReports(context.reportFolder), replicas.length, Date.now());
      try {
        if (action === 'add') await add();
        if (action === 'remove') await remove();
      } catch {
        // A server that could not start: its log says why, and the policy will ask again.
      }
    }
  };
  const replicating = replicate();

  return {
    host: servers.host,
    port: servers.port,
    async close() {
      closing = true;
      await stopAll(replicas.map(({ program }) => program));
      await replicating;
      await stopAll(replicas.map(({ program }) => program));
      await servers.close();
    },
  };
}

/** Whole-server replication onto database machines that have memory to spare. */
export const naive: Deployment = {
  name: 'naive',
  title: 'Standalone, and a whole web server more on a database machine, one by one, while overloaded.',
  instance: 'server process',
  start: startNaive,
};

/** The same with databases that need most of their memory, as in the published experiment. */
export const naiveFull: Deployment = {
  name: 'naive-full',
  title: 'The same, but the databases fill 80 % of their memory, so that a whole server hardly fits.',
  instance: 'server process',
  databaseFill: 0.8,
  longOnly: true,
  start: startNaive,
};
