/** Checks an app module with its deployment file, without trusting the module. */
import { fork } from 'node:child_process';
import { existsSync, readFileSync, statSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { type AppGraph, type Deployment, invalidApp, ShoalError } from '../model/index.ts';
import type { CheckRequest, CheckResult } from './check-app-thread.ts';

/** Default of the milliseconds that an app module may take to load. */
export const defaultLoadMaxMs = 10_000;
/** Milliseconds for which the last output of its process is waited for. */
const lastWordsMaxMs = 200;

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

/** The text of a file that is there. Throws `SHOAL_APP_LOAD` if it cannot be read. */
function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    throw new ShoalError('SHOAL_APP_LOAD', `${file} cannot be read: ${text}.`, { file }, error);
  }
}

/** How a process that loads a module ended before it had answered. */
function describeEnd(code: number | null, signal: NodeJS.Signals | null): string {
  const memory = signal === 'SIGABRT' ? ' (it may have taken too much memory)' : '';
  return `ended its process, by ${signal ?? `status ${code}`}, while it was loaded${memory}`;
}

/**
 * Asks a process of its own: a module may loop, throw, exit, fill the memory, or be in native code that nothing but the
 * end of its process ends.
 */
async function ask(request: CheckRequest): Promise<CheckResult> {
  const child = fork(entry, {
    // What the module prints while it is loaded must not get into our own output.
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    serialization: 'advanced',
    execArgv: process.execArgv.filter((arg) => !arg.startsWith('--inspect')),
  });
  child.stdout?.pipe(process.stderr, { end: false });
  child.stderr?.pipe(process.stderr, { end: false });
  const closed = new Promise((resolve) => child.once('close', resolve));
  const result = await new Promise<CheckResult>((resolve) => {
    const failed = (what: string): void => resolve({ kind: 'not-loaded', what });
    child.once('message', (answer) => resolve(answer as CheckResult));
    child.on('error', (error) => failed(`could not be checked: ${error.message}`));
    child.once('exit', (code, signal) => failed(describeEnd(code, signal)));
    child.send(request, () => {});
  });
  child.kill('SIGKILL');
  // What it printed is let through, but not waited for: a process that the module started may hold the pipes.
  const isOver = new AbortController();
  await Promise.race([closed, wait(lastWordsMaxMs, undefined, { signal: isOver.signal })]);
  isOver.abort();
  child.stdout?.destroy();
  child.stderr?.destroy();
  return result;
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
    loadMaxMs,
    deployment: file === null ? null : { file, text: readText(file) },
  };
  const result = await ask(request);
  switch (result.kind) {
    case 'not-loaded':
      throw new ShoalError('SHOAL_APP_LOAD', `The app module ${appFile} ${result.what}.`, { file: appFile });
    case 'problems':
      throw invalidApp(result.problems);
    case 'checked':
      return { appUrl, graph: result.graph, deployment: result.deployment };
  }
}
