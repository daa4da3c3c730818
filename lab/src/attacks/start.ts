import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { LabError } from '../lab-error.ts';
import { nodeProgram, siblingModule } from '../node-program.ts';
import type { AttackOptions, AttackStats } from './attack.ts';
import type { AttackMessage } from './protocol.ts';
import { resolveAttack } from './resolve.ts';

/** A program that was started for an attack, on this machine or in a testbed machine. */
export interface LaunchedProgram {
  readonly pid: number;
  readonly stdout: Readable;
  /** Settles when it has ended. */
  readonly exited: Promise<unknown>;
  /** Asks it to end. */
  terminate(): void;
}

/** Starts a program whose standard output is piped; the seam where an attack meets a testbed machine. */
export type Launcher = (program: {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
}) => Promise<LaunchedProgram>;

/** An attack under way. */
export interface AttackHandle {
  readonly pid: number;
  /** The last report, at most a second old; null before the first. */
  stats(): AttackStats | null;
  /** Calls back for every report, once a second. */
  onReport(listener: (stats: AttackStats) => void): void;
  /** The final counts; rejects with `LabError` when the attack was refused or its process died. */
  readonly done: Promise<AttackStats>;
  /** Ends the attack early and resolves to its final counts. */
  stop(): Promise<AttackStats>;
}

/** Starts the attack's process on this machine. It ends with its parent, because its standard input closes then. */
export const launchHere: Launcher = async ({ command, args }) => {
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  child.stdin.on('error', () => {});
  const exited = new Promise<void>((resolve) => {
    child.once('close', () => resolve());
  });
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', reject);
  });
  return { pid: child.pid ?? -1, stdout: child.stdout, exited, terminate: () => child.kill('SIGTERM') };
};

/**
 * Starts an attack in a process of its own. Throws `LabError` at once if the options are wrong; whether the
 * target is allowed is decided in the process itself, where the attack would be sent from.
 */
export async function startAttack(
  options: AttackOptions,
  launch: Launcher = launchHere,
): Promise<AttackHandle> {
  resolveAttack(options);
  const module = siblingModule('./process', import.meta.url);
  const launched = await launch({
    name: `attack-${options.attack}`,
    ...nodeProgram(module, [JSON.stringify(options)]),
  });
  const listeners: ((stats: AttackStats) => void)[] = [];
  let last: AttackStats | null = null;
  let outcome: AttackMessage | null = null;
  const lines = createInterface({ input: launched.stdout });
  const linesEnd = new Promise<void>((resolve) => lines.once('close', () => resolve()));
  lines.on('line', (line) => {
    const message = JSON.parse(line) as AttackMessage;
    if (message.kind === 'refused') {
      outcome = message;
      return;
    }
    last = message.stats;
    if (message.kind === 'done') outcome = message;
    else for (const listener of listeners) listener(message.stats);
  });
  const finish = async (): Promise<AttackStats> => {
    await Promise.all([launched.exited, linesEnd]);
    const final = outcome as AttackMessage | null;
    if (final?.kind === 'done') return final.stats;
    throw new LabError(
      final?.kind === 'refused' ? final.reason : `The process of the attack ${options.attack} died.`,
    );
  };
  const done = finish();
  // Whoever wants to know awaits it; nobody has to.
  done.catch(() => {});
  return {
    pid: launched.pid,
    stats: () => last,
    onReport: (listener) => listeners.push(listener),
    done,
    stop() {
      launched.terminate();
      return done;
    },
  };
}
