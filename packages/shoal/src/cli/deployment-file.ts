/** Deployment files: YAML in, what it says out, and everything that is wrong with its form, with places. */
import { isMap, isNode, isPair, isScalar, isSeq, LineCounter, parseDocument, type YAMLMap } from 'yaml';
import type { z } from 'zod';
import {
  type DeploymentMachine,
  deploymentRules,
  describeRule,
  type Limits,
  limitRules,
  type NumberRule,
  type Place,
  type PlaceOfPath,
  type Problem,
  policyRules,
  schedulingOrders,
  show,
  suggest,
  threadRules,
} from '../model/index.ts';
import { type DeploymentInput, deploymentSchema, optionNames } from './deployment-schema.ts';
import type { DeploymentFile } from './resolve-deployment.ts';

/** Characters of the longest deployment file. */
export const fileMaxCharacters = 1_048_576;

type Path = readonly (string | number)[];

/** A file of which nothing can be understood. */
function unusable(problems: readonly Problem[], placeOfPath: PlaceOfPath): DeploymentFile {
  return { problems, settings: null, machines: null, hasMachines: true, givenLimits: {}, placeOfPath };
}

function pairOf(map: YAMLMap, key: string): { key: unknown; value: unknown } | undefined {
  return map.items.find((pair) => isPair(pair) && isScalar(pair.key) && String(pair.key.value) === key);
}

/** Finds places by path; of what is not there, the nearest that is around it. `key`: the place of a map's key. */
function placeFinder(
  root: unknown,
  lines: LineCounter,
  file: string,
): (path: Path, of?: 'key' | 'value') => Place {
  return (path, of = 'value') => {
    let node = root;
    let offset = isNode(root) ? (root.range?.[0] ?? 0) : 0;
    for (const [depth, segment] of path.entries()) {
      let key: unknown;
      if (isMap(node) && typeof segment === 'string') {
        const pair = pairOf(node, segment);
        if (pair === undefined) break;
        ({ key, value: node } = pair);
      } else if (isSeq(node) && typeof segment === 'number' && segment < node.items.length) {
        node = node.items[segment];
      } else {
        break;
      }
      const isLast = depth === path.length - 1;
      const isEmpty = !isNode(node) || (isScalar(node) && node.source === '');
      // A list or map that begins below its key is found at the key.
      const isBelow = (isMap(node) || isSeq(node)) && node.flow !== true;
      const at = isNode(key) && ((isLast && of === 'key') || isEmpty || isBelow) ? key : node;
      if (isNode(at) && at.range !== undefined && at.range !== null) offset = at.range[0];
    }
    const { line, col } = lines.linePos(offset);
    return { file, line: Math.max(1, line), column: Math.max(1, col) };
  };
}

const pathText = (path: Path): string =>
  path.reduce<string>((text, part) => {
    if (typeof part === 'number') return `${text}[${part}]`;
    return text === '' ? part : `${text}.${part}`;
  }, '') || 'the file';

/** Which group of options stands at a path. */
function groupAt(path: Path): keyof typeof optionNames {
  const names = path.filter((part) => typeof part === 'string');
  const last = names.at(-1);
  if (last === 'limits' || last === 'policy') return last;
  if (last === 'machines') return 'machine';
  if (last === 'processes') return 'process';
  return last === 'threads' ? 'thread' : '';
}

function ruleAt(path: Path): NumberRule | undefined {
  const name = String(path.at(-1));
  const groups: Readonly<Record<string, Readonly<Record<string, NumberRule>>>> = {
    '': deploymentRules,
    limits: limitRules,
    policy: policyRules,
    thread: threadRules,
  };
  return groups[groupAt(path.slice(0, -1))]?.[name];
}

const expectedPhrases: Readonly<Record<string, string>> = {
  array: 'a list',
  object: 'a map of options',
  string: 'a name',
  boolean: 'true or false',
  number: 'a number',
};

function valueAt(data: unknown, path: Path): unknown {
  return path.reduce<unknown>(
    (value, part) => (typeof value === 'object' && value !== null ? Reflect.get(value, part) : undefined),
    data,
  );
}

