/**
 * A running app: the runtime, the controller beside it, and the control endpoint. The controller decides, the runtime
 * serves; either could be on another machine, here they share a process.
 */
import assert from 'node:assert/strict';
import { type Controller, createController } from '../controller/index.ts';
import {
  createSeededRandom,
  type DeploymentMachine,
  type DeploymentProcess,
  machineId,
  processId,
} from '../model/index.ts';
import { type FatalReason, type Runtime, startRuntime } from '../runtime/index.ts';
import { createControlSource } from './api/control-source.ts';
import { type ControlEndpoint, startControlEndpoint } from './api/server.ts';
import type { CheckedApp } from './check-app.ts';
import { createToken, writeRunFile } from './run-directory.ts';
import type { RunLog } from './run-log.ts';

export interface RunAppOptions {
  readonly checked: CheckedApp;
  /** Directory for the file with port and token. */
  readonly runDirectory: string;
  /** Port of the control endpoint; 0: one that is free. */
  readonly controlPort: number;
  readonly log: RunLog;
  /** Where goes what MSUs print. */
  readonly printsTo: 'stdout' | 'stderr';
  /** A thread cannot be ended: this process must go, at once. */
  readonly onFatal: (reason: FatalReason) => void;
}

export interface RunningApp {
  readonly controlPort: number;
  /** Milliseconds that {@link RunningApp.drain} waits. */
  readonly drainMaxMs: number;
  /** Ends what runs: no new work, then what there is is waited for. Answers whether all of it ended in time. */
  drain(): Promise<boolean>;
}

/** The only process of a checked deployment. */
function onlyProcess({ deployment }: CheckedApp): [DeploymentMachine, DeploymentProcess] {
  const [machine, ...otherMachines] = deployment.machines;
  const [first, ...others] = machine?.processes ?? [];
  assert(machine !== undefined && first !== undefined && otherMachines.length + others.length === 0);
  return [machine, first];
}

async function startParts(
  options: RunAppOptions,
): Promise<[Runtime, Controller, ControlEndpoint, () => void]> {
  const { checked, log, runDirectory } = options;
  const { deployment, graph, appUrl } = checked;
  const [machine, process] = onlyProcess(checked);
  const runtime = await startRuntime({
    appUrl,
    graph,
    threads: process.threads,
    limits: deployment.limits,
    samplePeriodMs: deployment.samplePeriodMs,
    drainMaxMs: deployment.drainMaxMs,
    spareThreads: deployment.spareThreads,
    machine: machineId(machine.name),
    process: processId(process.name),
    printsTo: options.printsTo,
    log,
    onFatal: options.onFatal,
  });
  try {
    const reported = new Promise<void>((resolve) => {
      runtime.bus.onReport(() => resolve());
    });
    const controller = createController({
      graph,
      deployment,
      bus: runtime.bus,
      clock: runtime.clock,
      // Larger than that of whoever ran this app on this machine before.
      epoch: Date.now(),
      random: createSeededRandom(Date.now()),
      log: (line, decision) => log('info', line, { decision: decision.id, outcome: decision.outcome }),
    });
    const token = createToken();
    const source = createControlSource(controller, runtime.bus);
    // Before the first report there is nothing to show: whoever asked would be told that nothing runs.
    await reported;
    const endpoint = await startControlEndpoint({ source, token, port: options.controlPort });
    const run = { app: graph.name, pid: globalThis.process.pid, port: endpoint.port, token };
    return [runtime, controller, endpoint, writeRunFile(runDirectory, run)];
  } catch (error) {
    await runtime.close();
    throw error;
  }
}

/** Starts a checked app. Throws `SHOAL_START_FAILED`, `SHOAL_CONTROL`. */
export async function runApp(options: RunAppOptions): Promise<RunningApp> {
  const [runtime, controller, endpoint, removeRunFile] = await startParts(options);
  // However the process ends, but for SIGKILL: nobody is to be sent to a port that another program may get.
  process.once('exit', removeRunFile);
  return {
    controlPort: endpoint.port,
    drainMaxMs: options.checked.deployment.drainMaxMs,
    async drain() {
      // First of all: what drains must not be made good by clones.
      await controller.close();
      const isEmpty = await runtime.drain();
      removeRunFile();
      await endpoint.close();
      await runtime.close();
      return isEmpty;
    },
  };
}
