import { isMap, isScalar, isSeq, LineCounter, parseDocument, type YAMLMap } from 'yaml';
import { ProfileError, type ProfileProblem } from './errors.ts';
import { type Exact, formatExact } from './exact.ts';
import {
  type CheckedProfile,
  checkProfile,
  type ProfileKind,
  type ProfileRowInput,
  profileKinds,
  type TrafficProfile,
} from './profile.ts';
import { profileTextMaxCharacters } from './profile-text.ts';

/** A profile as plain data for YAML and JSON; numbers that no decimal can express are text such as `1/3`. */
export interface ProfileDocument {
  name?: string;
  kind: ProfileKind;
  node?: string;
  flow?: string;
  priority?: number;
  periodSeconds: number | string;
  startSeconds?: number | string;
  id?: string;
  rows: {
    timeSeconds: number | string;
    meanBitsPerSecond: number | string;
    maxBitsPerSecond?: number | string;
    latencySeconds?: number | string;
  }[];
}

const profileKeys = [
  'name',
  'kind',
  'node',
  'flow',
  'priority',
  'periodSeconds',
  'startSeconds',
  'id',
  'rows',
];
const rowKeys = ['timeSeconds', 'meanBitsPerSecond', 'maxBitsPerSecond', 'latencySeconds'];

/**
 * Reads one profile, or several under `profiles:`, from YAML or JSON. A profile is a map with `kind` (unless passed),
 * `periodSeconds`, `rows` (each with `timeSeconds`, `meanBitsPerSecond` and, if wanted, `maxBitsPerSecond` and
 * `latencySeconds`), `node`, `flow`, `priority`, `name`, `startSeconds`, `id`. Numbers are read as they are
 * written, not as doubles. Throws a {@link ProfileError} with line numbers.
 */
export function readProfileDocument(text: string, source: string, kind?: ProfileKind): CheckedProfile[] {
  if (text.length > profileTextMaxCharacters) {
    throw new ProfileError([{ source, message: `longer than ${profileTextMaxCharacters} characters.` }]);
  }
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const problems: ProfileProblem[] = document.errors.map((error) => ({
    source,
    line: lines.linePos(error.pos[0]).line,
    message: `${error.message.split('\n')[0]}: correct the YAML or JSON here.`,
  }));
  if (problems.length > 0) throw new ProfileError(problems);
  const reader = new NodeReader(source, lines, problems);
  const root = document.contents;
  const list = isMap(root) && root.has('profiles') ? root.get('profiles', true) : undefined;
  const maps = isSeq(list) ? list.items : [root];
  if (isMap(root) && isSeq(list)) {
    reader.checkKeys(root, ['profiles']);
    if (maps.length === 0) reader.report(list, '`profiles` is empty: write at least one profile.');
  }
  const profiles: CheckedProfile[] = [];
  for (const map of maps) {
    if (!isMap(map)) {
      reader.report(map, 'write a profile: a map with kind, periodSeconds and rows.');
      continue;
    }
    const before = problems.length;
    const input = reader.profile(map, kind);
    if (problems.length > before || input === undefined) continue;
    try {
      profiles.push(checkProfile(input, source));
    } catch (error) {
      if (!(error instanceof ProfileError)) throw error;
      problems.push(...error.problems);
    }
  }
  if (problems.length > 0) throw new ProfileError(problems);
  return profiles;
}

/** Reads the nodes of a parsed document, so that every message has its line and every number its own digits. */
class NodeReader {
  readonly #source: string;
  readonly #lines: LineCounter;
  readonly #problems: ProfileProblem[];

  constructor(source: string, lines: LineCounter, problems: ProfileProblem[]) {
    this.#source = source;
    this.#lines = lines;
    this.#problems = problems;
  }

  report(node: unknown, message: string): void {
    const line = this.#line(node);
    this.#problems.push({ source: this.#source, message, ...(line === undefined ? {} : { line }) });
  }

