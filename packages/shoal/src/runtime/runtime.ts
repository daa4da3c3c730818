/** A runtime process: an agent and its threads. The controller is put beside it by the caller. */
import {
  type AppGraph,
  type Clock,
  defaultLimits,
  type Limits,
  type MachineId,
  machineId,
  type ProcessId,
  processId,
} from '../model/index.ts';
import { withDefaults } from '../model/with-defaults.ts';
import type { ControlBus } from '../wire/index.ts';
import { Agent } from './agent.ts';
import type { FatalReason, RuntimeLog } from './agent-state.ts';
import type { InitialThread } from './agent-threads.ts';
import { createMachineClock } from './clock.ts';
import { loadGraph } from './describe.ts';
import { keepLoopsInterruptible } from './node-faults.ts';
import { keepYoungGenerationLarge } from './young-generation.ts';

export interface RuntimeOptions {
  /** URL of the app module (its default export is an app). */
  readonly appUrl: string | URL;
  /** Its graph, where the caller knows it. Default: the module is loaded once to see it. */
  readonly graph?: AppGraph;
  /** Threads that exist from the start, and what is on them. Default: one thread an instance. */
  readonly threads?: readonly InitialThread[];
  /** Bounds that differ from the defaults. */
  readonly limits?: Partial<Limits>;
  /** Milliseconds between two reports. Default 100. */
  readonly samplePeriodMs?: number;
  /** Milliseconds that {@link Runtime.drain} waits for work to end. Default 10,000. */
  readonly drainMaxMs?: number;
  /** Threads kept ready without instances. Default 1. */
  readonly spareThreads?: number;
  readonly machine?: MachineId;
  readonly process?: ProcessId;
  /** Seed of all randomness. Default: the clock. */
  readonly seed?: number;
  /** Where goes what MSUs print to their standard output (`console.log`). Default `stdout`. */
  readonly printsTo?: 'stdout' | 'stderr';
  /** Where log lines go. Default: nowhere. */
  readonly log?: RuntimeLog;
  /**
   * A thread cannot be ended (a tight loop in native code): the process must go. Default: it kills itself with
   * SIGKILL, and a supervisor starts another.
   */
  readonly onFatal?: (reason: FatalReason) => void;
}

export interface Runtime extends AsyncDisposable {
  readonly graph: AppGraph;
  readonly clock: Clock;
  readonly machine: MachineId;
  readonly process: ProcessId;
  /** Commands to, and reports from, this process. */
  readonly bus: ControlBus;
  /** Ends what runs, entries first. Answers whether everything ended by itself in time. */
  drain(): Promise<boolean>;
  /** Reports once more and stops all threads at once. */
  close(): Promise<void>;
}

/** Starts a runtime in this process. Throws `SHOAL_APP_LOAD`, `SHOAL_START_FAILED`. */
export async function startRuntime(options: RuntimeOptions): Promise<Runtime> {
  keepLoopsInterruptible();
  keepYoungGenerationLarge();
  const appUrl = options.appUrl.toString();
  const clock = createMachineClock();
  const graph = options.graph ?? (await loadGraph(appUrl));
  const machine = options.machine ?? machineId('local');
  const process = options.process ?? processId('main');
  const agent = new Agent({
    appUrl,
    graph,
    limits: withDefaults(defaultLimits, options.limits),
    samplePeriodMs: options.samplePeriodMs ?? 100,
    drainMaxMs: options.drainMaxMs ?? 10_000,
    spareThreads: options.spareThreads ?? 1,
    machine,
    process,
    clock,
    seed: options.seed ?? Math.floor(clock.now()),
    printsTo: options.printsTo ?? 'stdout',
    log: options.log ?? (() => {}),
    onFatal: options.onFatal ?? killSelf,
  });
  try {
    await agent.start(options.threads ?? threadPerInstance(graph));
  } catch (error) {
    await agent.close();
    throw error;
  }
  const close = (): Promise<void> => agent.close();
  return {
    graph,
    clock,
    machine,
    process,
    bus: agent,
    drain: () => agent.drain(),
    close,
    [Symbol.asyncDispose]: close,
  };
}

function killSelf(): void {
  globalThis.process.kill(globalThis.process.pid, 'SIGKILL');
}

function threadPerInstance(graph: AppGraph): InitialThread[] {
  return graph.msus.flatMap((msu) =>
    Array.from({ length: msu.instancesInitial }, (_, i) => ({
      name: `${msu.name}-${i + 1}`,
      core: -1,
      nice: 0,
      scheduling: 'fifo' as const,
      instances: [msu.name],
    })),
  );
}
