// Programs inside testbed machines.
import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { setTimeout as wait } from 'node:timers/promises';
import { LabError } from '../lab-error.ts';
import type { CgroupLimits, Cgroups } from './cgroup.ts';
import { namespaceFile, type PlacedMachine } from './layout.ts';

/** A program to run in a machine. */
export interface ProgramOptions {
  /** Names the log, `<log folder>/<machine>.<name>.log`. Letters, digits, hyphens. */
  readonly name: string;
  readonly command: string;
  readonly args?: readonly string[];
  /** Added to the runner's environment. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Limit on open descriptors (`RLIMIT_NOFILE`). Default 65,536, or this process's hard limit if lower. */
  readonly openFiles?: number;
  /** A quota tighter than the machine's, in cores. Default: the machine's alone. */
  readonly cores?: number;
  /** A memory limit tighter than the machine's, in MiB. Default: the machine's alone. */
  readonly memoryMiB?: number;
  /** When `run` is to return: once this line was printed or this port listens. Default: at once. */
  readonly ready?: { readonly line: RegExp } | { readonly port: number };
  /** How long to wait for `ready`, in ms. Default 15,000. */
  readonly readyTimeoutMs?: number;
  /** `log` (default): standard output goes to the log. `pipe`: it is the caller's; only errors go to the log. */
  readonly stdout?: 'log' | 'pipe';
}

/** What a program and its children have used. */
export interface ProgramUsage {
  readonly cpuSeconds: number;
  /** Most memory charged at any time, in bytes, file cache included. */
  readonly peakMemoryBytes: number;
  /** Times its own quota was used up; 0 for a program without one (see the machine's accounting). */
  readonly throttledCount: number;
}

export interface ProgramExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly usage: ProgramUsage;
  readonly durationMs: number;
}

/** A program that was started in a machine. */
export interface RunningProgram {
  readonly name: string;
  readonly pid: number;
  readonly logFile: string;
  /** Standard output, if it was asked for. */
  readonly stdout: Readable | null;
  readonly stdin: Writable;
  /** How it ended. Never rejects. */
  readonly exited: Promise<ProgramExit>;
  usage(): ProgramUsage;
  /**
   * Sends a signal (default SIGTERM), and SIGKILL to it and its children after `graceMs` (default 2000). Resolves
   * when none of them is left.
   */
  stop(options?: { readonly signal?: NodeJS.Signals; readonly graceMs?: number }): Promise<ProgramExit>;
}

const OPEN_FILES_DEFAULT = 65_536;
const READY_TIMEOUT_MS = 15_000;
const READY_POLL_MS = 20;
const STOP_GRACE_MS = 2000;
/** How long the processes of a program may take to be gone once they were killed. */
const KILL_MAX_MS = 5000;
const LOG_TAIL_LINES = 15;
/** Hard limit of this process on open descriptors, which only a privileged process may raise. */
function openFilesMax(): number {
  const max = /^Max open files\s+\S+\s+(\S+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1];
  return max === undefined || max === 'unlimited' ? Number.POSITIVE_INFINITY : Number(max);
}

/** State of a listening socket in /proc/PID/net/tcp. */
const TCP_LISTEN = '0A';

/**
 * The command line that runs a program inside a machine: a shell joins the control groups, then becomes (by exec,
 * with one and the same process id) nsenter, prlimit, setpriv and at last the program. `setpriv` has the kernel
 * kill it should the runner die.
 */
export function commandInMachine(
  machine: PlacedMachine,
  joinFiles: readonly string[],
  program: Pick<ProgramOptions, 'command' | 'args' | 'openFiles'>,
): { readonly command: string; readonly args: readonly string[] } {
  const join =
    'n=$1; shift; while [ "$n" -gt 0 ]; do echo $$ > "$1" || exit 125; shift; n=$((n-1)); done; exec "$@"';
  const openFiles = program.openFiles ?? Math.min(OPEN_FILES_DEFAULT, openFilesMax());
  return {
    command: 'sh',
    args: [
      ...['-c', join, 'sh', String(joinFiles.length), ...joinFiles],
      ...['nsenter', `--net=${namespaceFile(machine.namespace)}`, '--'],
      ...['prlimit', `--nofile=${openFiles}:${openFiles}`, '--'],
      ...['setpriv', '--pdeathsig', 'KILL', '--'],
      program.command,
      ...(program.args ?? []),
    ],
  };
}

/** Whether a process's namespace has a socket listening on the port. */
function listens(pid: number, port: number): boolean {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  return ['tcp', 'tcp6'].some((table) => {
    try {
      return readFileSync(`/proc/${pid}/net/${table}`, 'utf8')
        .split('\n')
        .some((line) => {
          const [, local, , state] = line.trim().split(/\s+/);
          return state === TCP_LISTEN && local?.endsWith(suffix) === true;
        });
    } catch {
      return false;
    }
  });
}

function logTail(logFile: string): string {
  const lines = readFileSync(logFile, 'utf8').trimEnd().split('\n').slice(-LOG_TAIL_LINES);
  return lines.map((line) => `  ${line}`).join('\n');
}

