import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import type { LaunchedProgram, Launcher } from '../attacks/start.ts';
import { nodeProgram, siblingModule } from '../node-program.ts';
import { type LoadOptions, resolveLoadOptions } from './options.ts';
import type { LoadProcessLine } from './process-lines.ts';
import type { LoadResult, LoadSecond } from './result.ts';

export interface StartLoadOptions extends LoadOptions {
  /** Called for each second once every request of it has ended: at most `timeoutMs` after its end. */
  readonly onSecond?: (second: LoadSecond) => void;
  /** Starts the generator's process elsewhere, in a machine of a testbed say. Default: on this machine. */
  readonly launch?: Launcher;
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
  const errors: string[] = [];
  let closing = false;
  let launched: LaunchedProgram | undefined;
  const run = async (): Promise<LoadResult> => {
    const folder = await mkdtemp(path.join(os.tmpdir(), 'shoal-load-'));
    try {
      const optionsFile = path.join(folder, 'options.json');
      await writeFile(optionsFile, JSON.stringify(resolved));
      const program = nodeProgram(siblingModule('./main', import.meta.url), [optionsFile]);
      const launch = options.launch ?? createLocalLauncher(errors);
      launched = await launch({ name: 'load', ...program });
      if (closing) launched.terminate();
      return await readResult(launched, errors, options.onSecond ?? (() => undefined));
    } finally {
      await rm(folder, { recursive: true });
    }
  };
  const done = run();
  const settled = done.then(
    () => undefined,
    () => undefined,
  );
  const close = async (): Promise<void> => {
    closing = true;
    launched?.terminate();
    await settled;
  };
  return { done, close, [Symbol.asyncDispose]: close };
}

/** Starts a program here; its error output is collected for the error message. */
function createLocalLauncher(errors: string[]): Launcher {
  return async ({ command, args }) => {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    child.stderr.on('data', (bytes: Buffer) => errors.push(bytes.toString()));
    const exited = new Promise<void>((resolve) => {
      child.once('close', () => resolve());
    });
    await new Promise<void>((resolve, reject) => {
      child.once('spawn', resolve);
      child.once('error', (error) => reject(new LoadProcessError(`the load generator: ${error.message}`)));
    });
    return { pid: child.pid ?? -1, stdout: child.stdout, exited, terminate: () => child.kill('SIGTERM') };
  };
}

async function readResult(
  launched: LaunchedProgram,
  errors: readonly string[],
  onSecond: (second: LoadSecond) => void,
): Promise<LoadResult> {
  let result: LoadResult | undefined;
  for await (const text of createInterface({ input: launched.stdout })) {
    const line = JSON.parse(text) as LoadProcessLine;
    if (line.type === 'second') onSecond(line.second);
    if (line.type === 'result') result = line.result;
  }
  await launched.exited;
  if (result !== undefined) return result;
  const reason = errors.join('').slice(-stderrMaxCharacters).trim();
  throw new LoadProcessError(`the load generator ended without a result: ${reason}`);
}
