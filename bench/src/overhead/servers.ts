/** The servers that the overhead benchmark compares, each a process of its own on the cores it is given. */
import { spawn } from 'node:child_process';
import * as fs from 'node:fs';
import * as os from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

export const systems = ['shoal', 'monolith', 'node:https'] as const;
export type System = (typeof systems)[number];

export interface BenchServer {
  readonly port: number;
  /** Stops it in its tracks, whatever its processes are doing, so that it takes nothing from another. */
  pause(): void;
  resume(): void;
  close(): Promise<void>;
}

const startMaxMs = 20_000;
const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
const flags = extension === 'ts' ? process.execArgv.filter((flag) => !flag.startsWith('--test')) : [];

function webServer(file: string): string {
  const folder = extension === 'ts' ? 'src' : 'dist';
  return fileURLToPath(new URL(`../../../apps/web-server/${folder}/${file}.${extension}`, import.meta.url));
}

/** As Shoal sets it for its threads: or it would be chance whose space for young objects V8 shrinks in a pause. */
const youngObjects = '--min-semi-space-size=8';

function commandOf(system: System, runFolder: string): readonly string[] {
  switch (system) {
    case 'monolith':
      return [youngObjects, webServer('baseline/monolith-main')];
    case 'node:https':
      return [youngObjects, webServer('baseline/https-main')];
    case 'shoal': {
      const cli = fileURLToPath(new URL(`cli/main.${extension}`, import.meta.resolve('shoal')));
      return [cli, 'run', webServer('app'), '--json', '--run', runFolder];
    }
  }
}

/** Starts a server on the cores, as `taskset` names them; resolves when it serves. */
export async function startServer(system: System, cores: string): Promise<BenchServer> {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'shoal-bench-'));
  const args = ['-c', cores, process.execPath, ...flags, ...commandOf(system, folder)];
  const child = spawn('taskset', args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    // A process group of its own, which signals reach as one.
    detached: true,
    // Every system does all of the work: no search is refused for being late.
    env: {
      ...process.env,
      SHOAL_WEB_PORT: '0',
      SHOAL_WEB_SEARCH_DEADLINE_MS: '10000',
      SHOAL_WEB_SEARCH_QUEUE_MAX_MS: '10000',
    },
  });
  let errors = '';
  child.stderr.on('data', (bytes: Buffer) => {
    errors = (errors + bytes.toString()).slice(-2_000);
  });
  const exited = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const signalAll = (signal: NodeJS.Signals): void => {
    try {
      process.kill(-(child.pid as number), signal);
    } catch {
      // All of them have ended.
    }
  };
  // One that is paused would stay for ever.
  const killAll = (): void => {
    signalAll('SIGKILL');
    fs.rmSync(folder, { recursive: true, force: true });
  };
  process.once('exit', killAll);
  const close = async (): Promise<void> => {
    signalAll('SIGCONT');
    child.kill('SIGTERM');
    await exited;
    process.removeListener('exit', killAll);
    fs.rmSync(folder, { recursive: true, force: true });
  };
  const port = await new Promise<number>((resolve, reject) => {
    const timer = setTimeout(() => child.kill('SIGKILL'), startMaxMs);
    let seen = 0;
    createInterface({ input: child.stdout }).on('line', (line) => {
      const listening = /listening on [\w:/.]+:(\d+)/.exec(line);
      if (listening !== null) seen = Number(listening[1]);
      if (system === 'shoal' ? !/app .*web-server.* runs/.test(line) : listening === null) return;
      clearTimeout(timer);
      resolve(seen);
    });
    void exited.then(() => {
      clearTimeout(timer);
      reject(new Error(`${system} did not start: ${errors}`));
    });
  });
  return { port, pause: () => signalAll('SIGSTOP'), resume: () => signalAll('SIGCONT'), close };
}

/** Nothing that this benchmark does takes longer. */
const awakeMaxSeconds = 3_600;

/** Gives the cores something to do whenever they have nothing else to do: every other program goes first. */
export function keepAwake(cores: string): () => void {
  const loop = ['chrt', '--idle', '0', 'taskset', '-c', cores, 'sh', '-c', 'while :; do :; done'];
  const child = spawn('timeout', [`${awakeMaxSeconds}`, ...loop], { stdio: 'ignore' });
  const stop = (): void => void child.kill('SIGTERM');
  process.once('exit', stop);
  return () => {
    process.removeListener('exit', stop);
    stop();
  };
}
