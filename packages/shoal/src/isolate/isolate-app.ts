/**
 * The app behind an isolated function: the calling program's thread (`caller`), and the function as an MSU type.
 * Loaded by MSU threads as their app module, with its settings in the query of its URL.
 */
import {
  type App,
  type AppGraph,
  connect,
  defineApp,
  defineMsu,
  describeApp,
  type MsuType,
  type RequestPort,
  type Requests,
  requests,
  type Serves,
  ShoalError,
  serves,
  value,
} from '../model/index.ts';
import type { ResolvedIsolateOptions } from './options.ts';

const args = value<unknown[]>();
const result = value<unknown>();

type CallPort = RequestPort<unknown[], unknown>;
type CallerMsu = MsuType<Record<never, never>, { readonly call: Requests<unknown[], unknown> }>;
type FunctionMsu = MsuType<{ readonly call: Serves<unknown[], unknown> }>;

function defineFunction(options: ResolvedIsolateOptions): FunctionMsu {
  return defineMsu({
    name: 'function',
    execution: options.concurrency > 1 ? 'async' : 'sync',
    concurrency: options.concurrency,
    runLimitMs: options.runLimitMs,
    deadlineMs: options.deadlineMs,
    instances: { initial: options.instances, min: options.instances, max: options.instancesMax },
    // Code that may run away is the restart policy's daily bread here: an attack must not use it up.
    restart: { intensity: 1_000, periodMs: 10_000 },
    in: { call: serves(args, result) },
    async create() {
      const module = (await import(options.moduleUrl)) as Record<string, unknown>;
      const wanted = module[options.export];
      if (typeof wanted !== 'function') {
        const names = Object.keys(module).filter((name) => typeof module[name] === 'function');
        throw new ShoalError(
          'SHOAL_START_FAILED',
          `${options.moduleUrl} exports no function '${options.export}'; it exports: ${names.join(', ') || 'none'}.`,
        );
      }
      return { call: (values) => wanted(...values) as unknown };
    },
  });
}

/** The app; `onCaller` is given the port by which the calling thread makes its calls. */
export function createIsolateApp(
  options: ResolvedIsolateOptions,
  onCaller: (port: CallPort) => void = () => {},
): App {
  const caller: CallerMsu = defineMsu({
    name: 'caller',
    execution: 'async',
    state: 'pinned',
    instances: { max: 1 },
    out: { call: requests(args, result, { timeoutMs: options.timeoutMs }) },
    create(context) {
      onCaller(context.out.call);
      return {};
    },
  });
  const isolated = defineFunction(options);
  return defineApp({
    name: 'isolate',
    msus: [caller, isolated],
    edges: [connect(caller.out.call, isolated.in.call)],
  });
}

export function isolateGraph(options: ResolvedIsolateOptions): AppGraph {
  return describeApp(createIsolateApp(options));
}

/** URL of this module with the settings, as the app of MSU threads. */
export function isolateAppUrl(options: ResolvedIsolateOptions): string {
  const url = new URL(import.meta.url);
  url.search = new URLSearchParams({ options: JSON.stringify(options) }).toString();
  return url.href;
}

const given = new URL(import.meta.url).searchParams.get('options');
const app: App | null = given === null ? null : createIsolateApp(JSON.parse(given) as ResolvedIsolateOptions);
export default app;