  profile(map: YAMLMap, expected: ProfileKind | undefined): Parameters<typeof checkProfile>[0] | undefined {
    this.checkKeys(map, profileKeys);
    const kindText = this.#text(map, 'kind');
    const kind = profileKinds.find((candidate) => candidate === kindText) ?? expected;
    if (kindText !== undefined && kindText !== kind) {
      const known = `use one of ${profileKinds.join(', ')}`;
      this.report(map.get('kind', true), `unknown kind \`${kindText}\`: ${known}.`);
    } else if (kind === undefined) {
      this.report(map, `no kind: write one of ${profileKinds.join(', ')}.`);
    } else if (expected !== undefined && kind !== expected) {
      this.report(map.get('kind', true), `the kind is ${kind}, but it is used as a ${expected} profile.`);
    }
    const periodSeconds = this.#text(map, 'periodSeconds');
    if (periodSeconds === undefined)
      this.report(map, 'no period: write periodSeconds, such as `periodSeconds: 10`.');
    const priorityText = this.#text(map, 'priority');
    if (priorityText !== undefined && !/^[+-]?\d{1,15}$/.test(priorityText)) {
      this.report(map.get('priority', true), `the priority is \`${priorityText}\`: write a whole number.`);
    }
    const rows = this.#rows(map);
    if (kind === undefined || periodSeconds === undefined || rows === undefined) return undefined;
    return {
      kind,
      periodSeconds,
      rows,
      lines: {
        profile: this.#line(map),
        period: this.#line(map.get('periodSeconds', true)),
        start: this.#line(map.get('startSeconds', true)),
        priority: this.#line(map.get('priority', true)),
        node: this.#line(map.get('node', true)),
      },
      name: this.#text(map, 'name'),
      node: this.#text(map, 'node'),
      flow: this.#text(map, 'flow'),
      priority: priorityText === undefined ? undefined : Number(priorityText),
      startSeconds: this.#text(map, 'startSeconds'),
      id: this.#text(map, 'id'),
    };
  }

  #rows(map: YAMLMap): ProfileRowInput[] | undefined {
    const rows = map.get('rows', true);
    if (!isSeq(rows)) {
      this.report(rows ?? map, 'no rows: write `rows:` with a list of timeSeconds and meanBitsPerSecond.');
      return undefined;
    }
    const inputs: ProfileRowInput[] = [];
    for (const row of rows.items) {
      if (!isMap(row)) {
        this.report(row, 'write a row: a map with timeSeconds and meanBitsPerSecond.');
        continue;
      }
      this.checkKeys(row, rowKeys);
      const timeSeconds = this.#text(row, 'timeSeconds');
      const meanBitsPerSecond = this.#text(row, 'meanBitsPerSecond');
      if (timeSeconds === undefined) this.report(row, 'the row has no timeSeconds.');
      if (meanBitsPerSecond === undefined) this.report(row, 'the row has no meanBitsPerSecond.');
      if (timeSeconds === undefined || meanBitsPerSecond === undefined) continue;
      inputs.push({
        timeSeconds,
        meanBitsPerSecond,
        maxBitsPerSecond: this.#text(row, 'maxBitsPerSecond'),
        latencySeconds: this.#text(row, 'latencySeconds'),
        line: this.#line(row),
      });
    }
    return inputs;
  }

  checkKeys(map: YAMLMap, known: readonly string[]): void {
    for (const { key } of map.items) {
      const name = isScalar(key) ? String(key.value) : '';
      if (!known.includes(name))
        this.report(key, `unknown field \`${name}\`: known are ${known.join(', ')}.`);
    }
  }

  /** A scalar as it is written; `undefined` when absent or null. */
  #text(map: YAMLMap, key: string): string | undefined {
    const node = map.get(key, true) as unknown;
    if (node === undefined) return undefined;
    if (!isScalar(node)) {
      this.report(node, `${key} must be a single value.`);
      return undefined;
    }
    if (node.value === null) return undefined;
    return typeof node.value === 'number' && node.source !== undefined ? node.source : String(node.value);
  }

  #line(node: unknown): number | undefined {
    const range = (node as { range?: readonly number[] | null } | null | undefined)?.range;
    return range === undefined || range === null ? undefined : this.#lines.linePos(range[0]!).line;
  }
}

/** The plain form of a profile: `JSON.stringify` or a YAML writer makes text of it that reads back as the same. */
export function profileToDocument(profile: TrafficProfile): ProfileDocument {
  return {
    name: profile.name,
    kind: profile.kind,
    node: profile.node,
    ...(profile.flow === undefined ? {} : { flow: profile.flow }),
    priority: profile.priority,
    periodSeconds: plain(profile.periodSeconds),
    ...(profile.startSeconds === 0 ? {} : { startSeconds: plain(profile.startSeconds) }),
    ...(profile.id === undefined ? {} : { id: profile.id }),
    rows: profile.rows.map((row) => ({
      timeSeconds: plain(row.timeSeconds),
      meanBitsPerSecond: plain(row.meanBitsPerSecond),
      maxBitsPerSecond: plain(row.maxBitsPerSecond),
      latencySeconds: plain(row.latencySeconds),
    })),
  };
}

/** A JSON number where it says the same as the exact text, else the text. */
function plain(value: Exact): number | string {
  const text = formatExact(value);
  return String(Number(text)) === text ? Number(text) : text;
}
