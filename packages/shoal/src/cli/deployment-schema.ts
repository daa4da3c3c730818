/**
 * The form of deployment files. `deploymentSchema('form')` checks form alone (types, unknown options), so that numbers
 * are judged in one place, by `validate`; `deploymentSchema('published')` has the bounds of numbers too, for editors.
 */
import { z } from 'zod';
import {
  defaultCore,
  defaultDeploymentSettings,
  defaultLimits,
  defaultPolicy,
  deploymentRules,
  describeRule,
  type Limits,
  limitRules,
  localMachineName,
  mainProcessName,
  type NumberRule,
  nameMaxCharacters,
  policyRules,
  schedulingOrders,
  threadRules,
} from '../model/index.ts';
import { optionMeanings } from './option-meanings.ts';

/** A thread as it stands in a file; absent options have their defaults. */
export interface ThreadInput {
  readonly name?: string | undefined;
  readonly core: number;
  readonly nice: number;
  readonly scheduling: 'fifo' | 'priority' | 'edf';
  readonly instances: readonly string[];
}
export interface ProcessInput {
  readonly name: string;
  readonly threads: readonly ThreadInput[];
}
export interface MachineInput {
  readonly name: string;
  readonly processes: readonly ProcessInput[];
}
export interface DeploymentInput {
  readonly name?: string | undefined;
  readonly machines?: readonly MachineInput[] | undefined;
  readonly limits: Limits;
  readonly policy: typeof defaultPolicy;
  readonly samplePeriodMs: number;
  readonly drainMaxMs: number;
  readonly spareThreads: number;
}

type Purpose = 'form' | 'published';

function describe(path: string, rule?: NumberRule): { description: string } {
  const meaning = optionMeanings[path] ?? '';
  return { description: rule === undefined ? meaning : `${meaning} Give ${describeRule(rule)}.` };
}

function number(
  purpose: Purpose,
  path: string,
  rule: NumberRule,
  initial: number,
): z.ZodDefault<z.ZodNumber> {
  const plain = z.number();
  const whole = rule.isInteger ? plain.int() : plain;
  const bounded = purpose === 'form' ? plain : whole.min(rule.min).max(rule.max);
  return bounded.meta(describe(path, rule)).default(initial);
}

function numbers<K extends string>(
  purpose: Purpose,
  group: string,
  rules: Readonly<Record<K, NumberRule>>,
  defaults: Readonly<Record<K, number>>,
): Record<K, z.ZodDefault<z.ZodNumber>> {
  const fields = Object.entries<NumberRule>(rules).map(([name, rule]) => {
    const path = group === '' ? name : `${group}.${name}`;
    return [name, number(purpose, path, rule, defaults[name as K])];
  });
  return Object.fromEntries(fields) as Record<K, z.ZodDefault<z.ZodNumber>>;
}

function name(purpose: Purpose, path: string): z.ZodString {
  const form = z.string();
  const named = purpose === 'form' ? form : form.regex(/^[A-Za-z][A-Za-z0-9-]*$/).max(nameMaxCharacters);
  return named.meta(describe(path));
}

/** The schema of deployment files. */
export function deploymentSchema(purpose: Purpose): z.ZodType<DeploymentInput> {
  const thread = z.strictObject({
    name: name(purpose, 'thread.name').optional(),
    core: number(purpose, 'thread.core', threadRules.core, defaultCore),
    nice: number(purpose, 'thread.nice', threadRules.nice, 0),
    scheduling: z.enum(schedulingOrders).meta(describe('thread.scheduling')).default('fifo'),
    instances: z.array(name(purpose, 'type')).meta(describe('thread.instances')),
  });
  const process = z.strictObject({
    name: name(purpose, 'process.name').default(mainProcessName),
    threads: z.array(thread).meta(describe('process.threads')),
  });
  const machine = z.strictObject({
    name: name(purpose, 'machine.name').default(localMachineName),
    processes: z.array(process).meta(describe('machine.processes')),
  });
  const { isActive, ...policyDefaults } = defaultPolicy;
  const policy = z.strictObject({
    ...numbers(purpose, 'policy', policyRules, policyDefaults),
    isActive: z.boolean().meta(describe('policy.isActive')).default(isActive),
  });
  return z.strictObject({
    name: name(purpose, 'name').optional(),
    machines: z.array(machine).meta(describe('machines')).optional(),
    limits: z
      .strictObject(numbers(purpose, 'limits', limitRules, defaultLimits))
      .meta(describe('limits'))
      .prefault({}),
    policy: policy.meta(describe('policy')).prefault({}),
    ...numbers(purpose, '', deploymentRules, defaultDeploymentSettings),
  });
}

/** The names of options at each level of a file. */
export const optionNames: Readonly<
  Record<'' | 'machine' | 'process' | 'thread' | 'limits' | 'policy', readonly string[]>
> = {
  '': ['name', 'machines', 'limits', 'policy', ...Object.keys(deploymentRules)],
  machine: ['name', 'processes'],
  process: ['name', 'threads'],
  thread: ['name', 'core', 'nice', 'scheduling', 'instances'],
  limits: Object.keys(limitRules),
  policy: [...Object.keys(policyRules), 'isActive'],
};

/** The published JSON Schema, as text. */
export function deploymentJsonSchema(): string {
  const schema = z.toJSONSchema(deploymentSchema('published'), { io: 'input', target: 'draft-07' });
  return `${JSON.stringify({ title: 'Shoal deployment', ...schema }, null, 2)}\n`;
}
