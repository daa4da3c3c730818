import { Capacity } from './capacity.ts';
import { DelayMeter, type DelayRule, type Passage } from './delay-meter.ts';
import { ProfileError } from './errors.ts';
import { add, divide, type Exact, equal, floor, less, multiply, subtract, toNumber } from './exact.ts';
import { FlowShare } from './flow-share.ts';
import { type Grid, gridLatency } from './grid.ts';
import { Link } from './link.ts';
import type { TrafficProfile } from './profile.ts';
import type { HopCurves } from './result.ts';
import { Server } from './server.ts';
import { type Growth, growthOf, sumOfGrowth } from './stability.ts';
import { addSteps, concatenate, integrate, repeatSteps, type Steps, valueAt, window } from './steps.ts';
import type { BranchPlan, ReceiverPlan, SystemPlan, TransmitterPlan } from './system.ts';

/** Most break points, over all flows, hops and hyperperiods, of an analysis: some minutes of work. */
export const analysisMaxBreakPoints = 1_000_000_000;
/** Most hyperperiods that are analysed to find where a system settles. */
export const settleMaxPeriods = 100;
/** Most break points of an analysis that goes on behind its horizon to find that: some seconds of work. */
const settleMaxBreakPoints = 20_000_000;
/** Break points that one window may bring to the busiest link: keeps its functions in the processor's cache. */
const windowTargetPoints = 8192;

/** State of one flow on one link. */
export interface Transmitter {
  readonly server: Server;
  readonly meter: DelayMeter;
  readonly link: Link;
  /** What arrives at the next node in the current window. */
  arriving: Steps;
  readonly backlogs: Exact[];
  curves: HopCurves | undefined;
}

/** State of one receive buffer. */
export interface Receiver {
  readonly server: Server;
  readonly meter: DelayMeter;
  readonly passages: Passage[];
  readonly capacity: NodeCapacity;
  readonly branches: BranchPlan[];
  readonly backlogs: Exact[];
  curves: HopCurves | undefined;
}

/** Capacity that flows of higher priority have left in the current window, and room for what the next one leaves. */
export interface NodeCapacity {
  left: Capacity;
  spare: Capacity;
}

/** What measures a branch from end to end. */
export interface Branch {
  readonly meter: DelayMeter;
  readonly share: FlowShare;
}

function newCapacity(): NodeCapacity {
  return { left: new Capacity(), spare: new Capacity() };
}

const nothing: Steps = { times: [], rates: [], end: 0 };

/**
 * The state of one analysis on the grid; used once.
 *
 * Work goes window by window. In each, flows go in order of priority along their routes, each taking what it can of
 * the capacity that those before it have left; then the receivers drain what has arrived. Between windows only
 * backlogs, queues and data on its way are kept, so memory does not grow with the horizon.
 */
export class AnalysisRun {
  readonly plan: SystemPlan;
  readonly rates: ReadonlyMap<TrafficProfile, Steps>;
  readonly grid: Grid;
  readonly #keepCurves: boolean;
  /** Set for the published tool's composition: what is handed on is cut after it and repeated. */
  readonly cut: Exact | undefined;
  /** Hyperperiods analysed. */
  periods = 0;
  /** What was not the same at the beginning and at the end of the last hyperperiod worked through. */
  changing: readonly (TransmitterPlan | ReceiverPlan | BranchPlan)[] = [];
  /** Time at the end of the horizon that repeats what came before it. */
  skipped: Exact = 0;
  readonly #capacities = new Map<string, NodeCapacity>();
  readonly transmitters: Map<TransmitterPlan, Transmitter> = new Map();
  readonly receivers: Map<ReceiverPlan, Receiver> = new Map();
  readonly branches: Map<BranchPlan, Branch> = new Map();

