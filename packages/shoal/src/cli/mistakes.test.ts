// Every file of fixtures/mistakes holds a mistake, marked in the line before it: `✗ what => mend`. The column of the
// mistake is that of the declaration in an app, and that of the `#` of the mark in a deployment file.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { type App, formatProblem, type Problem, validate } from '../model/index.ts';
import { readDeployment } from './deployment-file.ts';
import { resolveDeployment } from './resolve-deployment.ts';

const folder = path.resolve(import.meta.dirname, '../../fixtures');
const cores = 4;

interface Mark {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly what: string;
  readonly mend: string;
}

function marksOf(file: string): Mark[] {
  const lines = readFileSync(file, 'utf8').split('\n');
  return lines.flatMap((text, index): Mark[] => {
    const mark = /✗ (.*?) => (.*)$/.exec(text);
    if (mark === null) return [];
    // Several mistakes of one line are marked above each other.
    let next = index + 1;
    while (lines[next]?.includes('✗')) next++;
    const declaration = (lines[next] ?? '').search(/(defineMsu|defineApp|connect)\(/);
    const column = (file.endsWith('.yaml') ? text.indexOf('#') : declaration) + 1;
    return [{ file, line: next + 1, column, what: mark[1] ?? '', mend: mark[2] ?? '' }];
  });
}

async function loadApp(file: string): Promise<App> {
  return ((await import(pathToFileURL(file).href)) as { default: App }).default;
}

/** Asserts that the problems are those that the marks tell of, one for each, at their places. */
function assertMarked(problems: readonly Problem[], marks: readonly Mark[]): void {
  const text = problems.map(formatProblem).join('\n');
  const left = [...problems];
  for (const mark of marks) {
    const index = left.findIndex(
      ({ where, what, mend }) =>
        where.file === mark.file &&
        where.line === mark.line &&
        where.column === mark.column &&
        what.includes(mark.what) &&
        mend.includes(mark.mend),
    );
    assert.notEqual(
      index,
      -1,
      `${mark.file}:${mark.line}:${mark.column}: expected "${mark.what}" => "${mark.mend}" in:\n${text}`,
    );
    left.splice(index, 1);
  }
  assert.deepEqual(left.map(formatProblem), [], 'problems that are not marked');
}

const mistakes = readdirSync(path.join(folder, 'mistakes')).map((name) =>
  path.join(folder, 'mistakes', name),
);
const base = path.join(folder, 'mistakes/base.mjs');

describe('a seeded mistake is found with its place and how to mend it', () => {
  for (const file of mistakes.filter((name) => name.endsWith('.mjs') && name !== base)) {
    test(`in an app: ${path.basename(file, '.mjs')}`, async () => {
      const marks = marksOf(file);
      assert.ok(marks.length > 0, 'the file marks its mistake');
      assertMarked(validate(await loadApp(file)), marks);
    });
  }
  for (const file of mistakes.filter((name) => name.endsWith('.yaml'))) {
    test(`in a deployment file: ${path.basename(file, '.yaml')}`, async () => {
      const marks = marksOf(file);
      assert.ok(marks.length > 0, 'the file marks its mistake');
      const read = readDeployment(readFileSync(file, 'utf8'), file);
      assertMarked(resolveDeployment(await loadApp(base), read, cores).problems, marks);
    });
  }
  test('there are at least 40 of them', () => {
    assert.ok(mistakes.length > 40, `${mistakes.length - 1} seeded mistakes`);
  });
});

test('many mistakes in an app and its deployment file are all reported at once', async () => {
  const app = path.join(folder, 'many/app.mjs');
  const file = path.join(folder, 'many/deployment.yaml');
  const marks = [...marksOf(app), ...marksOf(file)];
  assert.ok(marks.length >= 15, `${marks.length} mistakes are marked`);
  const read = readDeployment(readFileSync(file, 'utf8'), file);
  assertMarked(resolveDeployment(await loadApp(app), read, cores).problems, marks);
});

test('the app that the deployment files with mistakes are for is right itself', async () => {
  const app = await loadApp(base);
  assert.deepEqual(validate(app), []);
  const { deployment, problems } = resolveDeployment(app, null, cores);
  assert.deepEqual(problems, []);
  assert.equal(deployment?.name, 'base');
});
