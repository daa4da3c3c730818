import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { type LoadOptions, resolveLoadOptions } from './options.ts';
import type { LoadProcessLine } from './process-lines.ts';
import type { LoadResult, LoadSecond } from './result.ts';

/** The program to run for a load generator process; its argument may be a file of resolved options. */
export const loadProgramPath: string = fileURLToPath(
  new URL(import.meta.url.endsWith('.ts') ? './main.ts' : './main.js', import.meta.url),
);

export interface StartLoadOptions extends LoadOptions {
  /** Called for each second once every request of it has ended: at most `timeoutMs` after its end. */
  readonly onSecond?: (second: LoadSecond) => void;
  /**
   * Put before the command, to start the generator elsewhere: `['ip', 'netns', 'exec', 'client']`.
   * Default: nothing.
   */
  readonly launcher?: readonly string[];
}

/** A load generator in a process of its own. */
export interface Load {
  /** The figures of the whole load. Rejects with `LoadProcessError` if the generator's process fails. */
  readonly done: Promise<LoadResult>;
  /** Ends the load early and waits for its process; `done` still gives the figures until then. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** The generator's process ended without a result. */
export class LoadProcessError extends Error {
  readonly code = 'LAB_LOAD_PROCESS';
}

/** How much of the generator's error output is kept for its error message. */
const stderrMaxCharacters = 4_000;

/**
 * Starts a load in its own process, so that it shares no event loop with what it measures.
 * @throws LoadOptionsError at once when the options cannot be used.
 */
export function startLoad(options: StartLoadOptions): Load {
  const resolved = resolveLoadOptions(options);
  const command = [...(options.launcher ?? []), process.execPath, ...process.execArgv, loadProgramPath];
  const child = spawn(command[0]!, command.slice(1), { stdio: ['pipe', 'pipe', 'pipe'] });
  // A generator that cannot start tells so by its exit, not by a broken pipe.
  child.stdin.on('error', () => undefined);
  child.stdin.end(JSON.stringify(resolved));
  const exited = new Promise<void>((resolve) => {
    child.once('close', () => resolve());
    child.once('error', () => resolve());
  });
  const done = readResult(child, exited, options.onSecond ?? (() => undefined));
  const close = async (): Promise<void> => {
    child.kill('SIGTERM');
    await exited;
  };
  return { done, close, [Symbol.asyncDispose]: close };
}

async function readResult(
  child: ChildProcess,
  exited: Promise<void>,
  onSecond: (second: LoadSecond) => void,
): Promise<LoadResult> {
  let errors = '';
  let failure: Error | undefined;
  child.stderr!.on('data', (bytes: Buffer) => {
    errors = `${errors}${bytes.toString()}`.slice(-stderrMaxCharacters);
  });
  child.once('error', (error) => {
    failure = error;
  });
  let result: LoadResult | undefined;
  for await (const text of createInterface({ input: child.stdout! })) {
    const line = JSON.parse(text) as LoadProcessLine;
    if (line.type === 'second') onSecond(line.second);
    if (line.type === 'result') result = line.result;
  }
  await exited;
  if (result !== undefined) return result;
  throw new LoadProcessError(
    `the load generator ended without a result: ${failure?.message ?? errors.trim()}`,
  );
}
