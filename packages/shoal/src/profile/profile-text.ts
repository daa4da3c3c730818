import { ProfileError, type ProfileProblem } from './errors.ts';
import { formatExact, parseExact } from './exact.ts';
import {
  byLine,
  type CheckedProfile,
  checkProfile,
  type ProfileKind,
  type ProfileRowInput,
  profileKinds,
  type TrafficProfile,
} from './profile.ts';

/** Longest profile or network text that is read, in characters. */
export const profileTextMaxCharacters = 100_000_000;

interface Header {
  readonly value: string;
  readonly line: number;
}

/** What a `# property = value` line is about, found by substring and in this order, as the published tool does. */
const headerWords: readonly (readonly [key: string, word: string])[] = [
  ['period', 'period'],
  ['priority', 'priority'],
  ['oldSource', 'source id'],
  ['oldDestination', 'destination id'],
  ['node', 'node'],
  ['flow', 'flow'],
  ['kind', 'kind'],
  ['name', 'name'],
  ['start', 'start'],
  ['id', 'uuid'],
];

/**
 * Reads a profile in the text format of the published tools (`.csv`, `.pnp`, `.snp`): lines with `#` are headers
 * `# property = value`, lines with `%` are comments, rows are `time, rate, latency` or
 * `time, rate, max rate, latency` in seconds and bits per second.
 *
 * Headers: `period` (needed), `kind` (needed unless `kind` is passed), `node ID`, `flow type`, `priority`, `name`,
 * `start`, `uuid`; those of both the analysis and the middleware are understood. Throws a {@link ProfileError} with
 * line numbers; files of older versions are named as such, with how to mend them.
 */
export function readProfileText(text: string, source: string, kind?: ProfileKind): CheckedProfile {
  const problems: ProfileProblem[] = [];
  const warnings: ProfileProblem[] = [];
  const report = (line: number, message: string): void => {
    problems.push({ source, line, message });
  };
  if (text.length > profileTextMaxCharacters) {
    throw new ProfileError([{ source, message: `longer than ${profileTextMaxCharacters} characters.` }]);
  }
  const headers = new Map<string, Header>();
  const rows: ProfileRowInput[] = [];
  for (const [index, raw] of text.split('\n').entries()) {
    const line = index + 1;
    const content = raw.trim();
    if (content === '' || content.includes('%')) continue;
    if (content.includes('#')) {
      readHeader(content, line, headers, warnings, source);
    } else {
      const row = readRow(content, line, headers.size === 0, report);
      if (row !== undefined) rows.push(row);
    }
  }
  checkOldHeaders(headers, report);
  const period = headers.get('period');
  if (period === undefined) {
    problems.push({ source, message: 'no period: write a line such as `# period = 10` (seconds).' });
  }
  const priority = headers.get('priority');
  const hasPriority = priority === undefined || /^[+-]?\d{1,15}$/.test(priority.value);
  if (!hasPriority) {
    report(priority.line, `the priority is \`${priority.value}\`: write a whole number.`);
  }
  const foundKind = readKind(headers.get('kind'), kind, source, problems);
  const start = headers.get('start');
  const input = {
    kind: foundKind,
    periodSeconds: period?.value ?? '',
    name: headers.get('name')?.value,
    node: headers.get('node')?.value,
    flow: headers.get('flow')?.value,
    priority: hasPriority ? Number(priority?.value ?? 0) : 0,
    startSeconds: start?.value,
    id: headers.get('id')?.value,
    rows,
    lines: {
      period: period?.line,
      start: start?.line,
      priority: priority?.line,
      node: headers.get('node')?.line,
    },
  };
  if (period === undefined || (rows.length === 0 && problems.length > 0))
    throw new ProfileError(byLine(problems));
  const checked = tryCheck(input, source, problems);
  if (checked === undefined || problems.length > 0) throw new ProfileError(byLine(problems));
  return { ...checked, warnings: [...warnings, ...checked.warnings] };
}

/** Notes what else is wrong, so that everything is told at once. */
function tryCheck(
  input: Parameters<typeof checkProfile>[0],
  source: string,
  problems: ProfileProblem[],
): CheckedProfile | undefined {
  try {
    return checkProfile(input, source);
  } catch (error) {
    if (!(error instanceof ProfileError)) throw error;
    problems.push(...error.problems);
    return undefined;
  }
}

function readHeader(
  content: string,
  line: number,
  headers: Map<string, Header>,
  warnings: ProfileProblem[],
  source: string,
): void {
  const text = content.slice(content.indexOf('#') + 1);
  const sign = text.indexOf('=');
  if (sign < 0) return;
  const property = text.slice(0, sign).trim();
  const value = text.slice(sign + 1).trim();
  const key = headerWords.find(([, word]) => property.toLowerCase().includes(word))?.[0];
  if (key === undefined) {
    const message = `unknown header \`${property}\` was ignored; known are period, kind, node ID, flow type, priority, name, start, uuid.`;
    warnings.push({ source, line, message });
  } else if (value !== '') {
    const before = headers.get(key);
    if (before !== undefined && before.value !== value) {
      const message = `a second \`${property}\`, ${value} after ${before.value} (line ${before.line}): the last one counts; keep one.`;
      warnings.push({ source, line, message });
    }
    headers.set(key, { value, line });
  }
}

