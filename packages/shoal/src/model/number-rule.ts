/**
 * What a number of an app or a deployment may be: unit, bounds, meaning of 0. Stated once; the validation, the
 * schema of deployment files and the documentation all read it from here.
 */
import type { Limits } from './limits.ts';
import type { ControllerPolicy } from './policy.ts';

/** What one number may be. */
export interface NumberRule {
  /** What it counts: `ms`, `messages`…; empty: a ratio. */
  readonly unit: string;
  readonly min: number;
  readonly max: number;
  /** False: fractions are allowed. */
  readonly isInteger: boolean;
  readonly isPowerOfTwo: boolean;
  /** What 0 means; empty where 0 is not allowed or means nothing of its own. */
  readonly zero: string;
}

/** Longest duration there is: what a timer of Node can wait, about 24.8 days. */
export const durationMaxMs = 2_147_483_647;
/** Largest value of a count that has no narrower bound. */
export const countMax = 1_000_000_000;

function durationMs(min: number, zero = ''): NumberRule {
  return { unit: 'ms', min, max: durationMaxMs, isInteger: false, isPowerOfTwo: false, zero };
}
function count(unit: string, min: number, max: number, zero = ''): NumberRule {
  return { unit, min, max, isInteger: true, isPowerOfTwo: false, zero };
}
function powerOfTwo(unit: string, min: number, max: number): NumberRule {
  return { unit, min, max, isInteger: true, isPowerOfTwo: true, zero: '' };
}
const ratio: NumberRule = { unit: '', min: 0.01, max: 1, isInteger: false, isPowerOfTwo: false, zero: '' };

/** Numbers of an MSU type, by the path of the option. */
export const msuRules: Readonly<
  Record<
    | 'concurrency'
    | 'deadlineMs'
    | 'runLimitMs'
    | 'queueMaxMessages'
    | 'queueMaxWorkMs'
    | 'instances.initial'
    | 'instances.min'
    | 'instances.max'
    | 'cost.serviceTimeMs'
    | 'cost.memoryMiB'
    | 'resource.limit'
    | 'restart.intensity'
    | 'restart.periodMs',
    NumberRule
  >
> = {
  concurrency: count('events', 1, 65_536),
  deadlineMs: durationMs(0, 'no deadline'),
  runLimitMs: durationMs(0, 'no run limit'),
  queueMaxMessages: count('messages', 0, countMax, 'only the bound of the lanes'),
  queueMaxWorkMs: durationMs(0, "as the deployment's limit says"),
  'instances.initial': count('instances', 0, 1_024, 'none at start'),
  'instances.min': count('instances', 0, 1_024, 'the last one may be removed'),
  'instances.max': count('instances', 1, 1_024),
  'cost.serviceTimeMs': durationMs(0, 'too little to matter'),
  'cost.memoryMiB': {
    unit: 'MiB',
    min: 0,
    max: 1_048_576,
    isInteger: false,
    isPowerOfTwo: false,
    zero: 'too little to matter',
  },
  'resource.limit': {
    unit: '',
    min: 1,
    max: Number.MAX_SAFE_INTEGER,
    isInteger: false,
    isPowerOfTwo: false,
    zero: '',
  },
  'restart.intensity': count('restarts', 0, 1_000_000, 'given up at the first death'),
  'restart.periodMs': durationMs(1),
};

/** Numbers of timers and of `requests` ports. */
export const portRules: Readonly<Record<'periodMs' | 'delayMs' | 'priority' | 'timeoutMs', NumberRule>> = {
  periodMs: durationMs(0, 'one event'),
  delayMs: durationMs(0, 'at once'),
  priority: count('', -2_147_483_648, 2_147_483_647),
  timeoutMs: durationMs(0, 'waits for ever'),
};

/** Numbers of `limits`. */
export const limitRules: Readonly<Record<keyof Limits, NumberRule>> = {
  laneMaxMessages: powerOfTwo('messages', 2, 1_048_576),
  laneMaxBytes: count('bytes', 4_096, 1_073_741_824),
  messageMaxBytes: count('bytes', 256, 536_870_912),
  queueMaxWorkMs: durationMs(0, 'not bounded'),
  requestsMax: powerOfTwo('requests', 2, 1_048_576),
  delayedMax: count('messages', 1, 16_777_216),
  statesMax: count('states', 1, 16_777_216),
  turnMaxEvents: count('events', 1, 1_000_000),
  turnMaxMs: { unit: 'ms', min: 0.1, max: 10_000, isInteger: false, isPowerOfTwo: false, zero: '' },
  threadsMax: count('threads', 1, 4_096),
  instancesMax: count('instances', 1, 65_536),
  threadHeapMaxMiB: count('MiB', 0, 1_048_576, "Node's own limit"),
};

/** Numbers of `policy`. */
export const policyRules: Readonly<Record<Exclude<keyof ControllerPolicy, 'isActive'>, NumberRule>> = {
  windowMs: durationMs(1),
  targetUtilization: ratio,
  drainTimeMs: durationMs(1),
  threadCpuMax: ratio,
  resourceUseMax: ratio,
  resourceShareMin: ratio,
  calmMs: durationMs(0, 'a reclaim as soon as fewer are wanted'),
  reclaimIntervalMs: durationMs(0, 'no pause between reclaims'),
  clonesMax: count('clones', 0, 65_536, 'no budget of its own'),
  decisionsPerMinuteMax: count('decisions/min', 1, 100_000),
};

/** Numbers at the top of a deployment. */
export const deploymentRules: Readonly<Record<'samplePeriodMs' | 'drainMaxMs' | 'spareThreads', NumberRule>> =
  {
    samplePeriodMs: { unit: 'ms', min: 10, max: 60_000, isInteger: false, isPowerOfTwo: false, zero: '' },
    drainMaxMs: durationMs(0, 'does not wait'),
    spareThreads: count('threads', 0, 64, 'none: a clone waits for a thread to start'),
  };

/** Numbers of a thread of a deployment. `core` counts from 0 and -1 means "not pinned". */
export const threadRules: Readonly<Record<'core' | 'nice', NumberRule>> = {
  core: count('core', -1, 1_023, 'the first core'),
  nice: count('niceness', 0, 19, 'yields to nobody'),
};

/** True if `value` is a number that the rule allows. NaN and infinities never are. */
export function meetsRule(value: unknown, rule: NumberRule): value is number {
  if (typeof value !== 'number' || !Number.isFinite(value)) return false;
  if (value < rule.min || value > rule.max) return false;
  if (rule.isInteger && !Number.isInteger(value)) return false;
  return !rule.isPowerOfTwo || Number.isInteger(Math.log2(value));
}

/** The rule as a phrase: "a whole number of messages from 2 to 1,048,576, a power of two". */
export function describeRule(rule: NumberRule): string {
  const figures = (n: number): string => n.toLocaleString('en-US');
  const kind = rule.isInteger ? 'a whole number' : 'a number';
  const unit = rule.unit === '' ? '' : rule.unit === 'ms' ? ' of milliseconds' : ` of ${rule.unit}`;
  const power = rule.isPowerOfTwo ? ', a power of two' : '';
  const zero = rule.zero === '' ? '' : ` (0: ${rule.zero})`;
  return `${kind}${unit} from ${figures(rule.min)} to ${figures(rule.max)}${power}${zero}`;
}
