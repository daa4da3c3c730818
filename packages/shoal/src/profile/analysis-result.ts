import type { AnalysisRun, Receiver, Transmitter } from './analysis-run.ts';
import type { DelayMeter } from './delay-meter.ts';
import { add, type Exact, equal, formatExact, multiply, sign, subtract } from './exact.ts';
import { offGrid } from './grid.ts';
import type { AnalysisResult, FlowResult, HopResult } from './result.ts';
import type { Peak } from './server.ts';
import { type Growth, growthOf, sumOfGrowth } from './stability.ts';
import type { ReceiverPlan, TransmitterPlan } from './system.ts';

/** The figures of a finished run, in seconds and bits. */
export function resultOf(run: AnalysisRun, hyperperiod: Exact, growth: Growth): AnalysisResult {
  const { periods } = run;
  const horizon = multiply(hyperperiod, periods);
  const hops = new Map<TransmitterPlan | ReceiverPlan, HopResult>();
  for (const [plan, state] of run.transmitters) {
    hops.set(plan, hopOf(run, plan.node, 'transmitter', state, growth.transmitters.get(plan)!, horizon));
  }
  for (const [plan, state] of run.receivers) {
    hops.set(plan, hopOf(run, plan.profile.node, 'receiver', state, growth.receivers.get(plan)!, horizon));
  }
  const flows: FlowResult[] = run.plan.branches.map((branch) => {
    const own = branch.transmitters.map((plan) => hops.get(plan)!);
    if (branch.receiver !== undefined) {
      const { branches } = run.receivers.get(branch.receiver)!;
      const sharedWith = branches.filter((other) => other !== branch).map((other) => other.sender.name);
      const whole = hops.get(branch.receiver)!;
      own.push(sharedWith.length === 0 ? whole : { ...whole, sharedWith });
    }
    const end = run.cut ?? horizon;
    const delay = peaksOf(run, run.branches.get(branch)!.meter, end).all;
    return {
      name: branch.sender.name,
      flow: branch.sender.flow,
      priority: branch.sender.priority,
      route: branch.route,
      hops: own,
      endToEnd: {
        delaySeconds: multiply(delay.value, run.grid.tickSeconds),
        timeSeconds: multiply(delay.time, run.grid.tickSeconds),
        sumOfHopDelaysSeconds: own.map((hop) => hop.delay.seconds).reduce(add, 0),
      },
    };
  });
  const all = sumOfGrowth(growth);
  return {
    hyperperiodSeconds: multiply(hyperperiod, run.grid.tickSeconds),
    periods,
    stable: sign(all) === 0,
    growthBitsPerHyperperiod: multiply(all, run.grid.dataBits),
    settled: run.changing.length === 0,
    warnings: [...run.plan.warnings, ...unsettled(run, growth)],
    flows,
  };
}

/** What waits at the end of the last hyperperiod worked through waits in the same way at the horizon. */
function peaksOf(run: AnalysisRun, meter: DelayMeter, horizon: Exact): { all: Peak; served: Peak } {
  const { all, served } = meter.peaks(subtract(horizon, run.skipped));
  return {
    served,
    all: all === served ? served : { time: add(all.time, run.skipped), value: all.value },
  };
}

function hopOf(
  run: AnalysisRun,
  node: string,
  role: HopResult['role'],
  state: Transmitter | Receiver,
  growth: Exact,
  horizon: Exact,
): HopResult {
  const { tickSeconds, dataBits } = run.grid;
  const seconds = (peak: Peak): HopResult['delay'] => ({
    timeSeconds: multiply(peak.time, tickSeconds),
    seconds: multiply(peak.value, tickSeconds),
  });
  const { peak, backlog } = state.server;
  const { all, served } = peaksOf(run, state.meter, horizon);
  const curves = state.curves;
  return {
    node,
    role,
    buffer: { timeSeconds: multiply(peak.time, tickSeconds), bits: multiply(peak.value, dataBits) },
    delay: seconds(all),
    servedDelay: seconds(served),
    unservedBits: multiply(backlog, dataBits),
    backlogBitsAtHyperperiods: state.backlogs.map((bits) => multiply(bits, dataBits)),
    growthBitsPerHyperperiod: multiply(growth, dataBits),
    sharedWith: [],
    curves:
      curves === undefined
        ? undefined
        : {
            required: offGrid(curves.required, run.grid),
            provided: offGrid(curves.provided, run.grid),
            output: offGrid(curves.output, run.grid),
            remaining: offGrid(curves.remaining, run.grid),
          },
  };
}

/** Places where a later hyperperiod would not be like the last: what they need may be more than was found. */
function unsettled(run: AnalysisRun, growth: Growth): string[] {
  const changing = new Set<unknown>(run.changing);
  const warnings: string[] = [];
  const check = (
    plan: TransmitterPlan | ReceiverPlan,
    state: Transmitter | Receiver,
    place: string,
  ): void => {
    const [before = 0, last = 0] = [0, ...state.backlogs].slice(-2);
    const isBounded = growthOf(growth, plan) === 0;
    const hasChanged = isBounded && !equal(before, last);
    if (isBounded && growth.idle.has(plan) && sign(state.server.backlog) > 0 && !changing.has(plan)) {
      const bits = formatExact(multiply(state.server.backlog, run.grid.dataBits));
      warnings.push(`${place}: ${bits} bits wait for ever, because no capacity is left for them later on.`);
    }
    if (run.cut !== undefined ? run.periods === 1 || !hasChanged : !changing.has(plan)) return;
    const [a, b] = [before, last].map((bits) => formatExact(multiply(bits, run.grid.dataBits)));
    const how = hasChanged
      ? `its backlog went from ${a} to ${b} bits in the last hyperperiod. It is bounded, but may still rise`
      : 'at the end of the last hyperperiod other data was waiting or on its way than at its beginning, so figures may still rise';
    warnings.push(`${place} had not settled: ${how}: analyse more hyperperiods for its final figures.`);
  };
  for (const [plan, state] of run.transmitters) {
    check(plan, state, `${plan.sender.name} at node ${plan.node}`);
  }
  for (const [plan, state] of run.receivers) {
    check(plan, state, `the receiver ${plan.profile.name} at node ${plan.profile.node}`);
  }
  const isTold = [...run.transmitters.keys(), ...run.receivers.keys()].some((plan) => changing.has(plan));
  if (!isTold && changing.size > 0) {
    const names = run.plan.branches.filter((branch) => changing.has(branch)).map(({ sender }) => sender.name);
    warnings.push(
      `the delays from end to end of ${names.join(', ')} had not settled: analyse more hyperperiods for final figures.`,
    );
  }
  return warnings;
}
