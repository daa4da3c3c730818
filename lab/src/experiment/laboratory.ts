import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import type { Deployment, DeploymentContext, RunningDeployment } from '../rivals/index.ts';
import { createServiceCertificate, type ServiceCertificate } from '../service/certificates.ts';
import { fillObjectStore } from '../service/object-store.ts';
import type { RunningProgram } from '../testbed/program.ts';
import type { Testbed, TestbedMachine } from '../testbed/testbed.ts';
import { addSourceAddresses } from './sources.ts';

const redisPort = 6_379;
/** How many addresses honest visitors and attackers come from: defences that count by source see as many. */
const clientAddressCount = 64;
const attackerAddressCount = 64;

/** Databases under a deployment that runs. */
export interface RunningService extends RunningDeployment {
  /** Where its server instances report. */
  readonly reportFolder: string;
  /** Times that one of its programs ended and was started again. */
  restarts(): number;
}

/** The machines and what every deployment shares: certificate and databases. */
export interface Laboratory {
  readonly testbed: Testbed;
  readonly certificate: ServiceCertificate;
  /** Addresses that honest visitors come from. */
  readonly clientAddresses: readonly string[];
  /** Addresses that attackers come from. */
  readonly attackerAddresses: readonly string[];
  /** Starts the databases and a deployment on them, without limits on CPU, and then sets the limits. */
  start(deployment: Deployment): Promise<RunningService>;
  close(): Promise<void>;
}

export interface LaboratoryOptions {
  readonly rsaBits: number;
  readonly openFiles: number;
}

export async function openLaboratory(testbed: Testbed, options: LaboratoryOptions): Promise<Laboratory> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'shoal-lab-'));
  const certificate = await createServiceCertificate(folder, options.rsaBits);
  const clientAddresses = await addSourceAddresses(testbed.machine('client'), 0, clientAddressCount);
  const attackerAddresses = await addSourceAddresses(
    testbed.machine('attacker'),
    clientAddressCount,
    attackerAddressCount,
  );
  let starts = 0;
  return {
    testbed,
    certificate,
    clientAddresses,
    attackerAddresses,
    async start(deployment) {
      starts += 1;
      liftQuotas(testbed);
      const startFolder = path.join(folder, String(starts));
      const reportFolder = path.join(startFolder, 'reports');
      await mkdir(reportFolder, { recursive: true });
      const machines = testbed.withRole('database');
      const databases = await Promise.all(
        machines.map((machine) => startDatabase(machine, startFolder, deployment.databaseFill ?? 0)),
      );
      let restarts = 0;
      const context: DeploymentContext = {
        testbed,
        folder: startFolder,
        reportFolder,
        certificate,
        redis: machines.map(({ address }) => `${address}:${redisPort}`),
        openFiles: options.openFiles,
        onRestart: () => {
          restarts += 1;
        },
      };
      const running = await deployment.start(context);
      enforceQuotas(testbed, deployment);
      return {
        ...running,
        reportFolder,
        restarts: () => restarts,
        async close() {
          liftQuotas(testbed);
          await running.close();
          await Promise.all(databases.map((database) => database.stop()));
          await rm(startFolder, { recursive: true });
        },
      };
    },
    async close() {
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** How long programs take to start and to stop is not what is measured, so they need not keep to the quotas. */
export function liftQuotas(testbed: Testbed): void {
  for (const machine of testbed.machines) machine.setCores(null);
}

function enforceQuotas(testbed: Testbed, deployment: Deployment): void {
  const coresOf = (machine: TestbedMachine): number => deployment.cores?.[machine.role] ?? machine.cores;
  const total = testbed.machines.reduce((sum, machine) => sum + machine.cores, 0);
  const wanted = testbed.machines.reduce((sum, machine) => sum + coresOf(machine), 0);
  assert.ok(wanted <= total + 1e-9, `${deployment.name} takes ${wanted} cores of ${total}`);
  for (const machine of testbed.machines) machine.setCores(coresOf(machine));
}

/** Starts Redis on a machine, with the service's objects and as much other data as asked for. */
async function startDatabase(machine: TestbedMachine, folder: string, fill: number): Promise<RunningProgram> {
  const socketPath = path.join(folder, `redis-${machine.name}.sock`);
  const program = await machine.run({
    name: 'redis',
    command: 'redis-server',
    args: [
      ...['--port', String(redisPort), '--bind', machine.address, '--protected-mode', 'no'],
      ...['--unixsocket', socketPath, '--save', '', '--appendonly', 'no', '--dir', folder],
    ],
    ready: { line: /Ready to accept connections/ },
  });
  await fillObjectStore(socketPath, Math.floor(fill * machine.memoryMiB));
  return program;
}
