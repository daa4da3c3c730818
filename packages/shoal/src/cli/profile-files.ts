import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import {
  type CheckedProfile,
  describeProblem,
  ProfileError,
  type ProfileKind,
  type ProfilePlace,
  type ProfileProblem,
  readProfileDocument,
  readProfileText,
  type TrafficProfile,
} from '../profile/index.ts';

/** Profiles read from files, and what their readers warned of. */
export interface LoadedProfiles {
  readonly profiles: readonly TrafficProfile[];
  readonly places: ReadonlyMap<TrafficProfile, ProfilePlace>;
  readonly warnings: readonly string[];
}

const reasons: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file or folder',
  ENOTDIR: 'it is not a folder',
  EISDIR: 'it is a folder',
  EACCES: 'it is not permitted',
};

function whyNot(error: unknown): string {
  const { code = '', message } = error as NodeJS.ErrnoException;
  return reasons[code] ?? message;
}

/** Reads a text file; a file that cannot be read is a problem like any other. */
export function readInput(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new ProfileError([{ source: file, message: `cannot be read: ${whyNot(error)}.` }]);
  }
}

/** Writes a text file; a file that cannot be written is a problem like any other. */
export function writeOutput(file: string, text: string): void {
  try {
    writeFileSync(file, text);
  } catch (error) {
    throw new ProfileError([{ source: file, message: `cannot be written: ${whyNot(error)}.` }]);
  }
}

/** Runs all readers and throws one {@link ProfileError} with the problems of all of them. */
export function collectProblems(readers: readonly (() => void)[]): void {
  const problems: ProfileProblem[] = [];
  for (const reader of readers) {
    try {
      reader();
    } catch (error) {
      if (!(error instanceof ProfileError)) throw error;
      problems.push(...error.problems);
    }
  }
  if (problems.length > 0) throw new ProfileError(problems);
}

/** Reads the profiles of one file: YAML or JSON by its extension, else the text format. */
export function readProfileFile(file: string, kind?: ProfileKind): CheckedProfile[] {
  const text = readInput(file);
  return isDocument(file) ? readProfileDocument(text, file, kind) : [readProfileText(text, file, kind)];
}

function isDocument(file: string): boolean {
  return ['.yaml', '.yml', '.json'].includes(path.extname(file).toLowerCase());
}

/** What to load. */
export interface ProfileSources {
  readonly required: readonly string[];
  readonly provided: readonly string[];
  readonly receiver: readonly string[];
  /** A folder whose `.csv`, `.pnp`, `.snp` and own YAML and JSON profiles are all loaded. */
  readonly folder: string | undefined;
  /** Files of the folder that are something else. */
  readonly except: readonly string[];
}

/** Loads all profiles; throws one {@link ProfileError} that lists what is wrong in any of the files. */
export function loadProfiles(sources: ProfileSources): LoadedProfiles {
  const loaded: CheckedProfile[] = [];
  const readers: (() => void)[] = [];
  for (const kind of ['required', 'provided', 'receiver'] as const) {
    for (const file of sources[kind]) readers.push(() => void loaded.push(...readProfileFile(file, kind)));
  }
  const { folder } = sources;
  if (folder !== undefined) {
    readers.push(() =>
      collectProblems(
        profilesIn(folder, sources.except).map((file) => () => void loaded.push(...readProfileFile(file))),
      ),
    );
  }
  collectProblems(readers);
  return {
    profiles: loaded.map(({ profile }) => profile),
    places: new Map(loaded.map(({ profile, place }) => [profile, place])),
    warnings: loaded.flatMap(({ warnings }) => warnings.map(describeProblem)),
  };
}

/** Profile files of a folder, by name. Network configurations and other YAML and JSON are left out. */
function profilesIn(folder: string, except: readonly string[]): string[] {
  let names: string[];
  try {
    names = readdirSync(folder).sort();
  } catch (error) {
    throw new ProfileError([{ source: folder, message: `cannot be read: ${whyNot(error)}.` }]);
  }
  const left = new Set(except.map((file) => path.resolve(file)));
  return names
    .map((name) => path.join(folder, name))
    .filter((file) => {
      if (left.has(path.resolve(file))) return false;
      if (isDocument(file)) return /^[\s{[]*"?(periodSeconds|profiles)"?\s*:/m.test(readInput(file));
      if (!['.csv', '.pnp', '.snp'].includes(path.extname(file).toLowerCase())) return false;
      return !/^\s*(topology|route)\s*:/m.test(readInput(file));
    });
}
