/** For tests: runs the real `shoal` command, from source or from `dist`, as the test itself runs. */
import { type ChildProcess, spawn } from 'node:child_process';
import path from 'node:path';
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
  /** Resolves with all output so far when it contains `text`; rejects if the command ends before. */
  seen(text: string): Promise<string>;
  readonly ended: Promise<Ended>;
}

/** Starts `shoal` with these arguments. */
export function startCommand(args: readonly string[], env: NodeJS.ProcessEnv = {}): Running {
  const child = spawn(
    process.execPath,
    [...process.execArgv.filter((arg) => !arg.startsWith('--test')), main, ...args],
    {
      env: { ...process.env, NODE_NO_WARNINGS: '1', ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  const kill = (): void => void child.kill('SIGKILL');
  process.once('exit', kill);
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
      resolve({ status, stdout, stderr });
    });
  });
  return {
    child,
    ended,
    seen: (text) =>
      new Promise((resolve, reject) => {
        const watcher = (): void => {
          if (!`${stdout}${stderr}`.includes(text)) return;
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
