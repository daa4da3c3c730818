import type { RestartPolicy } from '../../model/index.ts';
import type { RuntimeEnd } from './runtime-end.ts';

export type RestartVerdict = 'restart' | 'leave' | 'too-many';

/** Decides whether a process that ended is started again: OTP's restart kinds, intensity and period; pure. */
export interface RestartBudget {
  /** @param nowMs milliseconds on a monotonic clock */
  judge(end: RuntimeEnd, nowMs: number): RestartVerdict;
}

/** `temporary`: never. `transient`: unless it finished by itself with exit code 0. `permanent`: always. */
export function createRestartBudget(policy: RestartPolicy): RestartBudget {
  let restartsAtMs: number[] = [];
  return {
    judge: (end, nowMs) => {
      const isWanted =
        policy.kind === 'permanent' || (policy.kind === 'transient' && end.kind !== 'finished');
      if (!isWanted) return 'leave';
      restartsAtMs = restartsAtMs.filter((atMs) => nowMs - atMs < policy.periodMs);
      if (restartsAtMs.length >= policy.intensity) return 'too-many';
      restartsAtMs.push(nowMs);
      return 'restart';
    },
  };
}
