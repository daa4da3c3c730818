/**
 * `isolate`: makes one exported function of an existing program an MSU type: run on threads of its own, cloned
 * when it is overwhelmed, stopped when it runs away, refused or shed when it is late. The way in for a fastify or
 * express app with one dangerous function.
 */
import { availableParallelism } from 'node:os';
import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads';
import { defaultLimits, ShoalError } from '../model/index.ts';
import { createGuest } from '../runtime/guest.ts';
import { endWorker } from '../runtime/node-faults.ts';
import { Calls } from './calls.ts';
import { type CallPort, createIsolateApp, isolateGraph } from './isolate-app.ts';
import type { HostReport, HostStart } from './isolate-host.ts';
import { type IsolateOptions, type ResolvedIsolateOptions, resolveIsolateOptions } from './options.ts';

const entry = new URL(
  import.meta.url.endsWith('.ts') ? './isolate-host.ts' : './isolate-host.js',
  import.meta.url,
);

/** The function's module may take so long to load, once for each of the first instances, before it counts as stuck. */
const loadMaxMs = 10_000;

/** An isolated function: call it like the original; what it returns comes as a promise. */
export interface Isolated<A extends unknown[], R> extends AsyncDisposable {
  /**
   * Arguments and result are copied (MessagePack): data, no functions, no shared objects; 256 KiB at most. Rejects with
   * `SHOAL_OVERLOADED` (refused, or waited too long: answer 503), `SHOAL_CALL_FAILED` (it threw: `cause` is what; or ran
   * over its limit, lost its thread, took longer than `timeoutMs`, was closed: see `facts.reason`) or `SHOAL_BAD_CALL`
   * (the arguments cannot be carried).
   */
  (...args: A): Promise<Awaited<R>>;
  /** Stops its threads. Calls in progress, and calls from now on, are rejected at once with `SHOAL_CALL_FAILED`. */
  close(): Promise<void>;
}

/**
 * Isolates an exported function.
 *
 * @param url module of the function: `new URL('./search.js', import.meta.url)`
 * @returns when its threads are ready. Throws `SHOAL_BAD_CALL` for wrong options, `SHOAL_START_FAILED` where the
 *   module or the function cannot be loaded.
 */
// biome-ignore lint/suspicious/noExplicitAny: any function at all; the default keeps `isolate(url)` callable.
export async function isolate<F extends (...args: any[]) => unknown>(
  url: string | URL,
  options: IsolateOptions = {},
): Promise<Isolated<Parameters<F>, ReturnType<F>>> {
  const resolved = resolveIsolateOptions(url, options, availableParallelism());
  const link = new MessageChannel();
  const control = new MessageChannel();
  const onLog = options.onLog ?? (() => {});
  let port: CallPort | null = null;
  const guest = createGuest({
    app: createIsolateApp(resolved, (callPort) => {
      port = callPort;
    }),
    graph: isolateGraph(resolved),
    limits: { ...defaultLimits, threadHeapMaxMiB: resolved.heapMaxMiB },
    port: link.port1,
    onLog,
  });
  const workerData: HostStart = {
    options: resolved,
    guestBlock: guest.block,
    guestPort: link.port2,
    controlPort: control.port2,
  };
  const host = new Worker(entry, {
    workerData,
    transferList: [link.port2, control.port2],
    name: 'shoal-isolate',
  });
  const letGo = (): void => {
    guest.close();
    link.port1.close();
    control.port1.close();
  };
  const ended = hostEnd(host);
  try {
    await started(control.port1, ended, onLog, resolved);
  } catch (error) {
    letGo();
    await endWorker(host);
    throw error;
  }
  const calls = new Calls(port as unknown as CallPort, resolved, control.port1);
  let closing: Promise<void> | null = null;
  void ended.then((why) => {
    if (closing !== null) return;
    calls.end('thread-lost', why);
    letGo();
    onLog('error', `${why}: no call can be made any more`);
  });
  const close = (): Promise<void> => {
    calls.end('closed', 'it was closed');
    closing ??= closeHost(host, control.port1, ended).then(letGo);
    return closing;
  };
  // A program that has nothing else to do ends; the threads behind its functions do not keep it.
  for (const handle of [host, link.port1, control.port1]) handle.unref();
  const call = (...args: unknown[]): Promise<unknown> => calls.make(args);
  return Object.assign(call, { close, [Symbol.asyncDispose]: close }) as Isolated<
    Parameters<F>,
    ReturnType<F>
  >;
}

/** Resolves when the host has ended, with why. */
function hostEnd(host: Worker): Promise<string> {
  let error: Error | null = null;
  host.once('error', (thrown) => {
    error = thrown;
  });
  return new Promise((resolve) => {
    host.once('exit', (code) => {
      const how = error === null ? `with code ${code}` : `of ${error.stack ?? error.message}`;
      resolve(`the thread that looks after its threads has ended ${how}`);
    });
  });
}

async function started(
  control: MessagePort,
  ended: Promise<string>,
  onLog: (level: string, text: string) => void,
  { export: name, moduleUrl, instances }: ResolvedIsolateOptions,
): Promise<void> {
  const maxMs = loadMaxMs * instances;
  let timer: NodeJS.Timeout | undefined;
  const failure = await new Promise<string | null>((resolve) => {
    control.on('message', (report: HostReport) => {
      if (report.kind === 'started') resolve(null);
      else if (report.kind === 'log') onLog(report.level, report.text);
      else if (report.kind === 'failed') resolve(report.message);
    });
    void ended.then(resolve);
    timer = setTimeout(resolve, maxMs, `its module is not loaded after ${maxMs.toLocaleString('en-US')} ms`);
  });
  clearTimeout(timer);
  if (failure === null) return;
  throw new ShoalError('SHOAL_START_FAILED', `isolate: '${name}' of ${moduleUrl} cannot be run: ${failure}`);
}

async function closeHost(host: Worker, control: MessagePort, ended: Promise<unknown>): Promise<void> {
  const closed = new Promise<void>((resolve) => {
    control.on('message', (report: HostReport) => {
      if (report.kind === 'closed') resolve();
    });
  });
  control.ref();
  control.postMessage({ kind: 'close' });
  await Promise.race([closed, ended]);
  await endWorker(host);
}
