/** The three deployments, each started as its user would start it, on the same two cores. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { LabError } from '../lab-error.ts';
import { nodeProgram } from '../node-program.ts';
import type { DeploymentName } from './plan.ts';

export interface DemoServer {
  readonly name: DeploymentName;
  readonly port: number;
  readonly pid: number;
  /** Where a Shoal process left word of its control endpoint; null for the others. */
  readonly control: { readonly origin: string; readonly token: string } | null;
  /** Throws, with its last words, if it has ended by itself. */
  mustRun(): void;
  /** What it said last. */
  lastWords(): string;
  /** Ends it: orderly, or at once after a while. */
  close(): Promise<void>;
}

export interface ServerPlace {
  /** Private folder of this run, for the files that say where a Shoal process has its control endpoint. */
  readonly folder: string;
}

/** Characters kept of what a server says. */
const lastWordsMax = 3_000;
/** Cores of every deployment. */
const coreCount = 2;
/** A server that is not up after so long will not come up. */
const startMaxMs = 20_000;
/** A server that does not end by itself (a long queue of hostile work) is ended. */
const stopMaxMs: Readonly<Record<DeploymentName, number>> = {
  monolith: 300,
  cluster: 300,
  shoal: 12_000,
};

const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
const webServer = (file: string): URL =>
  new URL(
    `../../../apps/web-server/${extension === 'ts' ? 'src' : 'dist'}/${file}.${extension}`,
    import.meta.url,
  );

/** Command line of a deployment, before pinning. */
function program(name: DeploymentName, runFolder: string): { command: string; args: readonly string[] } {
  switch (name) {
    case 'monolith':
      return nodeProgram(webServer('baseline/monolith-main'));
    case 'cluster':
      return nodeProgram(webServer('baseline/cluster-main'));
    case 'shoal': {
      const cli = new URL(`cli/main.${extension}`, import.meta.resolve('shoal'));
      return nodeProgram(cli, ['run', fileURLToPath(webServer('app')), '--json', '--run', runFolder]);
    }
  }
}

/** True if there are more cores than a deployment gets, and the means to hold it to them. */
function needsPinning(): boolean {
  if (os.availableParallelism() <= coreCount) return false;
  try {
    execFileSync('taskset', ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    throw new LabError(
      'This machine has more than two cores: install taskset (Debian: util-linux) to compare fairly.',
    );
  }
}

/** Starts a deployment on a free port; resolves when it serves. */
export async function startServer(name: DeploymentName, place: ServerPlace): Promise<DemoServer> {
  // Of its own: a process that was ended hard leaves its file behind.
  const runFolder = mkdtempSync(path.join(place.folder, `run-${name}-`));
  const { command, args } = program(name, runFolder);
  const full = needsPinning()
    ? ['taskset', '-c', `0-${coreCount - 1}`, command, ...args]
    : [command, ...args];
  const child = spawn(full[0]!, full.slice(1), {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, SHOAL_WEB_PORT: '0' },
  });
  const exited = new Promise<void>((resolve) => child.once('close', () => resolve()));
  let words = '';
  const listen = (bytes: Buffer): void => {
    words = (words + bytes.toString()).slice(-lastWordsMax);
  };
  child.stdout.on('data', listen);
  child.stderr.on('data', listen);
  const port = await listeningPort(name, child, exited);
  return {
    name,
    port,
    pid: child.pid!,
    control: name === 'shoal' ? readControl(runFolder) : null,
    mustRun: () => {
      if (child.exitCode === null && child.signalCode === null) return;
      throw new LabError(
        `${name} ended by itself (${child.exitCode ?? child.signalCode}). Its last words:\n${words}`,
      );
    },
    lastWords: () => words,
    close: async () => {
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), stopMaxMs[name]);
      await exited;
      clearTimeout(timer);
    },
  };
}

function listeningPort(name: DeploymentName, child: ChildProcess, exited: Promise<void>): Promise<number> {
  return new Promise((resolve, reject) => {
    let errors = '';
    let port = 0;
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      reject(new LabError(`${name} did not start within ${startMaxMs / 1_000} s: ${errors}`));
    }, startMaxMs);
    child.stderr!.on('data', (bytes: Buffer) => {
      errors = (errors + bytes.toString()).slice(-2_000);
    });
    createInterface({ input: child.stdout! }).on('line', (line) => {
      const listening = /listening on [\w:/.]+:(\d+)/.exec(line);
      if (listening !== null) port = Number(listening[1]);
      const isUp = name === 'shoal' ? /app .*web-server.* runs/.test(line) : listening !== null;
      if (!isUp) return;
      clearTimeout(timer);
      resolve(port);
    });
    void exited.then(() => {
      clearTimeout(timer);
      reject(new LabError(`${name} ended while starting: ${errors}`));
    });
  });
}

function readControl(folder: string): { origin: string; token: string } {
  const file = readdirSync(folder).find((candidate) => candidate.endsWith('.json'));
  if (file === undefined) throw new LabError('Shoal left no word of its control endpoint.');
  const run = JSON.parse(readFileSync(path.join(folder, file), 'utf8')) as { port: number; token: string };
  return { origin: `http://127.0.0.1:${run.port}`, token: run.token };
}