function readRow(
  content: string,
  line: number,
  beforeHeaders: boolean,
  report: (line: number, message: string) => void,
): ProfileRowInput | undefined {
  const fields = content.split(',').map((field) => field.trim());
  const numeric = fields.map((field) => parseExact(field) !== undefined);
  if (fields.length === 4 && numeric[0] && numeric[1] && numeric[2] && !numeric[3]) {
    report(
      line,
      `the last column is \`${fields[3]}\`: this looks like a version-1 node file (time, rate, latency in ms, ` +
        'interface). Drop the interface, divide the latency by 1000 and add headers such as `# period = 10` and `# kind = provided`.',
    );
    return undefined;
  }
  if (fields.length === 2 && numeric[0] && numeric[1] && beforeHeaders) {
    report(
      line,
      `two columns without a header: this looks like a version-1 file that begins with \`start, period\`. ` +
        `Write \`# start = ${fields[0]}\` and \`# period = ${fields[1]}\` instead.`,
    );
    return undefined;
  }
  if (fields.length !== 3 && fields.length !== 4) {
    report(
      line,
      `${fields.length} column${fields.length === 1 ? '' : 's'}: write \`time, rate, latency\` or \`time, rate, max rate, latency\`.`,
    );
    return undefined;
  }
  const bad = numeric.indexOf(false);
  if (bad >= 0) {
    report(
      line,
      `column ${bad + 1} is \`${fields[bad]!.slice(0, 40)}\`: write a number such as 12, 0.5 or 1/3.`,
    );
    return undefined;
  }
  const [timeSeconds = '', meanBitsPerSecond = '', third = '', fourth] = fields;
  return fourth === undefined
    ? { timeSeconds, meanBitsPerSecond, latencySeconds: third, line }
    : { timeSeconds, meanBitsPerSecond, maxBitsPerSecond: third, latencySeconds: fourth, line };
}

function checkOldHeaders(
  headers: Map<string, Header>,
  report: (line: number, message: string) => void,
): void {
  const source = headers.get('oldSource');
  const destination = headers.get('oldDestination');
  if (source !== undefined) {
    report(
      source.line,
      `\`source ID\` is a header of an older version: write \`# node ID = ${source.value}\` instead.`,
    );
  }
  if (destination !== undefined) {
    report(
      destination.line,
      '`destination ID` is a header of an older version: give this profile and that of its receiver the same ' +
        `\`# flow type = …\`, and the receiver \`# node ID = ${destination.value}\`, instead.`,
    );
  }
}

function readKind(
  header: Header | undefined,
  expected: ProfileKind | undefined,
  source: string,
  problems: ProfileProblem[],
): ProfileKind {
  const known = `use one of ${profileKinds.join(', ')}.`;
  if (header === undefined) {
    if (expected === undefined) problems.push({ source, message: `no kind: write \`# kind = …\`; ${known}` });
    return expected ?? 'required';
  }
  const kind = profileKinds.find((candidate) => candidate === header.value.toLowerCase());
  if (kind === undefined) {
    problems.push({ source, line: header.line, message: `unknown kind \`${header.value}\`: ${known}` });
  } else if (expected !== undefined && kind !== expected) {
    const message = `the kind is ${kind}, but it is used as a ${expected} profile: change the header or where it is used.`;
    problems.push({ source, line: header.line, message });
  }
  return kind ?? 'required';
}

/**
 * Writes a profile in the text format, so that {@link readProfileText} reads the same profile back. Throws a
 * {@link ProfileError} for a name, node, flow or id that the format cannot hold: an empty one, one with `%` or a line
 * break, or with a space at its beginning or end.
 */
export function writeProfileText(profile: TrafficProfile): string {
  const { name, node, flow, id } = profile;
  const problems = Object.entries({ name, node, flow, id })
    .filter(
      ([, value]) => value !== undefined && (value === '' || value.trim() !== value || /[%\n]/.test(value)),
    )
    .map(([field, value]) => ({
      source: name,
      message:
        `the ${field} ${JSON.stringify(value)} cannot be written in the text format, which has no empty values, ` +
        'line breaks, `%`, or spaces at the ends: change it, or write YAML or JSON.',
    }));
  if (problems.length > 0) throw new ProfileError(problems);
  const lines = [
    `# name = ${profile.name}`,
    `# kind = ${profile.kind}`,
    `# node ID = ${profile.node}`,
    ...(profile.flow === undefined ? [] : [`# flow type = ${profile.flow}`]),
    `# priority = ${profile.priority}`,
    `# period = ${formatExact(profile.periodSeconds)}`,
    ...(profile.startSeconds === 0 ? [] : [`# start = ${formatExact(profile.startSeconds)}`]),
    ...(profile.id === undefined ? [] : [`# uuid = ${profile.id}`]),
    '% time (s), mean rate (bit/s), max rate (bit/s), latency (s)',
    ...profile.rows.map((row) =>
      [row.timeSeconds, row.meanBitsPerSecond, row.maxBitsPerSecond, row.latencySeconds]
        .map(formatExact)
        .join(', '),
    ),
  ];
  return `${lines.join('\n')}\n`;
}
