import { nodeProgram, siblingModule } from '../node-program.ts';
import { type ServiceOptions, serviceOptionsVariable } from '../service/options.ts';
import type { RunningProgram } from '../testbed/program.ts';
import type { TestbedMachine } from '../testbed/testbed.ts';
import type { DeploymentContext } from './deployment.ts';

/** Port of the service on each machine, behind HAProxy. */
export const servicePort = 8_443;

/** What differs between the ways to run the service. */
export type ServiceVariation = Partial<
  Pick<ServiceOptions, 'tls' | 'processes' | 'protection' | 'renegotiation'>
>;

/** The service's options on a machine: TLS in the service, renegotiation unlimited, one plain process. */
export function serviceOptions(
  context: DeploymentContext,
  machine: TestbedMachine,
  variation: ServiceVariation = {},
): ServiceOptions {
  const { certificateFile, keyFile } = context.certificate;
  return {
    host: machine.address,
    port: servicePort,
    tls: { certificateFile, keyFile },
    redis: context.redis,
    renegotiation: 'unlimited',
    processes: 1,
    protection: 'none',
    reportFolder: context.reportFolder,
    ...variation,
  };
}

/** Starts the service on a machine and resolves once it listens. */
export function startService(
  context: DeploymentContext,
  machine: TestbedMachine,
  variation: ServiceVariation = {},
  nodeFlags: readonly string[] = [],
): Promise<RunningProgram> {
  const { command, args } = nodeProgram(siblingModule('../service/main', import.meta.url));
  return machine.run({
    name: 'service',
    command,
    args: [...nodeFlags, ...args],
    env: { [serviceOptionsVariable]: JSON.stringify(serviceOptions(context, machine, variation)) },
    openFiles: context.openFiles,
    ready: { line: /^listening$/m },
  });
}

/** Stops programs side by side. */
export async function stopAll(programs: readonly RunningProgram[]): Promise<void> {
  await Promise.all(programs.map((program) => program.stop()));
}
