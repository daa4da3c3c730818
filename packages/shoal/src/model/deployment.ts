/** A deployment: where instances run, and the limits and controller policy they run under. All defaults resolved. */
import type { Limits } from './limits.ts';
import type { SchedulingOrder } from './msu.ts';
import type { ControllerPolicy } from './policy.ts';

/** A thread that exists from the start. Clones get threads of their own, made on demand. */
export interface DeploymentThread {
  readonly name: string;
  /** Core to pin to; -1: not pinned. */
  readonly core: number;
  /** OS niceness from when the thread uses more than half of a core, 0…19; a larger one yields to others. */
  readonly nice: number;
  /** Which instance is served next on this thread. */
  readonly scheduling: SchedulingOrder;
  /** Names of MSU types, one entry for each instance. */
  readonly instances: readonly string[];
}

/** A runtime process. `name`: unique on its machine. */
export interface DeploymentProcess {
  readonly name: string;
  readonly threads: readonly DeploymentThread[];
}

/** A machine and the processes on it. */
export interface DeploymentMachine {
  readonly name: string;
  readonly processes: readonly DeploymentProcess[];
}

/** Where the instances of an app run at first, and by which bounds and rules it is run. Every field of a deployment file, resolved. */
export interface Deployment {
  readonly name: string;
  readonly machines: readonly DeploymentMachine[];
  readonly limits: Limits;
  readonly policy: ControllerPolicy;
  /** Milliseconds between two samples; while nothing waits, five times as long. Default 100. */
  readonly samplePeriodMs: number;
  /** Milliseconds that SIGTERM, or the removal of an instance, waits for work to end. Default 10,000. */
  readonly drainMaxMs: number;
  /** Threads kept ready without instances, so that a clone or a replacement starts in milliseconds. Default 1. */
  readonly spareThreads: number;
}

/** Defaults of what stands at the top of a deployment beside its name, machines, limits and policy. */
export const defaultDeploymentSettings: Pick<Deployment, 'samplePeriodMs' | 'drainMaxMs' | 'spareThreads'> = {
  samplePeriodMs: 100,
  drainMaxMs: 10_000,
  spareThreads: 1,
};

/** Name of the only machine of a deployment that names none. */
export const localMachineName = 'local';
/** Name of the only process of a machine that names none. */
export const mainProcessName = 'main';
/** Default of {@link DeploymentThread}'s `core`: not pinned. */
export const defaultCore = -1;
