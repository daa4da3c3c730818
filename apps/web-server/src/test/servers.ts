/** The servers that the contract test runs, each a process of its own, as a user would start it. */
import { type ChildProcess, spawn } from 'node:child_process';
import * as fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { after } from 'node:test';
import { fileURLToPath } from 'node:url';
import { createCertificate } from '../tls/certificate.ts';

/** A server under test. */
export interface ServerKind {
  readonly name: string;
  /** Program and arguments, to be run with Node. */
  readonly command: readonly string[];
  /** SIGHUP has it read its certificate anew at once; else it notices by itself within seconds. */
  readonly reloadsOnHangup: boolean;
  /** It has a control endpoint, and leaves word of it where it is told to. */
  readonly isWatched: boolean;
  /** The line that says that it serves, and takes signals. Its port was in this line or one before. */
  readonly ready: RegExp;
}

export interface TestServer {
  readonly port: number;
  readonly folder: string;
  readonly process: ChildProcess;
  /** What it wrote to its error output. */
  errors(): string;
  /** Sockets that its process (and its children) hold. Other descriptors come and go with threads, and so with clones. */
  sockets(): number;
  /** Sum of a metric over the instances of a type, of all reasons or of one. For servers that are watched. */
  metric(name: string, msu: string, reason?: string): Promise<number>;
  /** Replaces certificate and key by new ones, and tells the server. */
  renewCertificate(): Promise<string>;
  /** Sends SIGTERM; resolves with the exit code. */
  stop(): Promise<number | null>;
}

const extension: string = import.meta.url.endsWith('.ts') ? 'ts' : 'js';

function program(file: string): string {
  return fileURLToPath(new URL(`../${file}.${extension}`, import.meta.url));
}

export const monolith: ServerKind = {
  name: 'monolith',
  command: [program('baseline/monolith-main')],
  reloadsOnHangup: true,
  isWatched: false,
  ready: /listening on/,
};
export const clusterOfTwo: ServerKind = {
  name: 'cluster',
  command: [program('baseline/cluster-main')],
  reloadsOnHangup: true,
  isWatched: false,
  ready: /listening on/,
};
export const nodeHttps: ServerKind = {
  name: 'node:https',
  command: [program('baseline/https-main')],
  reloadsOnHangup: true,
  isWatched: false,
  ready: /listening on/,
};

/** The five MSUs, started as users start an app. */
export const shoalApp: ServerKind = {
  name: 'Shoal app',
  command: [
    fileURLToPath(new URL(`cli/main.${extension}`, import.meta.resolve('shoal'))),
    'run',
    program('app'),
    '--json',
  ],
  reloadsOnHangup: false,
  isWatched: true,
  ready: /app .*web-server.* runs/,
};

function childrenOf(pid: number): number[] {
  const own = fs
    .readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
    .split(' ')
    .filter(Boolean)
    .map(Number);
  return [pid, ...own.flatMap(childrenOf)];
}

function socketsOf(pid: number): number {
  const folder = `/proc/${pid}/fd`;
  return fs.readdirSync(folder).filter((descriptor) => {
    try {
      return fs.readlinkSync(path.join(folder, descriptor)).startsWith('socket:');
    } catch {
      return false; // Closed meanwhile.
    }
  }).length;
}

function writeCertificate(folder: string): string {
  const pair = createCertificate(['localhost', '127.0.0.1'], Date.now(), 1);
  fs.writeFileSync(path.join(folder, 'certificate.pem'), pair.certificate);
  fs.writeFileSync(path.join(folder, 'key.pem'), pair.key, { mode: 0o600 });
  return pair.certificate;
}

/** Servers that run: a test that fails leaves its own behind. */
const started = new Set<ChildProcess>();
after(() => {
  for (const child of started) child.kill('SIGKILL');
});

/** Starts a server on a free port with a certificate of its own; resolves when it listens. */
export async function startServer(
  kind: ServerKind,
  environment: Readonly<Record<string, string>> = {},
): Promise<TestServer> {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'web-server-test-'));
  writeCertificate(folder);
  const runFolder = path.join(folder, 'run');
  const flags = kind.isWatched ? ['--run', runFolder] : [];
  const args = [...process.execArgv.filter(isNotForTests), ...kind.command, ...flags];
  const child = spawn(process.execPath, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      ...process.env,
      SHOAL_WEB_PORT: '0',
      SHOAL_WEB_CERT: path.join(folder, 'certificate.pem'),
      SHOAL_WEB_KEY: path.join(folder, 'key.pem'),
      ...environment,
    },
  });
  started.add(child);
  child.once('close', () => started.delete(child));
  let errors = '';
  child.stderr.on('data', (bytes) => {
    errors += bytes;
  });
  const exited = new Promise<number | null>((resolve) => child.once('close', resolve));
  const port = await new Promise<number>((resolve, reject) => {
    let seen = 0;
    const look = (line: string): void => {
      const listening = /listening on [\w:/.]+:(\d+)/.exec(line);
      if (listening !== null) seen = Number(listening[1]);
      if (kind.ready.test(line)) resolve(seen);
    };
    createInterface({ input: child.stdout }).on('line', look);
    createInterface({ input: child.stderr }).on('line', look);
    void exited.then((code) => reject(new Error(`${kind.name} ended with ${code}: ${errors}`)));
  });
  return {
    port,
    folder,
    process: child,
    errors: () => errors,
    sockets: () =>
      childrenOf(child.pid!)
        .map((pid) => socketsOf(pid))
        .reduce((sum, count) => sum + count, 0),
    metric: async (name, msu, reason) => {
      const [file] = fs.readdirSync(runFolder);
      const { port: controlPort, token } = JSON.parse(fs.readFileSync(path.join(runFolder, file!), 'utf8'));
      const response = await fetch(`http://127.0.0.1:${controlPort}/metrics`, {
        headers: { authorization: `Bearer ${token}` },
      });
      return (await response.text())
        .split('\n')
        .filter((line) => line.startsWith(`${name}{`) && line.includes(`msu="${msu}"`))
        .filter((line) => reason === undefined || line.includes(`reason="${reason}"`))
        .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
    },
    renewCertificate: async () => {
      const certificate = writeCertificate(folder);
      if (kind.reloadsOnHangup) child.kill('SIGHUP');
      return certificate;
    },
    stop: async () => {
      child.kill('SIGTERM');
      const code = await exited;
      fs.rmSync(folder, { recursive: true, force: true });
      return code;
    },
  };
}

function isNotForTests(flag: string): boolean {
  return !flag.startsWith('--test');
}
