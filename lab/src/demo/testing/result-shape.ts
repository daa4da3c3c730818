/** What other programs read from the file of `--json`: checks a parsed one, for tests. */
import assert from 'node:assert/strict';
import { deploymentNames, phaseNames } from '../plan.ts';

type Fields = Readonly<Record<string, unknown>>;

function fieldsOf(value: unknown, where: string): Fields {
  assert.ok(typeof value === 'object' && value !== null, `${where} is an object`);
  return value as Fields;
}

function listOf(value: unknown, where: string): readonly unknown[] {
  assert.ok(Array.isArray(value), `${where} is a list`);
  return value;
}

function isFigure(value: unknown, where: string): void {
  assert.ok(typeof value === 'number' && Number.isFinite(value), `${where} is a number`);
}

function isFigureOrNull(value: unknown, where: string): void {
  if (value !== null) isFigure(value, where);
}

function checkDeployment(value: unknown, name: string): void {
  const figures = fieldsOf(value, name);
  const phases = listOf(figures.phases, `${name}.phases`).map((phase) => fieldsOf(phase, `${name}.phases`));
  assert.deepEqual(
    phases.map((phase) => phase.name),
    phaseNames,
  );
  for (const phase of phases) {
    for (const kind of ['objects', 'regex']) {
      const where = `${name}, ${phase.name}, ${kind}`;
      const { successRatio, p50Ms, p99Ms } = fieldsOf(phase[kind], where);
      for (const figure of [successRatio, p50Ms, p99Ms]) isFigure(figure, where);
      assert.ok((successRatio as number) >= 0 && (successRatio as number) <= 1, `${where} is a share`);
    }
  }
  const first = fieldsOf(figures.firstCloneServingMs, `${name}.firstCloneServingMs`);
  assert.deepEqual(Object.keys(first).sort(), ['attack-1.3', 'attack-3']);
  for (const figure of Object.values(first)) isFigureOrNull(figure, `${name}.firstCloneServingMs`);
  isFigure(figures.instancesPeak, `${name}.instancesPeak`);
  isFigureOrNull(figures.reclaimedMs, `${name}.reclaimedMs`);
  isFigureOrNull(figures.failedByReclaim, `${name}.failedByReclaim`);
  for (const decision of listOf(figures.decisions, `${name}.decisions`)) {
    const { atMs, servingAtMs, operator, msu, outcome, text } = fieldsOf(decision, `${name}.decisions`);
    isFigure(atMs, `${name}.decisions.atMs`);
    isFigureOrNull(servingAtMs, `${name}.decisions.servingAtMs`);
    for (const word of [operator, msu, outcome, text]) {
      assert.ok(typeof word === 'string' && word !== '', `a decision of ${name} is described`);
    }
  }
}

/** @throws AssertionError that says what is missing or of another kind */
export function checkShape(parsed: unknown): void {
  const deployments = fieldsOf(fieldsOf(parsed, 'the result').deployments, 'deployments');
  assert.deepEqual(Object.keys(deployments), deploymentNames);
  for (const name of deploymentNames) checkDeployment(deployments[name], name);
}
