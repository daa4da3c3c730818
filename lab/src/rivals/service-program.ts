import { nodeProgram, siblingModule } from '../node-program.ts';
import { type ServiceOptions, serviceOptionsVariable } from '../service/options.ts';
import type { ProgramOptions, RunningProgram } from '../testbed/program.ts';
import type { TestbedMachine } from '../testbed/testbed.ts';
import type { DeploymentContext } from './deployment.ts';
import { type KeptProgram, keepRunning } from './kept-program.ts';

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

function serviceProgram(
  context: DeploymentContext,
  machine: TestbedMachine,
  variation: ServiceVariation,
  nodeFlags: readonly string[],
): ProgramOptions {
  const { command, args } = nodeProgram(siblingModule('../service/main', import.meta.url));
  return {
    name: 'service',
    command,
    args: [...nodeFlags, ...args],
    env: { [serviceOptionsVariable]: JSON.stringify(serviceOptions(context, machine, variation)) },
    openFiles: context.openFiles,
  };
}

/** Starts the service on a machine, and again whenever it ends; resolves once it listens. */
export function keepService(
  context: DeploymentContext,
  machine: TestbedMachine,
  variation: ServiceVariation = {},
  nodeFlags: readonly string[] = [],
): Promise<KeptProgram> {
  const program = serviceProgram(context, machine, variation, nodeFlags);
  return keepRunning(() => machine.run({ ...program, ready: { line: /^listening$/m } }), context.onRestart);
}

/** Starts the service on a machine and resolves at once. */
export function launchService(context: DeploymentContext, machine: TestbedMachine): Promise<RunningProgram> {
  return machine.run(serviceProgram(context, machine, {}, []));
}

/** A server that is stuck in an attack does not hear that it is to stop; nobody needs it any more. */
const stopGraceMs = 300;

/** Stops programs side by side. */
export async function stopAll(programs: readonly (RunningProgram | KeptProgram)[]): Promise<void> {
  await Promise.all(programs.map((program) => program.stop({ graceMs: stopGraceMs })));
}
