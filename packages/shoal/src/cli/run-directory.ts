/**
 * Where running apps leave word of themselves: a directory that only their user can read, with a file for each app
 * that names the port and the token of its control endpoint.
 */
import { randomBytes } from 'node:crypto';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import { ShoalError } from '../model/index.ts';
import { userId } from './default-run-directory.ts';

/** What a running app says of itself. */
export interface RunFile {
  readonly version: 1;
  readonly app: string;
  readonly pid: number;
  readonly port: number;
  readonly token: string;
}

const runFileSchema: z.ZodType<RunFile> = z.object({
  version: z.literal(1),
  app: z.string().min(1).max(128),
  pid: z.int().min(1),
  port: z.int().min(1).max(65_535),
  token: z.string().regex(/^[\w-]{43}$/),
});

/** A token that nobody guesses: 256 random bits. */
export function createToken(): string {
  return randomBytes(32).toString('base64url');
}

/**
 * Why the directory cannot be trusted, or null. In a folder for all users, anybody can make one of this name before us,
 * and would read our tokens.
 */
function distrust(directory: string): string | null {
  const status = lstatSync(directory);
  if (!status.isDirectory()) return 'is not a directory';
  if (process.platform === 'win32') return null;
  if (status.uid !== userId()) return `belongs to user ${status.uid}`;
  return (status.mode & 0o077) === 0 ? null : 'can be read by other users';
}

function requireTrusted(directory: string): void {
  const reason = distrust(directory);
  if (reason === null) return;
  const mend = 'Remove it, or name another with --run DIRECTORY';
  throw new ShoalError('SHOAL_CONTROL', `The run directory ${directory} ${reason}. ${mend}.`, { directory });
}

/** Does something with the directory. Throws `SHOAL_CONTROL` with the cause if the file system does not let it. */
function inDirectory<T>(directory: string, what: string, act: () => T): T {
  try {
    return act();
  } catch (error) {
    if (error instanceof ShoalError) throw error;
    const text = error instanceof Error ? error.message : String(error);
    const mend = 'Name another with --run DIRECTORY';
    const message = `The run directory ${directory} cannot be ${what}: ${text}. ${mend}.`;
    throw new ShoalError('SHOAL_CONTROL', message, { directory }, error);
  }
}

/**
 * Writes the file of an app; answers what removes it again. Throws `SHOAL_CONTROL` if the directory is not ours alone, or
 * cannot be written to.
 */
export function writeRunFile(directory: string, run: Omit<RunFile, 'version'>): () => void {
  inDirectory(directory, 'made', () => mkdirSync(directory, { recursive: true, mode: 0o700 }));
  const file = path.join(directory, `${run.app}-${run.pid}.json`);
  const fresh = `${file}.${randomBytes(6).toString('hex')}`;
  inDirectory(directory, 'written to', () => {
    requireTrusted(directory);
    try {
      writeFileSync(fresh, `${JSON.stringify({ version: 1, ...run })}\n`, { mode: 0o600, flag: 'wx' });
      renameSync(fresh, file);
    } catch (error) {
      // On a full disk there may be an empty one.
      rmSync(fresh, { force: true });
      throw error;
    }
  });
  return () => rmSync(file, { force: true });
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Files of one directory that are looked at. */
const filesMax = 1_000;

/** The apps that run; files of processes that are gone are removed. */
export function listRuns(directory: string): readonly RunFile[] {
  if (!existsSync(directory)) return [];
  const names = inDirectory(directory, 'read', () => {
    requireTrusted(directory);
    return readdirSync(directory).filter((name) => name.endsWith('.json'));
  });
  return names.slice(0, filesMax).flatMap((name) => {
    const file = path.join(directory, name);
    let run: RunFile;
    try {
      run = runFileSchema.parse(JSON.parse(readFileSync(file, 'utf8')));
    } catch {
      return []; // not one of ours, or removed just now
    }
    if (isAlive(run.pid)) return [run];
    inDirectory(directory, 'written to', () => rmSync(file, { force: true }));
    return [];
  });
}

/** The one app that runs, or the one of the name. Throws `SHOAL_CONTROL` where there is none, or more than one. */
export function findRun(directory: string, app: string | undefined): RunFile {
  const all = listRuns(directory);
  const runs = app === undefined ? all : all.filter((run) => run.app === app || String(run.pid) === app);
  const [run] = runs;
  const names = all.map(({ app: name, pid }) => `"${name}" (process ${pid})`).join(', ');
  if (run === undefined) {
    const others = all.length === 0 ? 'Start one with `shoal run APP`' : `There are ${names}`;
    const which = app === undefined ? 'No app runs' : `No app "${app}" runs`;
    throw new ShoalError('SHOAL_CONTROL', `${which} for this user (looked in ${directory}). ${others}.`, {
      directory,
    });
  }
  if (runs.length > 1) {
    const text = `More than one app runs: ${names}. Name one, or its process, with --app.`;
    throw new ShoalError('SHOAL_CONTROL', text, { directory });
  }
  return run;
}
