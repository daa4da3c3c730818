// What tests of a controlled runtime share: an app beside the test, under the deployment that is derived for it.
import { type Controller, createController } from '../../controller/index.ts';
import { type App, type ControllerPolicy, deriveDeployment, describeApp } from '../../model/index.ts';
import { type Runtime, startRuntime } from '../../runtime/index.ts';
import { createSeededRandom } from '../../testing/index.ts';
import type { Report } from '../../wire/index.ts';

export interface ControlledApp {
  readonly runtime: Runtime;
  readonly controller: Controller;
  /** Lines of the app itself. */
  readonly logged: readonly { readonly text: string; readonly fields: Readonly<Record<string, unknown>> }[];
  readonly last: () => Report;
  /** Resolves with what `find` finds, looked for with every report. Throws after `maxMs`. */
  until<T>(what: string, find: () => T | undefined | false, maxMs?: number): Promise<T>;
  close(): Promise<void>;
}

export async function startControlled(
  name: string,
  policy: Partial<ControllerPolicy> = {},
): Promise<ControlledApp> {
  const appUrl = new URL(`./${name}.${import.meta.url.endsWith('.ts') ? 'ts' : 'js'}`, import.meta.url);
  const logged: { text: string; fields: Readonly<Record<string, unknown>> }[] = [];
  const { default: described } = (await import(appUrl.href)) as { readonly default: App };
  const graph = describeApp(described);
  const derived = deriveDeployment(graph, { cores: 2 });
  const deployment = { ...derived, samplePeriodMs: 50, policy: { ...derived.policy, ...policy } };
  const runtime = await startRuntime({
    appUrl,
    graph,
    threads: deployment.machines.flatMap(({ processes }) => processes.flatMap(({ threads }) => threads)),
    samplePeriodMs: deployment.samplePeriodMs,
    log: (_, text, fields) => logged.push({ text, fields }),
  });
  let last: Report | null = null;
  let wake: () => void = () => {};
  const controller = createController({
    graph,
    deployment,
    bus: runtime.bus,
    clock: runtime.clock,
    epoch: 1,
    random: createSeededRandom(1),
  });
  runtime.bus.onReport((report) => {
    last = report;
    wake();
  });
  const report = (): Report => {
    if (last === null) throw new Error('there is no report yet');
    return last;
  };
  return {
    runtime,
    controller,
    logged,
    last: report,
    async until(what, find, maxMs = 30_000) {
      const endsAtMs = runtime.clock.now() + maxMs;
      for (;;) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
        const found = find();
        if (found !== undefined && found !== false) return found;
        if (runtime.clock.now() > endsAtMs) {
          const tail = logged.slice(-8).map(({ text }) => text);
          throw new Error(`no ${what} within ${maxMs} ms; last lines: ${tail.join(' | ')}`);
        }
      }
    },
    async close() {
      await controller.close();
      await runtime.close();
    },
  };
}