/** Makes problems of what the schema found. */
function problemsOf(
  issues: readonly z.core.$ZodIssue[],
  data: unknown,
  find: ReturnType<typeof placeFinder>,
): Problem[] {
  return issues.flatMap((issue): Problem[] => {
    const path = issue.path.filter((part) => typeof part !== 'symbol');
    if (issue.code === 'unrecognized_keys') {
      const known = optionNames[groupAt(path)];
      return issue.keys.map((key) => ({
        where: find([...path, key], 'key'),
        what: path.length === 0 ? `Unknown option "${key}"` : `Unknown option "${key}" in ${pathText(path)}`,
        mend: suggest(key, known, `Remove it; there are ${known.join(', ')}`),
      }));
    }
    const value = valueAt(data, path);
    const rule = ruleAt(path);
    const expected = issue.code === 'invalid_type' ? (expectedPhrases[issue.expected] ?? '') : '';
    const where = find(path);
    if (value === undefined) {
      const what = `${pathText(path.slice(0, -1))} has no ${String(path.at(-1))}`;
      return [{ where, what, mend: `Give ${expected}` }];
    }
    const what = `${pathText(path)} is ${value === null ? 'empty' : show(value)}`;
    if (issue.code === 'invalid_value' && typeof value === 'string') {
      return [{ where, what, mend: suggest(value, schedulingOrders, '') }];
    }
    return [{ where, what, mend: `Give ${rule === undefined ? expected : describeRule(rule)}` }];
  });
}

/** The data without what is wrong with its form, so that the rest can be checked; machines as a whole. */
function pruned(data: Record<string, unknown>, issues: readonly z.core.$ZodIssue[]): Record<string, unknown> {
  const rest = structuredClone(data);
  for (const issue of issues) {
    const [first, second] = issue.path;
    if (first === 'machines') delete rest.machines;
    else if (first === undefined) {
      if (issue.code === 'unrecognized_keys') for (const key of issue.keys) delete rest[key];
    } else if (second === undefined && issue.code !== 'unrecognized_keys') delete rest[String(first)];
    else {
      const group = rest[String(first)] as Record<string, unknown>;
      const keys = issue.code === 'unrecognized_keys' ? issue.keys : [String(second)];
      for (const key of keys) delete group[key];
    }
  }
  return rest;
}

function resolveMachines(input: DeploymentInput): readonly DeploymentMachine[] | null {
  if (input.machines === undefined) return null;
  return input.machines.map((machine) => ({
    name: machine.name,
    processes: machine.processes.map((process) => ({
      name: process.name,
      threads: process.threads.map((thread, index) => ({
        ...thread,
        name: thread.name ?? `thread-${index + 1}`,
      })),
    })),
  }));
}

/** Reads the text of a deployment file. `fileName` is for places. Never throws. */
export function readDeployment(text: string, fileName: string): DeploymentFile {
  const lines = new LineCounter();
  const problem = (where: Place, what: string, mend: string): Problem => ({ where, what, mend });
  if (text.length > fileMaxCharacters) {
    const where = { file: fileName, line: 1, column: 1 };
    const what = `The deployment file has ${text.length} characters`;
    return unusable([problem(where, what, `Use at most ${fileMaxCharacters}`)], () => where);
  }
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const find = placeFinder(document.contents, lines, fileName);
  const atOffset = (offset: number): Place => {
    const { line, col } = lines.linePos(offset);
    return { file: fileName, line: Math.max(1, line), column: Math.max(1, col) };
  };
  if (document.errors.length > 0) {
    const problems = document.errors.map((error) => {
      const mend = error.code === 'DUPLICATE_KEY' ? 'Give each option once' : 'Mend the YAML of this line';
      return problem(atOffset(error.pos[0]), `YAML: ${error.message.replace(/\.$/, '')}`, mend);
    });
    return unusable(problems, find);
  }
  let data: unknown;
  try {
    data = document.toJS() ?? {};
  } catch (error) {
    const what = `YAML: ${error instanceof Error ? error.message.replace(/\.$/, '') : String(error)}`;
    return unusable([problem(find([]), what, 'Write the values out instead of using aliases')], find);
  }
  if (typeof data !== 'object' || data === null || Array.isArray(data)) {
    const what = `The deployment file holds ${show(data)}`;
    return unusable([problem(find([]), what, `Give a map of options: ${optionNames[''].join(', ')}`)], find);
  }
  const schema = deploymentSchema('form');
  const plain = data as Record<string, unknown>;
  const first = schema.safeParse(plain);
  const issues = first.success ? [] : first.error.issues;
  const parsed = first.success ? first : schema.safeParse(pruned(plain, issues));
  const problems = problemsOf(issues, plain, find);
  if (!parsed.success) return unusable(problems, find);
  const { machines: _machines, name, ...settings } = parsed.data;
  return {
    problems,
    settings: { ...settings, name: name ?? '' },
    machines: resolveMachines(parsed.data),
    hasMachines: plain.machines !== undefined,
    givenLimits: (typeof plain.limits === 'object' ? plain.limits : {}) as Partial<Limits>,
    placeOfPath: find,
  };
}
