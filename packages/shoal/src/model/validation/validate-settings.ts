/** What can be wrong with the numbers of a deployment: limits, controller policy, periods. */
import type { Deployment } from '../deployment.ts';
import type { Limits } from '../limits.ts';
import {
  deploymentRules,
  describeRule,
  limitRules,
  meetsRule,
  type NumberRule,
  policyRules,
} from '../number-rule.ts';
import type { AddProblem } from '../problem.ts';
import { show } from '../problem.ts';
import { isName, nameMend } from './names.ts';
import type { PlaceOfPath } from './place-of-path.ts';

/** A deployment without its machines. */
export type DeploymentSettings = Omit<Deployment, 'machines'>;

function checkRelations(limits: Limits, placeOf: PlaceOfPath, add: AddProblem): void {
  const { messageMaxBytes, laneMaxBytes } = limits;
  if (messageMaxBytes > laneMaxBytes / 2) {
    const what = `limits.messageMaxBytes is ${messageMaxBytes}, more than half of limits.laneMaxBytes, ${laneMaxBytes}`;
    const mend = `Give at most ${Math.floor(laneMaxBytes / 2)}, or laneMaxBytes of at least ${2 * messageMaxBytes}`;
    add(placeOf(['limits', 'messageMaxBytes']), what, mend);
  }
}

/** Reports wrong numbers, and numbers that contradict each other. */
export function validateSettings(settings: DeploymentSettings, placeOf: PlaceOfPath, add: AddProblem): void {
  const before = add;
  let found = 0;
  const counted: AddProblem = (...problem) => {
    found++;
    before(...problem);
  };
  if (settings.name !== '' && !isName(settings.name)) {
    counted(placeOf(['name']), `The deployment has the name ${show(settings.name)}`, nameMend);
  }
  // A deployment is resolved: a number that is absent has no default any more.
  const check = (path: readonly string[], value: unknown, rule: NumberRule): void => {
    if (meetsRule(value, rule)) return;
    const what = `Deployment: ${path.join('.')} is ${show(value)}`;
    counted(placeOf(path), what, `Give ${describeRule(rule)}`);
  };
  for (const [name, rule] of Object.entries(limitRules)) {
    check(['limits', name], settings.limits[name as keyof Limits], rule);
  }
  for (const [name, rule] of Object.entries(policyRules)) {
    check(['policy', name], settings.policy[name as keyof typeof policyRules], rule);
  }
  if (typeof settings.policy.isActive !== 'boolean') {
    const what = `Deployment: policy.isActive is ${show(settings.policy.isActive)}`;
    counted(placeOf(['policy', 'isActive']), what, 'Give true or false');
  }
  for (const [name, rule] of Object.entries(deploymentRules)) {
    check([name], settings[name as keyof typeof deploymentRules], rule);
  }
  // Relations of numbers that are wrong by themselves would only say the same thing twice.
  if (found > 0) return;
  checkRelations(settings.limits, placeOf, add);
  const { policy, samplePeriodMs, limits, spareThreads } = settings;
  if (policy.windowMs < samplePeriodMs) {
    const what = `policy.windowMs is ${policy.windowMs}, shorter than samplePeriodMs, ${samplePeriodMs}`;
    add(placeOf(['policy', 'windowMs']), what, 'Give a window of at least one sample period');
  }
  if (spareThreads > limits.threadsMax) {
    const what = `spareThreads is ${spareThreads}, more than limits.threadsMax, ${limits.threadsMax}`;
    add(placeOf(['spareThreads']), what, 'Give fewer spare threads');
  }
}
