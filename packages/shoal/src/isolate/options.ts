import {
  defaultLimits,
  describeRule,
  limitRules,
  meetsRule,
  msuRules,
  type NumberRule,
  nearestName,
  portRules,
  ShoalError,
} from '../model/index.ts';

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
  /**
   * No call takes longer than this, whatever happens; 0: no bound. Default 5,000, or what `deadlineMs` and twice
   * `runLimitMs` come to with a second more, if that is longer: a limit must have its time to show.
   */
  readonly timeoutMs?: number;
  /** Threads that run the function at first. Default 1. */
  readonly instances?: number;
  /** Threads at most, 62 or fewer. The controller adds and takes back what the load asks for. Default: the cores of the machine. */
  readonly instancesMax?: number;
  /** Calls in progress at a time on one thread: 2 or more for a function that awaits. Default 1. */
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

/** What options are where they are not given; `timeoutMs` at least, and `instancesMax` is the cores of the machine. */
export const defaultIsolateOptions = {
  export: 'default',
  runLimitMs: 1_000,
  deadlineMs: 500,
  timeoutMs: 5_000,
  instances: 1,
  concurrency: 1,
  heapMaxMiB: 256,
} as const;

/** By how much the default `timeoutMs` exceeds what waiting and running may take: for the thread that is replaced. */
const timeoutMarginMs = 1_000;
/** Threads of a process that do not run the function: that of the caller, and one that is kept ready for a clone. */
const otherThreads = 2;
const threads: NumberRule = {
  ...msuRules['instances.max'],
  unit: 'threads',
  max: defaultLimits.threadsMax - otherThreads,
};

const rules: Readonly<Record<Exclude<keyof ResolvedIsolateOptions, 'moduleUrl' | 'export'>, NumberRule>> = {
  runLimitMs: msuRules.runLimitMs,
  deadlineMs: msuRules.deadlineMs,
  timeoutMs: portRules.timeoutMs,
  instances: threads,
  instancesMax: threads,
  concurrency: msuRules.concurrency,
  heapMaxMiB: limitRules.threadHeapMaxMiB,
};
const names = ['export', 'onLog', ...Object.keys(rules)];

/** Fills in defaults. Throws `SHOAL_BAD_CALL` that lists everything wrong. */
export function resolveIsolateOptions(
  url: string | URL,
  options: IsolateOptions,
  cores: number,
): ResolvedIsolateOptions {
  const wrong: string[] = [];
  if (!(url instanceof URL || (typeof url === 'string' && URL.canParse(url))))
    wrong.push("the first argument must be the URL of a module: new URL('./search.js', import.meta.url)");
  if (typeof options !== 'object' || options === null) {
    wrong.push('the second argument must be an object of options');
    throw badOptions(wrong);
  }
  const given = options as Readonly<Record<string, unknown>>;
  for (const name of Object.keys(given)) {
    if (names.includes(name)) continue;
    const near = nearestName(name, names);
    wrong.push(`there is no option '${name}'${near === null ? '' : ` (did you mean '${near}'?)`}`);
  }
  for (const [name, rule] of Object.entries(rules)) {
    if (given[name] !== undefined && !meetsRule(given[name], rule))
      wrong.push(`${name} must be ${describeRule(rule)}`);
  }
  if (given.export !== undefined && (typeof given.export !== 'string' || given.export === ''))
    wrong.push('export must be the name of an exported function');
  if (given.onLog !== undefined && typeof given.onLog !== 'function')
    wrong.push('onLog must be a function of a level and a text');
  const defaults = defaultIsolateOptions;
  const runLimitMs = options.runLimitMs ?? defaults.runLimitMs;
  const deadlineMs = options.deadlineMs ?? defaults.deadlineMs;
  const instances = options.instances ?? defaults.instances;
  const resolved: ResolvedIsolateOptions = {
    moduleUrl: String(url),
    export: options.export ?? defaults.export,
    runLimitMs,
    deadlineMs,
    timeoutMs:
      options.timeoutMs ?? Math.max(defaults.timeoutMs, deadlineMs + 2 * runLimitMs + timeoutMarginMs),
    instances,
    instancesMax: options.instancesMax ?? Math.max(instances, Math.min(cores, threads.max)),
    concurrency: options.concurrency ?? defaults.concurrency,
    heapMaxMiB: options.heapMaxMiB ?? defaults.heapMaxMiB,
  };
  if (resolved.instancesMax < resolved.instances)
    wrong.push('instancesMax must not be smaller than instances');
  if (wrong.length > 0) throw badOptions(wrong);
  return resolved;
}

function badOptions(wrong: readonly string[]): ShoalError {
  return new ShoalError('SHOAL_BAD_CALL', `isolate: ${wrong.join('; ')}.`, { wrong });
}
