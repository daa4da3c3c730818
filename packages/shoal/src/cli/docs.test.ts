// Documentation and code agree: every error code, every option with its meaning, unit, default, bounds and zero.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import {
  defaultCore,
  defaultDeploymentSettings,
  defaultLimits,
  defaultPolicy,
  deploymentRules,
  errorCodes,
  limitRules,
  type NumberRule,
  policyRules,
  threadRules,
} from '../model/index.ts';
import { metricDefinitions, sojournMetric } from './api/metrics.ts';
import { deploymentJsonSchema, optionNames } from './deployment-schema.ts';
import { optionMeanings } from './option-meanings.ts';

const packageFolder = path.resolve(import.meta.dirname, '../..');
const read = (file: string): string => readFileSync(path.resolve(packageFolder, file), 'utf8');

/** The rows of all tables of a section: first cell without its backquotes → the other cells. */
function rowsOf(text: string, heading: string): Map<string, string[]> {
  const section = text.split(/^## /m).find((part) => part.startsWith(`${heading}\n`)) ?? '';
  const rows = new Map<string, string[]>();
  for (const line of section.split('\n')) {
    const cells = line.split('|').map((cell) => cell.trim());
    const name = /^`([\w.]+)`$/.exec(cells[1] ?? '')?.[1];
    if (name !== undefined) rows.set(name, cells.slice(2, -1));
  }
  return rows;
}

test('docs/errors.md describes every error code, in the words of the code, and no other', () => {
  const sections = read('../../docs/errors.md').split(/^## /m).slice(1);
  const described = sections.map((section) => {
    const [code = '', , meaning = ''] = section.split('\n');
    return [code, meaning];
  });
  assert.deepEqual(Object.fromEntries(described), errorCodes);
});

const deployment = read('../../docs/deployment.md');
const groups = [
  { heading: 'At the top', prefix: '', rules: deploymentRules, defaults: { ...defaultDeploymentSettings } },
  {
    heading: 'Machines, processes and threads',
    prefix: 'thread.',
    rules: threadRules,
    defaults: { core: defaultCore, nice: 0 },
  },
  { heading: '`limits`', prefix: 'limits.', rules: limitRules, defaults: { ...defaultLimits } },
  { heading: '`policy`', prefix: 'policy.', rules: policyRules, defaults: { ...defaultPolicy } },
] as const;

for (const { heading, prefix, rules, defaults } of groups) {
  test(`docs/deployment.md says of every number under "${heading}" what the code says`, () => {
    const rows = rowsOf(deployment, heading);
    const figure = (n: number): string => n.toLocaleString('en-US');
    for (const [name, rule] of Object.entries<NumberRule>(rules)) {
      const power = rule.isPowerOfTwo ? ', a power of two' : '';
      const zero = rule.min > 0 ? 'not allowed' : rule.zero;
      assert.notEqual(zero, '', `${name} says what 0 means`);
      assert.deepEqual(rows.get(name), [
        optionMeanings[`${prefix}${name}`],
        rule.unit === '' ? '—' : rule.unit,
        figure((defaults as Readonly<Record<string, number>>)[name] ?? Number.NaN),
        `${figure(rule.min)}…${figure(rule.max)}${power}`,
        zero,
      ]);
    }
  });
}

test('docs/deployment.md has every option of the schema, and no option that the schema does not have', () => {
  const documented = groups.flatMap(({ heading, prefix }) =>
    [...rowsOf(deployment, heading).keys()].map((name) => (name.includes('.') ? name : `${prefix}${name}`)),
  );
  const existing = Object.entries(optionNames).flatMap(([group, names]) =>
    names.map((name) => (group === '' ? name : `${group}.${name}`)),
  );
  assert.deepEqual(documented.sort(), existing.sort());
  for (const option of existing) assert.ok(optionMeanings[option], `${option} has a meaning`);
});

test('the published JSON Schema is current (npm run build, then node scripts/write-deployment-schema.mjs)', () => {
  assert.deepEqual(JSON.parse(read('schema/deployment.schema.json')), JSON.parse(deploymentJsonSchema()));
});

test('docs/control.md has every metric with its kind, labels and meaning, and no other', () => {
  const rows = rowsOf(read('../../docs/control.md'), 'Metrics');
  for (const { name, kind, labels, help } of metricDefinitions) {
    const cells = [kind, labels.length === 0 ? '—' : labels.map((label) => `\`${label}\``).join(', '), help];
    assert.deepEqual(rows.get(name), cells);
  }
  assert.deepEqual(
    [...rows.keys()].sort(),
    [...metricDefinitions.map(({ name }) => name), sojournMetric].sort(),
  );
});
