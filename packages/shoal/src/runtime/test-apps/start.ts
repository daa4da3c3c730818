// What tests of the runtime share: start an app beside them, wait for what it logs, read the reports.
import { Worker } from 'node:worker_threads';
import { type InstanceId, instanceId, processId } from '../../model/index.ts';
import type { CommandBody, CommandResult, InstanceSample, Report, RuntimeEvent } from '../../wire/index.ts';
import { type Runtime, type RuntimeOptions, startRuntime } from '../runtime.ts';

export interface Logged {
  readonly level: string;
  readonly text: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

export interface TestRuntime {
  readonly runtime: Runtime;
  readonly logged: readonly Logged[];
  readonly events: readonly RuntimeEvent[];
  /** Samples of the last report. */
  instances(msu: string): InstanceSample[];
  readonly last: () => Report;
  /** Resolves with what `find` finds, looked for with every report. Throws after `maxMs`. */
  until<T>(what: string, find: () => T | undefined | false, maxMs?: number): Promise<T>;
  /** The fields of the app's own `result` line of a name. */
  result(name: string): Promise<Readonly<Record<string, unknown>>>;
  command(body: CommandBody, epoch?: number, commandId?: string): Promise<CommandResult>;
}

/** URL of a test app, from source or from dist, whichever runs. */
export function appUrl(name: string): URL {
  return new URL(`./${name}.${import.meta.url.endsWith('.ts') ? 'ts' : 'js'}`, import.meta.url);
}

/** `app`: the name of a test app, or a URL. */
export async function startApp(
  app: string | URL,
  options: Omit<Partial<RuntimeOptions>, 'appUrl' | 'log'> = {},
): Promise<TestRuntime> {
  const logged: Logged[] = [];
  const events: RuntimeEvent[] = [];
  let last: Report | null = null;
  let commands = 0;
  const runtime = await startRuntime({
    samplePeriodMs: 20,
    spareThreads: 0,
    ...options,
    appUrl: typeof app === 'string' ? appUrl(app) : app,
    log: (level, text, fields) => logged.push({ level, text, fields }),
  });
  runtime.bus.onReport((report) => {
    last = report;
    events.push(...report.events);
  });
  const report = (): Report => {
    if (last === null) throw new Error('there is no report yet');
    return last;
  };
  const until: TestRuntime['until'] = async (what, find, maxMs = 15_000) => {
    const endsAt = performance.now() + maxMs;
    for (;;) {
      const found = last === null ? undefined : find();
      if (found !== undefined && found !== false) return found;
      if (performance.now() > endsAt) {
        const tail = logged.slice(-5).map(({ text }) => text);
        throw new Error(`no ${what} within ${maxMs} ms; last lines: ${tail.join(' | ')}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  };
  return {
    runtime,
    logged,
    events,
    last: report,
    instances: (msu) => report().instances.filter((sample) => sample.msu === msu),
    until,
    result: (wanted) =>
      until(
        `result '${wanted}'`,
        () => logged.find(({ text, fields }) => text === 'result' && fields.name === wanted)?.fields,
      ),
    command: (body, epoch = 1, commandId = `command-${++commands}`) =>
      runtime.bus.send({ commandId, epoch, process: processId('main'), body }),
  };
}

/** Every accepted message ended, once: what is left over is in the answer. Empty: the counts add up. */
export function unaccounted(report: Report): string[] {
  return report.instances.flatMap((sample) => {
    const sum = (counts: Readonly<Record<string, number | undefined>>): number =>
      Object.values(counts).reduce<number>((total, count) => total + (count ?? 0), 0);
    const ended = sample.done + sum(sample.failed) + sum(sample.shed);
    return ended === sample.accepted
      ? []
      : [`${sample.msu}#${sample.instanceId}: ${sample.accepted} accepted, ${ended} ended`];
  });
}

/** Every worker that is posted something: the threads of the runtime, to be killed from outside. */
export function watchWorkers(): { readonly workers: Set<Worker>; stop(): void } {
  const workers = new Set<Worker>();
  const { postMessage } = Worker.prototype;
  Worker.prototype.postMessage = function (this: Worker, ...args: Parameters<typeof postMessage>): void {
    if (!workers.has(this)) this.once('exit', () => workers.delete(this));
    workers.add(this);
    postMessage.apply(this, args);
  };
  return { workers, stop: () => Object.assign(Worker.prototype, { postMessage }) };
}

export const id = (n: number): InstanceId => instanceId(n);
