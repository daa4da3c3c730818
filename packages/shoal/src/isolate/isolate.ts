/**
 * `isolate`: makes one exported function of an existing program an MSU type: run on threads of its own, cloned
 * when it is overwhelmed, stopped when it runs away, refused or shed when it is late. The way in for a fastify or
 * express app with one dangerous function.
 */
import { availableParallelism } from 'node:os';
import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads';
import { defaultLimits, type Reply, type RequestPort, ShoalError } from '../model/index.ts';
import { createGuest, endIdleWorker, type Guest } from '../runtime/index.ts';
import { createIsolateApp, isolateGraph } from './isolate-app.ts';
import type { HostReport, HostStart } from './isolate-host.ts';
import { type IsolateOptions, type ResolvedIsolateOptions, resolveIsolateOptions } from './options.ts';

const entry = new URL(
  import.meta.url.endsWith('.ts') ? './isolate-host.ts' : './isolate-host.js',
  import.meta.url,
);

/** An isolated function: call it like the original; what it returns comes as a promise. */
export interface Isolated<A extends unknown[], R> extends AsyncDisposable {
  /**
   * Arguments and result are carried as structured values (MessagePack): no functions, no shared objects.
   * Rejects with `SHOAL_OVERLOADED` (refused, or waited too long: answer 503) or `SHOAL_CALL_FAILED` (it threw, ran
   * over its limit, or its thread was lost).
   */
  (...args: A): Promise<Awaited<R>>;
  /** Stops its threads. Calls in progress fail. */
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
  const guestLink = new MessageChannel();
  const control = new MessageChannel();
  const onLog = options.onLog ?? (() => {});
  let port: RequestPort<unknown[], unknown> | null = null;
  const guest = createGuest({
    app: createIsolateApp(resolved, (callPort) => {
      port = callPort;
    }),
    graph: isolateGraph(resolved),
    limits: { ...defaultLimits, threadHeapMaxMiB: resolved.heapMaxMiB },
    port: guestLink.port1,
    onLog,
  });
  const workerData: HostStart = {
    options: resolved,
    guestBlock: guest.block,
    guestPort: guestLink.port2,
    controlPort: control.port2,
  };
  const host = new Worker(entry, {
    workerData,
    transferList: [guestLink.port2, control.port2],
    name: 'shoal-isolate',
  });
  await started(host, control.port1, onLog);
  let calls = 0;
  const call = (...args: unknown[]): Promise<unknown> =>
    new Promise((resolve, reject) => {
      // A program that waits for a call must not end meanwhile.
      if (calls++ === 0) control.port1.ref();
      (port as RequestPort<unknown[], unknown>).ask(args, (reply) => {
        if (--calls === 0) control.port1.unref();
        settle(reply, resolved, resolve, reject);
      });
    });
  const close = (): Promise<void> => closeHost(host, guest, guestLink.port1, control.port1);
  // A program that has nothing else to do ends; the threads behind its functions do not keep it.
  for (const handle of [host, guestLink.port1, control.port1]) handle.unref();
  return Object.assign(call, { close, [Symbol.asyncDispose]: close }) as Isolated<
    Parameters<F>,
    ReturnType<F>
  >;
}

function started(
  host: Worker,
  control: MessagePort,
  onLog: (level: string, text: string) => void,
): Promise<void> {
  return new Promise((resolve, reject) => {
    control.on('message', (report: HostReport) => {
      if (report.kind === 'started') resolve();
      else if (report.kind === 'log') onLog(report.level, report.text);
      else if (report.kind === 'failed') reject(new ShoalError('SHOAL_START_FAILED', report.message));
    });
    host.once('error', reject);
    host.once('exit', (code) => {
      reject(new ShoalError('SHOAL_START_FAILED', `The isolated function's host ended with code ${code}.`));
    });
  });
}

async function closeHost(host: Worker, guest: Guest, link: MessagePort, control: MessagePort): Promise<void> {
  const closed = new Promise<void>((resolve) => {
    control.on('message', (report: HostReport) => {
      if (report.kind === 'closed') resolve();
    });
    host.once('exit', () => resolve());
  });
  control.ref();
  control.postMessage({ kind: 'close' });
  await closed;
  guest.close();
  link.close();
  control.close();
  await endIdleWorker(host);
}

function settle(
  reply: Reply<unknown>,
  options: ResolvedIsolateOptions,
  resolve: (value: unknown) => void,
  reject: (error: Error) => void,
): void {
  const facts = { function: options.export, ...reply };
  switch (reply.outcome) {
    case 'done':
      resolve(reply.value);
      return;
    case 'refused':
    case 'shed':
      reject(
        new ShoalError(
          'SHOAL_OVERLOADED',
          `'${options.export}' is overloaded: the call was ${reply.outcome} (${reply.reason}).`,
          facts,
        ),
      );
      return;
    case 'failed': {
      const detail = reply.detail === '' ? '' : `: ${reply.detail}`;
      reject(
        new ShoalError('SHOAL_CALL_FAILED', `'${options.export}' failed (${reply.reason})${detail}`, facts),
      );
      return;
    }
    case 'timeout':
      reject(
        new ShoalError(
          'SHOAL_CALL_FAILED',
          `'${options.export}' did not answer within ${options.timeoutMs} ms.`,
          facts,
        ),
      );
      return;
  }
}
