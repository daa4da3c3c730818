/**
 * A second, independent analysis for tests: all places of a network at once, from one instant at which any rate
 * changes to the next. It knows nothing of windows, of curves, or of the library's servers, links and meters.
 */
import { add, divide, type Exact, lcm, less, min, multiply, sign, subtract } from '../exact.ts';
import { latencyOf, ratesOf, type TrafficProfile } from '../profile.ts';
import type { Cumulative, Steps } from '../steps.ts';
import type { SystemPlan, TransmitterPlan } from '../system.ts';

export interface OracleHop {
  backlog: Exact;
  peak: Exact;
  readonly backlogsAtHyperperiods: Exact[];
}

export interface OracleResult {
  readonly transmitters: Map<TransmitterPlan, OracleHop>;
  readonly receivers: Map<TrafficProfile, OracleHop>;
  /** Cumulative data of each branch at its sender and behind its receiver; receivers with one flow only. */
  readonly sent: Cumulative[];
  readonly delivered: Cumulative[];
}

/** Constant latencies only. */
export function simulate(plan: SystemPlan, periods: number): OracleResult {
  const profiles = [
    ...new Set([
      ...plan.branches.map(({ sender }) => sender),
      ...plan.receivers.map(({ profile }) => profile),
      ...[...plan.provided.values()].flat(),
    ]),
  ];
  const hyperperiod = profiles.map(({ periodSeconds }) => periodSeconds).reduce(lcm);
  const horizon = multiply(hyperperiod, periods);
  const newHop = (): OracleHop => ({ backlog: 0, peak: 0, backlogsAtHyperperiods: [] });
  const transmitters = new Map(plan.transmitters.map((transmitter) => [transmitter, newHop()]));
  const receivers = new Map(plan.receivers.map(({ profile }) => [profile, newHop()]));
  /** What each link has sent: changes of rate, in order. */
  const history = new Map<TransmitterPlan, { time: Exact; rate: Exact }[]>(
    plan.transmitters.map((t) => [t, []]),
  );
  const latency = (t: TransmitterPlan): Exact => latencyOf(plan.provided.get(t.node)![0]!).values[0]!;
  const arriving = (t: TransmitterPlan, time: Exact): Exact => {
    let rate: Exact = 0;
    for (const change of history.get(t)!) if (!less(time, add(change.time, latency(t)))) rate = change.rate;
    return rate;
  };
  const sent: Cumulative[] = plan.branches.map(() => ({ times: [0], values: [0] }));
  const delivered: Cumulative[] = plan.branches.map(() => ({ times: [0], values: [0] }));
  let time: Exact = 0;
  let nextHyperperiod: Exact = hyperperiod;
  while (less(time, horizon)) {
    let next: Exact = min(horizon, nextHyperperiod);
    for (const profile of profiles) next = min(next, nextChange(ratesOf(profile), time));
    const growth = new Map<OracleHop, Exact>();
    const settle = (hop: OracleHop, rate: Exact, capacity: Exact): Exact => {
      const output = sign(hop.backlog) > 0 || less(capacity, rate) ? capacity : rate;
      growth.set(hop, subtract(rate, output));
      return output;
    };
    const left = new Map<string, Exact>();
    for (const [node, provided] of plan.provided) {
      left.set(node, provided.map((profile) => rateAt(ratesOf(profile), time)).reduce(add));
    }
    for (const t of plan.transmitters) {
      const rate = t.from === undefined ? rateAt(ratesOf(t.sender), time) : arriving(t.from, time);
      const output = settle(transmitters.get(t)!, rate, left.get(t.node)!);
      left.set(t.node, subtract(left.get(t.node)!, output));
      const changes = history.get(t)!;
      const last = changes[changes.length - 1];
      if (last === undefined || last.rate !== output) changes.push({ time, rate: output });
    }
    const delivering = plan.branches.map((): Exact => 0);
    for (const { profile } of plan.receivers) {
      const own = plan.branches.filter((branch) => branch.receiver?.profile === profile);
      const rates = own.map(({ sender, transmitters: hops }) =>
        hops.length === 0 ? rateAt(ratesOf(sender), time) : arriving(hops[hops.length - 1]!, time),
      );
      const output = settle(receivers.get(profile)!, rates.reduce(add), rateAt(ratesOf(profile), time));
      delivering[plan.branches.indexOf(own[0]!)] = output;
    }
    for (const t of plan.transmitters) {
      for (const change of history.get(t)!) {
        const arrival = add(change.time, latency(t));
        if (less(time, arrival)) next = min(next, arrival);
      }
    }
    for (const [hop, rate] of growth) {
      if (sign(rate) < 0 && sign(hop.backlog) > 0)
        next = min(next, add(time, divide(hop.backlog, subtract(0, rate))));
    }
    const span = subtract(next, time);
    for (const [hop, rate] of growth) {
      hop.backlog = add(hop.backlog, multiply(rate, span));
      if (less(hop.peak, hop.backlog)) hop.peak = hop.backlog;
    }
    for (const [k, { sender }] of plan.branches.entries()) {
      extend(sent[k]!, next, multiply(rateAt(ratesOf(sender), time), span));
      extend(delivered[k]!, next, multiply(delivering[k]!, span));
    }
    time = next;
    if (!less(time, nextHyperperiod)) {
      nextHyperperiod = add(nextHyperperiod, hyperperiod);
      for (const hop of [...transmitters.values(), ...receivers.values()])
        hop.backlogsAtHyperperiods.push(hop.backlog);
    }
  }
  return { transmitters, receivers, sent, delivered };
}

function extend(data: Cumulative, time: Exact, amount: Exact): void {
  data.times.push(time);
  data.values.push(add(data.values[data.values.length - 1]!, amount));
}

function rateAt(period: Steps, time: Exact): Exact {
  let start: Exact = 0;
  while (!less(time, add(start, period.end))) start = add(start, period.end);
  let rate: Exact = 0;
  for (const [k, from] of period.times.entries()) if (!less(time, add(start, from))) rate = period.rates[k]!;
  return rate;
}

function nextChange(period: Steps, time: Exact): Exact {
  let start: Exact = 0;
  while (!less(time, add(start, period.end))) start = add(start, period.end);
  for (const from of period.times) if (less(time, add(start, from))) return add(start, from);
  return add(start, period.end);
}
