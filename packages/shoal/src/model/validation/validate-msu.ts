/** What can be wrong with one MSU type by itself: its options and its restart policy. */
import type { AnyMsuType } from '../app.ts';
import { executionKinds, type MsuOptions, queueOrders, type RestartKind, stateKinds } from '../msu.ts';
import { meetsRule, msuRules } from '../number-rule.ts';
import { type Place, placeOf } from '../place.ts';
import type { TimerSpec } from '../port.ts';
import { type AddProblem, show } from '../problem.ts';
import { checkChoice, checkKeys, checkNames, checkNumber } from './checks.ts';
import { isName, nameMend } from './names.ts';
import { soundType } from './sound-app.ts';
import { validatePorts } from './validate-ports.ts';
import { validateResources } from './validate-resources.ts';

const optionNames: Readonly<Record<keyof MsuOptions, true>> = {
  name: true,
  state: true,
  execution: true,
  concurrency: true,
  order: true,
  deadlineMs: true,
  runLimitMs: true,
  instances: true,
  queueMaxMessages: true,
  queueMaxWorkMs: true,
  machines: true,
  colocation: true,
  dependencies: true,
  resources: true,
  cost: true,
  restart: true,
  entry: true,
  exit: true,
};
const restartKinds: readonly RestartKind[] = ['permanent', 'transient', 'temporary'];

function checkInstances(where: Place, subject: string, value: unknown, add: AddProblem): void {
  if (value === undefined) return;
  if (!checkKeys(where, `${subject}: instances`, value, ['initial', 'min', 'max'], add)) return;
  const before = { initial: msuRules['instances.initial'], min: msuRules['instances.min'] };
  const rules = { ...before, max: msuRules['instances.max'] };
  for (const [name, rule] of Object.entries(rules)) {
    checkNumber(where, subject, `instances.${name}`, value[name], rule, add);
  }
  const { initial, min = 1, max = 64 } = value;
  if (!meetsRule(min, rules.min) || !meetsRule(max, rules.max)) return;
  if (min > max) {
    const given = value.max === undefined ? ' (the default)' : '';
    add(
      where,
      `${subject}: instances.min is ${min}, more than instances.max, ${max}${given}`,
      'Give a min of at most max',
    );
  } else if (initial !== undefined && meetsRule(initial, rules.initial) && (initial < min || initial > max)) {
    const bounds = `min, ${min}, to max, ${max}`;
    add(where, `${subject}: instances.initial is ${initial}, outside of ${bounds}`, `Give ${min} to ${max}`);
  }
}

function checkGroups(
  where: Place,
  subject: string,
  o: Readonly<Record<string, unknown>>,
  add: AddProblem,
): void {
  checkInstances(where, subject, o.instances, add);
  if (
    o.cost !== undefined &&
    checkKeys(where, `${subject}: cost`, o.cost, ['serviceTimeMs', 'memoryMiB'], add)
  ) {
    const cost = o.cost;
    const rules = msuRules;
    checkNumber(where, subject, 'cost.serviceTimeMs', cost.serviceTimeMs, rules['cost.serviceTimeMs'], add);
    checkNumber(where, subject, 'cost.memoryMiB', cost.memoryMiB, rules['cost.memoryMiB'], add);
  }
  const restart = o.restart;
  if (restart === undefined) return;
  if (!checkKeys(where, `${subject}: restart`, restart, ['kind', 'intensity', 'periodMs'], add)) return;
  checkChoice(where, subject, 'restart.kind', restart.kind, restartKinds, add);
  checkNumber(where, subject, 'restart.intensity', restart.intensity, msuRules['restart.intensity'], add);
  checkNumber(where, subject, 'restart.periodMs', restart.periodMs, msuRules['restart.periodMs'], add);
}

/** Combinations of options that contradict each other, each option being right by itself. */
function checkCombinations(msu: AnyMsuType, where: Place, subject: string, add: AddProblem): void {
  const o = msu.options;
  const execution = o.execution ?? 'sync';
  if ((o.concurrency ?? 1) > 1 && execution !== 'async') {
    const what = `${subject}: concurrency ${o.concurrency} with execution "${execution}", which handles one event at a time`;
    add(where, what, 'Use execution: "async", or leave concurrency out');
  }
  if (execution === 'blocking' && (o.runLimitMs ?? 0) > 0) {
    const what = `${subject}: a run limit with execution "blocking", which may block its thread as long as it likes`;
    add(where, what, 'Leave runLimitMs out, or use execution: "sync"');
  }
  if (execution === 'blocking' && (o.colocation ?? '') !== '') {
    const what = `${subject}: a colocation group with execution "blocking", which has a thread of its own`;
    add(where, what, 'Leave colocation out');
  }
  if (o.order !== 'priority') {
    const timers: [string, TimerSpec][] = Object.entries(msu.timers);
    const timer = timers.find(([, spec]) => (spec.priority ?? 0) !== 0);
    if (timer !== undefined) {
      const what = `${subject}: timer "${timer[0]}" has a priority, but the queue order is "${o.order ?? 'fifo'}"`;
      add(where, what, 'Use order: "priority", or leave the priority out');
    }
  }
  if (o.exit === false && Object.keys(msu.out).length === 0) {
    add(where, `${subject}: exit is false, but it has no out-port`, 'Give it an out-port, or leave exit out');
  }
}

/** Reports what is wrong with one type by itself. False if it is not an MSU type at all. */
export function validateMsu(
  msu: unknown,
  index: number,
  appPlace: Place,
  add: AddProblem,
): msu is AnyMsuType {
  const type = msu as Partial<AnyMsuType> | null | undefined;
  if (
    typeof type !== 'object' ||
    type === null ||
    typeof type.options !== 'object' ||
    type.options === null ||
    type.in === undefined
  ) {
    const what = `msus[${index}] is ${show(msu)}, not an MSU type`;
    add(appPlace, what, 'Give what defineMsu returned');
    return false;
  }
  const where = placeOf(msu);
  const o = type.options as unknown as Readonly<Record<string, unknown>>;
  if (!isName(o.name)) {
    const given = o.name === undefined ? 'has no name' : `has the name ${show(o.name)}`;
    add(where, `An MSU type ${given}`, nameMend);
  }
  const subject = `Type ${show(o.name)}`;
  checkKeys(where, subject, o, Object.keys(optionNames), add);
  checkChoice(where, subject, 'state', o.state, stateKinds, add);
  checkChoice(where, subject, 'execution', o.execution, executionKinds, add);
  checkChoice(where, subject, 'order', o.order, queueOrders, add);
  for (const name of [
    'concurrency',
    'deadlineMs',
    'runLimitMs',
    'queueMaxMessages',
    'queueMaxWorkMs',
  ] as const) {
    checkNumber(where, subject, name, o[name], msuRules[name], add);
  }
  checkGroups(where, subject, o, add);
  checkNames(where, subject, 'machines', o.machines, add);
  validateResources(where, subject, o.resources, add);
  if (o.colocation !== undefined && !isName(o.colocation)) {
    add(where, `${subject}: colocation is ${show(o.colocation)}`, nameMend);
  }
  for (const name of ['entry', 'exit']) {
    if (o[name] !== undefined && typeof o[name] !== 'boolean') {
      add(where, `${subject}: ${name} is ${show(o[name])}`, 'Give true or false, or leave it out');
    }
  }
  if (typeof type.create !== 'function') {
    add(where, `${subject} has no create function`, 'Give create(context), which returns the handlers');
  }
  validatePorts(type as AnyMsuType, where, subject, add);
  checkCombinations(soundType(type as AnyMsuType), where, subject, add);
  return true;
}