  constructor(
    plan: SystemPlan,
    rates: ReadonlyMap<TrafficProfile, Steps>,
    grid: Grid,
    rule: DelayRule,
    keepCurves: boolean,
    cut: Exact | undefined,
  ) {
    this.plan = plan;
    this.rates = rates;
    this.grid = grid;
    this.#keepCurves = keepCurves;
    this.cut = cut;
    for (const node of plan.provided.keys()) this.#capacities.set(node, newCapacity());
    for (const transmitter of plan.transmitters) {
      this.transmitters.set(transmitter, {
        server: new Server(),
        meter: new DelayMeter(rule),
        link: new Link(gridLatency(plan.provided.get(transmitter.node)![0]!, grid)),
        arriving: nothing,
        backlogs: [],
        curves: undefined,
      });
    }
    for (const receiver of plan.receivers) {
      const passages: Passage[] = [];
      const branches = plan.branches.filter((branch) => branch.receiver === receiver);
      const onPassage =
        branches.length > 1 ? (passage: Passage) => appendPassage(passages, passage) : undefined;
      const meter = new DelayMeter(rule, onPassage);
      this.receivers.set(receiver, {
        server: new Server(),
        meter,
        passages,
        capacity: newCapacity(),
        branches,
        backlogs: [],
        curves: undefined,
      });
    }
    for (const branch of plan.branches) {
      this.branches.set(branch, { meter: new DelayMeter(rule), share: new FlowShare() });
    }
  }

  /**
   * Goes through the horizon; stops early when the state repeats, because then all that follows does too. With
   * `untilSettled` it goes on behind the horizon until then, for at most {@link settleMaxPeriods} in all. Throws a
   * `ProfileError` when the horizon has more than {@link analysisMaxBreakPoints}.
   */
  analyse(hyperperiod: Exact, periods: number, growth: Growth, untilSettled: boolean): void {
    const pointsPerPeriod = this.#pointsPerPeriod(hyperperiod);
    this.#checkSize(hyperperiod, pointsPerPeriod, periods);
    this.periods = periods;
    if (this.cut !== undefined) {
      this.#advance(0, multiply(hyperperiod, periods));
      this.#noteBacklogs(1);
      return;
    }
    const affordable = Math.floor(settleMaxBreakPoints / pointsPerPeriod);
    const most = untilSettled ? Math.max(periods, Math.min(settleMaxPeriods, affordable)) : periods;
    const windows = this.#windowsPerHyperperiod(hyperperiod);
    const isStable = sumOfGrowth(growth) === 0;
    let before = this.#states(0, growth, 0);
    for (let period = 0; period < most; period += 1) {
      const start = multiply(hyperperiod, period);
      for (let k = 0; k < windows; k += 1) {
        const from = add(start, floor(divide(multiply(hyperperiod, k), windows)));
        const to = add(start, floor(divide(multiply(hyperperiod, k + 1), windows)));
        if (less(from, to)) this.#advance(from, to);
      }
      const states = this.#states(add(start, hyperperiod), growth, period + 1);
      this.changing = [...states].filter(([plan, state]) => before.get(plan) !== state).map(([plan]) => plan);
      before = states;
      const isSettled = this.changing.length === 0;
      const left = periods - period - 1;
      if (left > 0 && isSettled && isStable && !this.#keepCurves) {
        this.#noteBacklogs(left + 1);
        this.skipped = multiply(hyperperiod, left);
        return;
      }
      this.#noteBacklogs(1);
      this.periods = Math.max(periods, period + 1);
      if (left <= 0 && isSettled) return;
    }
  }