/** Waits for the program to be ready; throws `LabError` with the end of its log if it dies or takes too long. */
async function untilReady(
  program: RunningProgram,
  options: ProgramOptions,
  machine: string,
  logStartBytes: number,
): Promise<void> {
  const { ready, readyTimeoutMs = READY_TIMEOUT_MS } = options;
  if (ready === undefined) return;
  let ended = false;
  void program.exited.then(() => {
    ended = true;
  });
  const isReady = (): boolean =>
    'port' in ready
      ? listens(program.pid, ready.port)
      : readFileSync(program.logFile)
          .toString('utf8', logStartBytes)
          .split('\n')
          .some((line) => ready.line.test(line));
  const began = process.hrtime.bigint();
  while (!isReady()) {
    const waitedMs = Number(process.hrtime.bigint() - began) / 1e6;
    if (!ended && waitedMs < readyTimeoutMs) {
      await wait(READY_POLL_MS);
      continue;
    }
    const endedByItself = ended;
    const { code, signal } = await program.stop({ graceMs: 0 });
    const what = endedByItself
      ? `ended with ${signal ?? `code ${code}`}`
      : `was not ready after ${readyTimeoutMs} ms`;
    throw new LabError(
      `${machine}: the program "${options.name}" ${what}. The end of ${program.logFile}:\n${logTail(program.logFile)}`,
    );
  }
}

/** Kills what is in a control group; returns whether there was anything. */
function killGroup(cgroups: Cgroups, group: string): boolean {
  const members = cgroups.members(group);
  for (const pid of members) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It ended by itself.
    }
  }
  return members.length > 0;
}

/** Kills what is in a control group until it is empty: a killed process leaves it a moment later, and may fork before. */
async function emptyGroup(cgroups: Cgroups, group: string): Promise<void> {
  for (let waitedMs = 0; killGroup(cgroups, group); waitedMs += READY_POLL_MS) {
    if (waitedMs >= KILL_MAX_MS)
      throw new LabError(`Processes of ${group} outlive SIGKILL for ${KILL_MAX_MS} ms.`);
    await wait(READY_POLL_MS);
  }
}

function checkLimits(machine: PlacedMachine, options: ProgramOptions): CgroupLimits {
  if (!/^[A-Za-z0-9-]{1,40}$/.test(options.name))
    throw new LabError(`"${options.name}" cannot name a program: use up to 40 letters, digits and hyphens.`);
  if ((options.cores ?? 0) > machine.cores || (options.memoryMiB ?? 0) > machine.memoryMiB)
    throw new LabError(
      `The program "${options.name}" is to have more than its machine: ${machine.name} has ${machine.cores} cores ` +
        `and ${machine.memoryMiB} MiB.`,
    );
  if ((options.openFiles ?? 0) > openFilesMax())
    throw new LabError(
      `The program "${options.name}" is to have ${options.openFiles} open files, and this process may give no more ` +
        `than ${openFilesMax()} (see ulimit -Hn).`,
    );
  return {
    ...(options.cores === undefined ? {} : { cores: options.cores }),
    ...(options.memoryMiB === undefined ? {} : { memoryMiB: options.memoryMiB }),
  };
}

let programsStarted = 0;

/** A group of its own for a program, inside its machine's. */
export function createProgramGroup(
  cgroups: Cgroups,
  machine: PlacedMachine,
  name: string,
  limits: CgroupLimits,
): string {
  programsStarted += 1;
  const group = `${machine.group}/${name}.${process.pid}.${programsStarted}`;
  cgroups.create(group, limits);
  return group;
}

function spawnInMachine(
  cgroups: Cgroups,
  machine: PlacedMachine,
  group: string,
  options: ProgramOptions,
  logFile: string,
): ChildProcess {
  const { command, args } = commandInMachine(machine, cgroups.joinFiles(group), options);
  const log = openSync(logFile, 'a');
  try {
    const spawnOptions: SpawnOptions = {
      stdio: ['pipe', options.stdout === 'pipe' ? 'pipe' : log, log],
      env: { ...process.env, ...options.env },
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    };
    return spawn(command, args, spawnOptions);
  } finally {
    closeSync(log);
  }
}

/** Starts a program in a machine and waits until it is ready. */
export async function startProgram(
  cgroups: Cgroups,
  machine: PlacedMachine,
  logFolder: string,
  options: ProgramOptions,
): Promise<RunningProgram> {
  const group = createProgramGroup(cgroups, machine, options.name, checkLimits(machine, options));
  mkdirSync(logFolder, { recursive: true });
  const logFile = path.join(logFolder, `${machine.name}.${options.name}.log`);
  // An earlier program of the same name wrote to the same log; its lines say nothing of this one.
  const logStartBytes = statSync(logFile, { throwIfNoEntry: false })?.size ?? 0;
  const began = process.hrtime.bigint();
  const child = spawnInMachine(cgroups, machine, group, options, logFile);
  child.stdin?.on('error', () => {});

  let lastUsage: ProgramUsage = { cpuSeconds: 0, peakMemoryBytes: 0, throttledCount: 0 };
  const usage = (): ProgramUsage => {
    try {
      const { cpuSeconds, peakMemoryBytes, throttledCount } = cgroups.usage(group);
      lastUsage = { cpuSeconds, peakMemoryBytes, throttledCount };
    } catch {
      // The testbed is gone; what was read last is the best there is.
    }
    return lastUsage;
  };
  const exited = new Promise<ProgramExit>((resolve) => {
    child.once('exit', (code, signal) =>
      resolve({ code, signal, usage: usage(), durationMs: Number(process.hrtime.bigint() - began) / 1e6 }),
    );
  });
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', reject);
  });
  const program: RunningProgram = {
    name: options.name,
    pid: child.pid ?? -1,
    logFile,
    stdout: child.stdout,
    stdin: child.stdin as Writable,
    exited,
    usage,
    async stop({ signal = 'SIGTERM', graceMs = STOP_GRACE_MS } = {}) {
      child.kill(signal);
      const timer = setTimeout(() => killGroup(cgroups, group), graceMs);
      const exit = await exited;
      clearTimeout(timer);
      await emptyGroup(cgroups, group);
      return exit;
    },
  };
  await untilReady(program, options, machine.name, logStartBytes);
  return program;
}
