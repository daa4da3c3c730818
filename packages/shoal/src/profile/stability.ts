import { add, divide, type Exact, less, multiply, subtract } from './exact.ts';
import type { TrafficProfile } from './profile.ts';
import { type Steps, total } from './steps.ts';
import type { ReceiverPlan, SystemPlan, TransmitterPlan } from './system.ts';

/** Long-run growth of each buffer in bits (grid units) per hyperperiod; 0 where it is bounded. */
export interface Growth {
  readonly transmitters: ReadonlyMap<TransmitterPlan, Exact>;
  readonly receivers: ReadonlyMap<ReceiverPlan, Exact>;
  /** Where nothing is sent in the long run: what waits there then waits for ever. */
  readonly idle: ReadonlySet<TransmitterPlan | ReceiverPlan>;
}

/**
 * Stability over all hyperperiods, from amounts alone.
 *
 * A work-conserving server whose input and capacity become periodic has a backlog that settles after finitely many
 * hyperperiods when it is asked for no more than it can serve (`a ≤ c`), and else grows by `a − c` in each. Its output
 * and what it leaves over become periodic too, with `min(a, c)` and `c − min(a, c)` a hyperperiod. Links only move
 * data in time. So by induction in the order of the plan the long-run amounts follow from those of the profiles.
 */
export function longRunGrowth(
  plan: SystemPlan,
  hyperperiod: Exact,
  ratesOf: (profile: TrafficProfile) => Steps,
): Growth {
  const perHyperperiod = (profile: TrafficProfile): Exact => {
    const steps = ratesOf(profile);
    return multiply(total(steps), divide(hyperperiod, steps.end));
  };
  const capacity = new Map<string, Exact>();
  for (const [node, profiles] of plan.provided) {
    capacity.set(node, profiles.map(perHyperperiod).reduce(add, 0));
  }
  const outputs = new Map<TransmitterPlan, Exact>();
  const transmitters = new Map<TransmitterPlan, Exact>();
  const idle = new Set<TransmitterPlan | ReceiverPlan>();
  for (const transmitter of plan.transmitters) {
    const { from, sender, node } = transmitter;
    const asked = from === undefined ? perHyperperiod(sender) : outputs.get(from)!;
    const available = capacity.get(node)!;
    const sent = less(available, asked) ? available : asked;
    outputs.set(transmitter, sent);
    if (sent === 0) idle.add(transmitter);
    capacity.set(node, subtract(available, sent));
    transmitters.set(transmitter, subtract(asked, sent));
  }
  const receivers = new Map<ReceiverPlan, Exact>();
  for (const receiver of plan.receivers) {
    let asked: Exact = 0;
    for (const branch of plan.branches) {
      if (branch.receiver !== receiver) continue;
      const last = branch.transmitters[branch.transmitters.length - 1];
      asked = add(asked, last === undefined ? perHyperperiod(branch.sender) : outputs.get(last)!);
    }
    const available = perHyperperiod(receiver.profile);
    if (asked === 0 || available === 0) idle.add(receiver);
    const excess = subtract(asked, available);
    receivers.set(receiver, less(excess, 0) ? 0 : excess);
  }
  return { transmitters, receivers, idle };
}

/** Bits (grid units) by which all buffers together grow in a hyperperiod, in the long run. */
export function sumOfGrowth({ transmitters, receivers }: Growth): Exact {
  return [...transmitters.values(), ...receivers.values()].reduce(add, 0);
}

/** Bits (grid units) by which one buffer grows in a hyperperiod, in the long run. */
export function growthOf({ transmitters, receivers }: Growth, plan: TransmitterPlan | ReceiverPlan): Exact {
  return transmitters.get(plan as TransmitterPlan) ?? receivers.get(plan as ReceiverPlan) ?? 0;
}