  #pointsPerPeriod(hyperperiod: Exact): number {
    let points = 0;
    for (const { sender } of [...this.plan.transmitters, ...this.plan.branches]) {
      const steps = this.rates.get(sender)!;
      points += steps.times.length * toNumber(divide(hyperperiod, steps.end));
    }
    return points;
  }

  #checkSize(hyperperiod: Exact, pointsPerPeriod: number, periods: number): void {
    const points = pointsPerPeriod * periods;
    if (points <= analysisMaxBreakPoints) return;
    const seconds = toNumber(multiply(hyperperiod, this.grid.tickSeconds)).toPrecision(3);
    const message =
      `the profiles together repeat only after ${seconds} s, and ${periods} times that has about ` +
      `${points.toPrecision(2)} break points, more than ${analysisMaxBreakPoints.toPrecision(2)}: ` +
      'choose periods with a smaller common multiple, or fewer hyperperiods.';
    throw new ProfileError([{ source: 'system', message }]);
  }

  #windowsPerHyperperiod(hyperperiod: Exact): number {
    const points = new Map<string, number>();
    const count = (node: string, profile: TrafficProfile): void => {
      const steps = this.rates.get(profile)!;
      const repeats = toNumber(divide(hyperperiod, steps.end));
      points.set(node, (points.get(node) ?? 0) + steps.times.length * repeats);
    };
    for (const { node, sender } of this.plan.transmitters) count(node, sender);
    for (const { receiver, sender } of this.plan.branches) {
      if (receiver !== undefined) count(`receiver ${receiver.profile.node}`, sender);
    }
    for (const [node, provided] of this.plan.provided) for (const profile of provided) count(node, profile);
    const busiest = [...points.values()].reduce((most, count) => Math.max(most, count), 0);
    return Math.max(1, Math.min(Math.ceil(busiest / windowTargetPoints), toNumber(floor(hyperperiod))));
  }

  #advance(from: Exact, to: Exact): void {
    for (const [node, profiles] of this.plan.provided) {
      const provided = profiles.map((profile) => window(this.rates.get(profile)!, from, to)).reduce(addSteps);
      this.#capacities.get(node)!.left.load(provided);
    }
    const sources = new Map<TrafficProfile, Steps>();
    for (const { sender } of this.plan.branches) {
      if (!sources.has(sender)) sources.set(sender, window(this.rates.get(sender)!, from, to));
    }
    for (const plan of this.plan.transmitters) {
      const state = this.transmitters.get(plan)!;
      const capacity = this.#capacities.get(plan.node)!;
      const required =
        plan.from === undefined
          ? sources.get(plan.sender)!
          : this.#handOn(this.transmitters.get(plan.from)!.arriving);
      const output = this.#serve(state, required, capacity);
      state.arriving = state.link.carry(output);
      if (this.cut !== undefined) capacity.left.load(this.#handOn(capacity.left.toSteps()));
    }
    for (const [plan, receiver] of this.receivers) this.#receive(plan, receiver, sources, from, to);
    for (const plan of this.plan.branches) {
      if (plan.receiver === undefined) {
        this.#measureEndToEnd(plan, sources.get(plan.sender)!, this.#arrivalsOf(plan, sources));
      }
    }
  }

  /** What the last transmitter of a branch delivers, or the source itself when it is on the receiver's node. */
  #arrivalsOf(branch: BranchPlan, sources: ReadonlyMap<TrafficProfile, Steps>): Steps {
    const last = branch.transmitters[branch.transmitters.length - 1];
    return last === undefined
      ? sources.get(branch.sender)!
      : this.#handOn(this.transmitters.get(last)!.arriving);
  }

  /** All flows of a receiver fill one FIFO buffer, which the receiver profile drains. */
  #receive(
    plan: ReceiverPlan,
    receiver: Receiver,
    sources: ReadonlyMap<TrafficProfile, Steps>,
    from: Exact,
    to: Exact,
  ): void {
    const arrivals = receiver.branches.map((branch) => this.#arrivalsOf(branch, sources));
    const required = sumOf(arrivals);
    receiver.capacity.left.load(window(this.rates.get(plan.profile)!, from, to));
    const output = this.#serve(receiver, required, receiver.capacity);
    for (const [index, branch] of receiver.branches.entries()) {
      const departures =
        receiver.branches.length === 1
          ? output
          : this.branches.get(branch)!.share.advance(arrivals[index]!, receiver.passages);
      this.#measureEndToEnd(branch, sources.get(branch.sender)!, departures);
    }
    receiver.passages.length = 0;
  }

  /** Serves a window; what is left over becomes the capacity for the next flow. */
  #serve(state: Transmitter | Receiver, required: Steps, capacity: NodeCapacity): Steps {
    const { left, spare } = capacity;
    const output = state.server.serve(required, left, spare);
    state.meter.advance(required, output);
    if (this.#keepCurves)
      state.curves = extend(state.curves, required, left.toSteps(), output, spare.toSteps());
    if (this.cut !== undefined) this.#noteBacklogsWithin(state, required, output);
    capacity.left = spare;
    capacity.spare = left;
    return output;
  }

  /** The published tool's composition is done in one window, so the hyperperiods within it are looked at afterwards. */
  #noteBacklogsWithin(state: Transmitter | Receiver, required: Steps, output: Steps): void {
    const [arrived, left] = [integrate(required), integrate(output)];
    for (let end = this.cut!; less(end, output.end); end = add(end, this.cut!)) {
      state.backlogs.push(subtract(valueAt(arrived, end), valueAt(left, end)));
    }
  }

  #measureEndToEnd(branch: BranchPlan, source: Steps, delivered: Steps): void {
    const { meter } = this.branches.get(branch)!;
    if (this.cut === undefined) meter.advance(source, delivered);
    // What the published tool hands on is not what was sent, so only the first hyperperiod can be compared.
    else meter.advance(window(source, 0, this.cut), window(delivered, 0, this.cut));
  }

  #handOn(steps: Steps): Steps {
    if (this.cut === undefined) return steps;
    return repeatSteps(window(steps, 0, this.cut), toNumber(divide(steps.end, this.cut)));
  }

  #noteBacklogs(times: number): void {
    for (const state of [...this.transmitters.values(), ...this.receivers.values()]) {
      for (let k = 0; k < times; k += 1) state.backlogs.push(state.server.backlog);
    }
  }

  /**
   * The state of everything at the end of a hyperperiod. When all of it is equal at the ends of two successive ones,
   * every later hyperperiod is like the one between them. A backlog that grows without bound is settled once it grows
   * by the same amount each time: then all capacity is used, and more waiting data changes nothing. What waits where
   * nothing is sent any more changes nothing either.
   */
  #states(
    origin: Exact,
    growth: Growth,
    periods: number,
  ): Map<TransmitterPlan | ReceiverPlan | BranchPlan, string> {
    const states = new Map<TransmitterPlan | ReceiverPlan | BranchPlan, string>();
    const waiting = (
      plan: TransmitterPlan | ReceiverPlan,
      { server, meter }: Transmitter | Receiver,
    ): string => {
      const grown = growthOf(growth, plan);
      if (grown !== 0) return String(subtract(server.backlog, multiply(grown, periods)));
      return growth.idle.has(plan)
        ? String(server.backlog)
        : `${server.backlog};${meter.fingerprint(origin)}`;
    };
    for (const [plan, state] of this.transmitters) {
      states.set(plan, `${waiting(plan, state)};${state.link.fingerprint(origin)}`);
    }
    for (const [plan, state] of this.receivers) states.set(plan, waiting(plan, state));
    for (const [plan, { meter, share }] of this.branches) {
      const places = [...plan.transmitters, ...(plan.receiver === undefined ? [] : [plan.receiver])];
      const isServed = places.every((place) => growthOf(growth, place) === 0 && !growth.idle.has(place));
      if (isServed) states.set(plan, `${meter.fingerprint(origin)};${share.fingerprint(origin)}`);
    }
    return states;
  }
}

