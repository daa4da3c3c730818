/** Checks an app module with its deployment file, in a thread of its own: a module may loop, throw, or exit. */
import { existsSync, readFileSync, statSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';
import { type AppGraph, type Deployment, invalidApp, ShoalError } from '../model/index.ts';
import { keepLoopsInterruptible } from '../runtime/index.ts';
import type { CheckRequest, CheckResult } from './check-app-main.ts';

/** Default of the milliseconds that an app module may take to load. */
export const defaultLoadMaxMs = 10_000;
/** Mebibytes of heap that it may take. */
const heapMaxMiB = 512;

const entry: URL = new URL(
  import.meta.url.endsWith('.ts') ? './check-app-main.ts' : './check-app-main.js',
  import.meta.url,
);

/** An app that is right, with its deployment. */
export interface CheckedApp {
  readonly appUrl: string;
  readonly graph: AppGraph;
  readonly deployment: Deployment;
}

/** The path of a file that a command names. Throws `SHOAL_APP_LOAD` if there is none. */
function requireFile(given: string, noun: string): string {
  const file = path.resolve(given);
  if (!existsSync(file)) {
    throw new ShoalError('SHOAL_APP_LOAD', `There is no ${noun} ${file}.`, { file });
  }
  if (!statSync(file).isFile()) {
    throw new ShoalError('SHOAL_APP_LOAD', `${file} is not a file: name the ${noun} itself.`, { file });
  }
  return file;
}

function ask(request: CheckRequest, loadMaxMs: number): Promise<CheckResult> {
  keepLoopsInterruptible();
  const worker = new Worker(entry, {
    name: 'shoal-check',
    workerData: request,
    resourceLimits: { maxOldGenerationSizeMb: heapMaxMiB },
    // What the module prints while it is loaded must not get into our own output.
    stdout: true,
    stderr: true,
  });
  worker.stdout.pipe(process.stderr, { end: false });
  worker.stderr.pipe(process.stderr, { end: false });
  const failed = (what: string): CheckResult => ({ kind: 'not-loaded', what });
  return new Promise<CheckResult>((resolve) => {
    const timer = setTimeout(() => {
      resolve(failed(`did not load within ${loadMaxMs / 1_000} s (does it start something, or loop?)`));
    }, loadMaxMs);
    worker.once('message', resolve);
    worker.once('error', (error: NodeJS.ErrnoException) => {
      const isMemory = error.code === 'ERR_WORKER_OUT_OF_MEMORY';
      resolve(
        failed(isMemory ? `took more than ${heapMaxMiB} MiB of memory to load` : `failed: ${error.message}`),
      );
    });
    worker.once('exit', (code) => resolve(failed(`called process.exit(${code}) while it was loaded`)));
    worker.once('exit', () => clearTimeout(timer));
  }).finally(() => {
    worker.removeAllListeners('error');
    worker.on('error', () => {}); // what comes after the answer is of no interest
    void worker.terminate();
  });
}

/** What a module printed before it failed is let through first. */
function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/**
 * Loads and checks an app module, and resolves its deployment: of `deploymentFile`, or else derived. Throws
 * `SHOAL_APP_LOAD` if it cannot be loaded, `SHOAL_INVALID_APP` with everything that is wrong with it.
 */
export async function checkApp(
  app: string,
  deploymentFile: string | undefined,
  loadMaxMs: number = defaultLoadMaxMs,
): Promise<CheckedApp> {
  const appFile = requireFile(app, 'app module');
  const file = deploymentFile === undefined ? null : requireFile(deploymentFile, 'deployment file');
  const appUrl = pathToFileURL(appFile).href;
  const request: CheckRequest = {
    appUrl,
    cores: os.availableParallelism(),
    deployment: file === null ? null : { file, text: readFileSync(file, 'utf8') },
  };
  const result = await ask(request, loadMaxMs);
  await settle();
  switch (result.kind) {
    case 'not-loaded':
      throw new ShoalError('SHOAL_APP_LOAD', `The app module ${appFile} ${result.what}.`, { file: appFile });
    case 'problems':
      throw invalidApp(result.problems);
    case 'checked':
      return { appUrl, graph: result.graph, deployment: result.deployment };
  }
}
