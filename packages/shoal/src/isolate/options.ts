import { ShoalError } from '../model/index.ts';

/** Options of `isolate`. Durations are milliseconds. */
export interface IsolateOptions {
  /** Name of the exported function. Default `default`. */
  readonly export?: string;
  /**
   * Milliseconds that a call may run. One that keeps its thread busy for longer is stopped: its thread is killed, and
   * the call fails. One that only awaits for longer fails too and makes room for the next; what it awaits goes on, and
   * its result is ignored. 0: no limit. Default 1,000.
   */
  readonly runLimitMs?: number;
  /** A call that has waited longer is not begun any more. 0: no limit. Default 500. */
  readonly deadlineMs?: number;
  /** No call takes longer than this, whatever happens; 0: no bound. Default 5,000. */
  readonly timeoutMs?: number;
  /** Threads that run the function at first. Default 1. */
  readonly instances?: number;
  /** Threads at most. The controller adds and takes back what the load asks for. Default: the cores of the machine. */
  readonly instancesMax?: number;
  /** Calls in progress at a time on one thread, for functions that await. Default 1. */
  readonly concurrency?: number;
  /** Heap of one thread, MiB; 0: Node's own limit. Default 256. */
  readonly heapMaxMiB?: number;
  /** Called with what the runtime and the controller log. Default: nobody. */
  readonly onLog?: (level: string, text: string) => void;
}

/** Options without the optional: what crosses to the other threads. */
export interface ResolvedIsolateOptions {
  readonly moduleUrl: string;
  readonly export: string;
  readonly runLimitMs: number;
  readonly deadlineMs: number;
  readonly timeoutMs: number;
  readonly instances: number;
  readonly instancesMax: number;
  readonly concurrency: number;
  readonly heapMaxMiB: number;
}

/** Fills in defaults. Throws `SHOAL_BAD_CALL` that lists everything wrong. */
export function resolveIsolateOptions(
  url: string | URL,
  options: IsolateOptions,
  cores: number,
): ResolvedIsolateOptions {
  const instances = options.instances ?? 1;
  const resolved: ResolvedIsolateOptions = {
    moduleUrl: url.toString(),
    export: options.export ?? 'default',
    runLimitMs: options.runLimitMs ?? 1_000,
    deadlineMs: options.deadlineMs ?? 500,
    timeoutMs: options.timeoutMs ?? 5_000,
    instances,
    instancesMax: options.instancesMax ?? Math.max(instances, cores),
    concurrency: options.concurrency ?? 1,
    heapMaxMiB: options.heapMaxMiB ?? 256,
  };
  const wrong: string[] = [];
  for (const name of ['runLimitMs', 'deadlineMs', 'timeoutMs', 'heapMaxMiB'] as const) {
    if (!(Number.isFinite(resolved[name]) && resolved[name] >= 0))
      wrong.push(`${name} must be 0 or a positive number`);
  }
  for (const name of ['instances', 'instancesMax', 'concurrency'] as const) {
    if (!(Number.isInteger(resolved[name]) && resolved[name] >= 1))
      wrong.push(`${name} must be a whole number from 1`);
  }
  if (resolved.instancesMax < resolved.instances)
    wrong.push('instancesMax must not be smaller than instances');
  if (!URL.canParse(resolved.moduleUrl)) {
    wrong.push("the first argument must be a URL: new URL('./search.js', import.meta.url)");
  }
  if (wrong.length > 0) throw new ShoalError('SHOAL_BAD_CALL', `isolate: ${wrong.join('; ')}.`, { wrong });
  return resolved;
}
