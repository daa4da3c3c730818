import type { TestbedMachine } from '../testbed/testbed.ts';
import type { DeploymentContext, RunningDeployment } from './deployment.ts';
import { type Haproxy, passThroughConfig, publicPort, startHaproxy, type Upstream } from './haproxy.ts';
import { keepService, type ServiceVariation, servicePort, stopAll } from './service-program.ts';

export const upstreamOf = (machine: TestbedMachine): Upstream => ({
  name: machine.name,
  address: machine.address,
  port: servicePort,
});

/** Whole web servers on the web machines, behind a HAProxy that passes TCP through. */
export interface WholeServers extends RunningDeployment {
  readonly haproxy: Haproxy;
}

/**
 * Starts the service on every web machine, and HAProxy before them.
 * @param spares machines that are listed in HAProxy but out of use until enabled.
 */
export async function startWholeServers(
  context: DeploymentContext,
  variation: ServiceVariation = {},
  spares: readonly TestbedMachine[] = [],
): Promise<WholeServers> {
  const web = context.testbed.withRole('web');
  const balancer = context.testbed.withRole('load-balancer')[0]!;
  const programs = await Promise.all(web.map((machine) => keepService(context, machine, variation)));
  const upstreams = [
    ...web.map(upstreamOf),
    ...spares.map((machine) => ({ ...upstreamOf(machine), disabled: true })),
  ];
  const haproxy = await startHaproxy(balancer, context.folder, (socketPath) =>
    passThroughConfig(balancer.address, socketPath, upstreams),
  );
  return {
    host: balancer.address,
    port: publicPort,
    haproxy,
    async close() {
      await haproxy.close();
      await stopAll(programs);
    },
  };
}