/** Appends a passage; stretches in which everything passes at once become one. */
function appendPassage(passages: Passage[], passage: Passage): void {
  const last = passages[passages.length - 1];
  const atOnce = ({ arrivedFrom, arrivedTo, leftFrom, leftTo }: Passage): boolean =>
    equal(arrivedFrom, leftFrom) && equal(arrivedTo, leftTo);
  if (last !== undefined && equal(last.leftTo, passage.leftFrom) && atOnce(last) && atOnce(passage)) {
    passages[passages.length - 1] = { ...last, arrivedTo: passage.arrivedTo, leftTo: passage.leftTo };
  } else {
    passages.push(passage);
  }
}

/** Pairwise, so that the work grows with `n log n`. */
function sumOf(functions: readonly Steps[]): Steps {
  if (functions.length === 1) return functions[0]!;
  const middle = functions.length >> 1;
  return addSteps(sumOf(functions.slice(0, middle)), sumOf(functions.slice(middle)));
}

function extend(
  before: HopCurves | undefined,
  required: Steps,
  provided: Steps,
  output: Steps,
  remaining: Steps,
): HopCurves {
  if (before === undefined) return { required, provided, output, remaining };
  return {
    required: concatenate(before.required, required),
    provided: concatenate(before.provided, provided),
    output: concatenate(before.output, output),
    remaining: concatenate(before.remaining, remaining),
  };
}
