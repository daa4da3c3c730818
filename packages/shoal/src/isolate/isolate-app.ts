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
import { enableTypeScript } from '../runtime/typescript.ts';
import { type CallResult, describeThrown } from './call-result.ts';
import type { ResolvedIsolateOptions } from './options.ts';

const args = value<unknown[]>();
const result = value<CallResult>();

export type CallPort = RequestPort<unknown[], CallResult>;
type CallerMsu = MsuType<Record<never, never>, { readonly call: Requests<unknown[], CallResult> }>;
type FunctionMsu = MsuType<{ readonly call: Serves<unknown[], CallResult> }>;
type AnyFunction = (...values: unknown[]) => unknown;

function defineFunction(options: ResolvedIsolateOptions): FunctionMsu {
  return defineMsu({
    name: 'function',
    execution: options.concurrency > 1 ? 'async' : 'sync',
    concurrency: options.concurrency,
    // Calls have no order among each other; short ones should not wait behind those of an attack.
    order: 'sjf',
    runLimitMs: options.runLimitMs,
    deadlineMs: options.deadlineMs,
    instances: { initial: options.instances, min: options.instances, max: options.instancesMax },
    // Code that may run away is the restart policy's daily bread here: an attack must not use it up.
    restart: { intensity: 1_000, periodMs: 10_000 },
    in: { call: serves(args, result) },
    async create(context) {
      const wanted = await loadFunction(options);
      let isHintDue = options.concurrency === 1;
      return {
        call: (values) => {
          const result = call(wanted, values);
          if (isHintDue && 'then' in result) {
            isHintDue = false;
            context.log('warn', oneAtATime);
          }
          return result;
        },
      };
    },
  });
}

const oneAtATime =
  'the function awaits, and is called once at a time on a thread: with a concurrency of 2 or more its thread serves others meanwhile, and it is cloned when they queue';

/** Throws `SHOAL_START_FAILED` without a stack of ours: what it says is all there is to know. */
async function loadFunction({ moduleUrl, export: name }: ResolvedIsolateOptions): Promise<AnyFunction> {
  let module: Record<string, unknown>;
  try {
    enableTypeScript(moduleUrl);
    module = (await import(moduleUrl)) as Record<string, unknown>;
  } catch (error) {
    const { stack, name: kind, message } = describeThrown(error, import.meta.url);
    const text = (stack === '' ? `${kind}: ${message}` : stack)
      .replace(` imported from ${import.meta.filename}`, '')
      .replaceAll(/\n +at [^\n]*node:internal[^\n]*/g, '');
    throw startFailed(`its module cannot be loaded: ${text}`);
  }
  // Of a CommonJS module Node knows the names only where it can read them off the source; all are in its default.
  const inDefault = (typeof module.default === 'object' ? module.default : null) as typeof module | null;
  const wanted = module[name] ?? inDefault?.[name];
  if (typeof wanted === 'function') return wanted as AnyFunction;
  const exported = { ...inDefault, ...module };
  const names = Object.keys(exported).filter((key) => typeof exported[key] === 'function');
  throw startFailed(
    wanted === undefined
      ? `its module has no export of that name; the functions it exports: ${names.join(', ') || 'none'}`
      : `this export is not a function; the functions of its module: ${names.join(', ') || 'none'}`,
  );
}

function startFailed(message: string): ShoalError {
  const error = new ShoalError('SHOAL_START_FAILED', message);
  error.stack = message;
  return error;
}

function call(wanted: AnyFunction, values: unknown[]): CallResult | PromiseLike<CallResult> {
  const thrown = (error: unknown): CallResult => [null, describeThrown(error, import.meta.url)];
  try {
    const value = wanted(...values);
    if (typeof (value as PromiseLike<unknown> | null)?.then !== 'function') return [value];
    return (value as PromiseLike<unknown>).then((settled): CallResult => [settled], thrown);
  } catch (error) {
    return thrown(error);
  }
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
