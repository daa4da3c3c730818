/** For tests: runs the real `shoal` command, from source or from `dist`, as the test itself runs. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const main: string = fileURLToPath(
  new URL(import.meta.url.endsWith('.ts') ? './main.ts' : './main.js', import.meta.url),
);
/** Folder of the fixtures of the package. */
export const fixtures: string = path.resolve(import.meta.dirname, '../../fixtures');

export interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A command that runs. */
export interface Running {
  readonly child: ChildProcess;
  /**
   * Resolves with all output so far when it contains `text`, looked for behind its first `from` characters (default 0);
   * rejects if the command ends before.
   */
  seen(text: string, from?: number): Promise<string>;
  readonly ended: Promise<Ended>;
}

/** Commands that run. */
const started = new Set<ChildProcess>();

/** Kills the commands that still run: those of a test that failed must not be seen by the next one. */
export async function killCommands(): Promise<void> {
  await Promise.all(
    [...started].map((child) => {
      child.kill('SIGKILL');
      return once(child, 'close');
    }),
  );
}

/** Looks again until it is true; throws when it is not after 30 seconds. */
export async function waitUntil(what: string, look: () => Promise<boolean>): Promise<void> {
  const endsAt = performance.now() + 30_000;
  while (!(await look())) {
    if (performance.now() > endsAt) throw new Error(`not within 30 s: ${what}`);
    await sleep(20);
  }
}

/** The words of a command line that runs `shoal` with these arguments. */
export function commandLine(args: readonly string[]): string[] {
  const flags = process.execArgv.filter((arg) => !arg.startsWith('--test'));
  return [process.execPath, ...flags, main, ...args];
}

/** Starts `shoal` with these arguments. */
export function startCommand(args: readonly string[], env: NodeJS.ProcessEnv = {}): Running {
  const [program = '', ...words] = commandLine(args);
  const child = spawn(program, words, {
    env: { ...process.env, NODE_NO_WARNINGS: '1', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const kill = (): void => void child.kill('SIGKILL');
  process.once('exit', kill);
  started.add(child);
  let stdout = '';
  let stderr = '';
  const watchers = new Set<() => void>();
  const look = (): void => {
    for (const watcher of watchers) watcher();
  };
  child.stdout?.on('data', (chunk: Buffer) => {
    stdout += chunk.toString('utf8');
    look();
  });
  child.stderr?.on('data', (chunk: Buffer) => {
    stderr += chunk.toString('utf8');
    look();
  });
  const ended = new Promise<Ended>((resolve) => {
    child.once('close', (status) => {
      process.off('exit', kill);
      started.delete(child);
      resolve({ status, stdout, stderr });
    });
  });
  return {
    child,
    ended,
    seen: (text, from = 0) =>
      new Promise((resolve, reject) => {
        const watcher = (): void => {
          if (!`${stdout}${stderr}`.includes(text, from)) return;
          watchers.delete(watcher);
          resolve(`${stdout}${stderr}`);
        };
        watchers.add(watcher);
        watcher();
        void ended.then(() => reject(new Error(`ended without "${text}": ${stdout}${stderr}`)));
      }),
  };
}

/** Runs `shoal` with these arguments to its end. */
export function command(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Ended> {
  return startCommand(args, env).ended;
}
