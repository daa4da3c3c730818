import type { AnalysisRun, Receiver, Transmitter } from './analysis-run.ts';
import type { DelayMeter } from './delay-meter.ts';
import { add, type Exact, formatExact, less, multiply, sign, subtract } from './exact.ts';
import { offGrid } from './grid.ts';
import type { AnalysisResult, FlowResult, HopResult } from './result.ts';
import type { Peak } from './server.ts';
import { type Growth, longRunGrowth } from './stability.ts';
import type { ReceiverPlan, TransmitterPlan } from './system.ts';

/** The figures of a finished run, in seconds and bits. */
export function resultOf(run: AnalysisRun, hyperperiod: Exact, periods: number): AnalysisResult {
  const growth = longRunGrowth(run.plan, hyperperiod, (profile) => run.rates.get(profile)!);
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
  const all = [...growth.transmitters.values(), ...growth.receivers.values()].reduce(add, 0);
  return {
    hyperperiodSeconds: multiply(hyperperiod, run.grid.tickSeconds),
    periods,
    stable: sign(all) === 0,
    growthBitsPerHyperperiod: multiply(all, run.grid.dataBits),
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

/** Buffers that are bounded in the long run but whose backlog was still changing at the horizon. */
function unsettled(run: AnalysisRun, growth: Growth): string[] {
  const warnings: string[] = [];
  const check = (state: Transmitter | Receiver, grown: Exact, place: string): void => {
    const [before, last] = state.backlogs.slice(-2);
    if (sign(grown) > 0 || before === undefined || last === undefined || before === last) return;
    if (!less(before, last) && !less(last, before)) return;
    const [a, b] = [before, last].map((bits) => formatExact(multiply(bits, run.grid.dataBits)));
    warnings.push(
      `${place} had not settled: its backlog went from ${a} to ${b} bits in the last hyperperiod. It is bounded, ` +
        'but may still rise: analyse more hyperperiods for its final figures.',
    );
  };
  for (const [plan, state] of run.transmitters) {
    check(state, growth.transmitters.get(plan)!, `${plan.sender.name} at node ${plan.node}`);
  }
  for (const [plan, state] of run.receivers) {
    check(
      state,
      growth.receivers.get(plan)!,
      `the receiver ${plan.profile.name} at node ${plan.profile.node}`,
    );
  }
  return warnings;
}
