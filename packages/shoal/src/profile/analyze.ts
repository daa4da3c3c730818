import { Capacity } from './capacity.ts';
import { DelayMeter, type DelayRule, type Passage } from './delay-meter.ts';
import {
  add,
  divide,
  type Exact,
  floor,
  formatExact,
  lcm,
  less,
  multiply,
  sign,
  subtract,
  toNumber,
} from './exact.ts';
import { FlowShare } from './flow-share.ts';
import { findGrid, type Grid, gridLatency, gridRates, offGrid } from './grid.ts';
import { Link } from './link.ts';
import type { TrafficProfile } from './profile.ts';
import type { AnalysisResult, FlowResult, HopCurves, HopResult } from './result.ts';
import { type Peak, Server } from './server.ts';
import { longRunGrowth } from './stability.ts';
import { addSteps, concatenate, integrate, repeatSteps, type Steps, valueAt, window } from './steps.ts';
import {
  type BranchPlan,
  planSystem,
  type ReceiverPlan,
  type SystemInput,
  type TransmitterPlan,
} from './system.ts';

/** Options of {@link analyze}. */
export interface AnalyzeOptions {
  /** Hyperperiods to analyse, at least 1. Default 2: with one, nothing that carries over is seen. */
  readonly periods?: number | undefined;
  /** How delay is measured. Default `sup`, the exact supremum. */
  readonly delayRule?: DelayRule | undefined;
  /**
   * `full` (default) follows the data over the whole horizon. `first-period` reproduces the published tool, which
   * hands on only the first hyperperiod of what was sent and of what was left over, repeated; backlog that carries
   * over is lost at the next hop, so its figures can be too low.
   */
  readonly composition?: 'full' | 'first-period' | undefined;
  /** Which rates senders send at. Default `mean`. */
  readonly column?: 'mean' | 'max' | undefined;
  /** Keep the functions of every hop for plots and further calculation. Default false. */
  readonly curves?: boolean | undefined;
}

/** Most hyperperiods that are analysed. */
export const analysisMaxPeriods = 10_000;
/** Break points that one window may bring to the busiest link: keeps its functions in the processor's cache. */
const windowTargetPoints = 8192;

/**
 * Analyses a system over whole hyperperiods, with exact rational arithmetic: buffers, delays, stability, end-to-end
 * delays. Flows are served by priority; what does not fit is buffered.
 *
 * The work is done in windows of time: in each, flows go in order of priority along their routes, each taking what
 * it can of the capacity that those before it have left. That is sound because nothing depends on later times.
 *
 * Throws a `ProfileError` when the profiles do not make a system, and a RangeError for a bad number of periods.
 */
export function analyze(input: SystemInput, options: AnalyzeOptions = {}): AnalysisResult {
  const { periods = 2, delayRule = 'sup', composition = 'full', column = 'mean', curves = false } = options;
  if (!Number.isSafeInteger(periods) || periods < 1 || periods > analysisMaxPeriods) {
    throw new RangeError(`periods must be a whole number from 1 to ${analysisMaxPeriods}, not ${periods}`);
  }
  const plan = planSystem(input);
  const profiles = [
    ...new Set([
      ...plan.branches.map((branch) => branch.sender),
      ...plan.receivers.map((receiver) => receiver.profile),
      ...[...plan.provided.values()].flat(),
    ]),
  ];
  const grid = findGrid(profiles);
  const rates = new Map<TrafficProfile, Steps>();
  for (const profile of profiles) {
    rates.set(profile, gridRates(profile, profile.kind === 'required' ? column : 'mean', grid));
  }
  const hyperperiod = [...rates.values()].map((steps) => steps.end).reduce(lcm);
  const run = new Run(
    plan,
    rates,
    grid,
    delayRule,
    curves,
    composition === 'first-period' ? hyperperiod : undefined,
  );
  run.analyse(hyperperiod, periods);
  return run.result(hyperperiod, periods);
}

type Plan = ReturnType<typeof planSystem>;

interface Transmitter {
  readonly server: Server;
  readonly meter: DelayMeter;
  readonly link: Link;
  /** What arrives at the next node in the current window. */
  arriving: Steps;
  readonly backlogs: Exact[];
  curves: HopCurves | undefined;
}

interface Receiver {
  readonly server: Server;
  readonly meter: DelayMeter;
  readonly passages: Passage[];
  readonly capacity: NodeCapacity;
  readonly branches: BranchPlan[];
  readonly backlogs: Exact[];
  curves: HopCurves | undefined;
}

/** Capacity that flows of higher priority have left in the current window, and room for what the next one leaves. */
interface NodeCapacity {
  left: Capacity;
  spare: Capacity;
}

interface Branch {
  readonly meter: DelayMeter;
  readonly share: FlowShare;
}

function newCapacity(): NodeCapacity {
  return { left: new Capacity(), spare: new Capacity() };
}

const nothing: Steps = { times: [], rates: [], end: 0 };

/** The state of one analysis; used once. */
class Run {
  readonly #plan: Plan;
  readonly #rates: ReadonlyMap<TrafficProfile, Steps>;
  readonly #grid: Grid;
  readonly #keepCurves: boolean;
  /** Set for the published tool's composition: what is handed on is cut after it and repeated. */
  readonly #cut: Exact | undefined;
  /** Time at the end of the horizon that repeats what came before it. */
  #skipped: Exact = 0;
  readonly #capacities = new Map<string, NodeCapacity>();
  readonly #transmitters = new Map<TransmitterPlan, Transmitter>();
  readonly #receivers = new Map<ReceiverPlan, Receiver>();
  readonly #branches = new Map<BranchPlan, Branch>();

  constructor(
    plan: Plan,
    rates: ReadonlyMap<TrafficProfile, Steps>,
    grid: Grid,
    rule: DelayRule,
    keepCurves: boolean,
    cut: Exact | undefined,
  ) {
    this.#plan = plan;
    this.#rates = rates;
    this.#grid = grid;
    this.#keepCurves = keepCurves;
    this.#cut = cut;
    for (const node of plan.provided.keys()) this.#capacities.set(node, newCapacity());
    for (const transmitter of plan.transmitters) {
      this.#transmitters.set(transmitter, {
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
      const onPassage = branches.length > 1 ? (passage: Passage) => void passages.push(passage) : undefined;
      const meter = new DelayMeter(rule, onPassage);
      this.#receivers.set(receiver, {
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
      this.#branches.set(branch, { meter: new DelayMeter(rule), share: new FlowShare() });
    }
  }

  /** Goes through the horizon; stops early when the state repeats, because then all that follows does too. */
  analyse(hyperperiod: Exact, periods: number): void {
    if (this.#cut !== undefined) {
      this.#advance(0, multiply(hyperperiod, periods));
      this.#noteBacklogs(1);
      return;
    }
    const windows = this.#windowsPerHyperperiod(hyperperiod);
    let before = '';
    for (let period = 0; period < periods; period += 1) {
      const start = multiply(hyperperiod, period);
      for (let k = 0; k < windows; k += 1) {
        const from = add(start, floor(divide(multiply(hyperperiod, k), windows)));
        const to = add(start, floor(divide(multiply(hyperperiod, k + 1), windows)));
        if (less(from, to)) this.#advance(from, to);
      }
      const left = periods - period - 1;
      const state = left > 0 && period > 0 ? this.#fingerprint(add(start, hyperperiod)) : '';
      const settled = left > 0 && !this.#keepCurves && state !== '' && state === before;
      this.#noteBacklogs(settled ? left + 1 : 1);
      if (settled) {
        this.#skipped = multiply(hyperperiod, left);
        break;
      }
      before = left > 0 && period === 0 ? this.#fingerprint(add(start, hyperperiod)) : state;
    }
  }

  #windowsPerHyperperiod(hyperperiod: Exact): number {
    const points = new Map<string, number>();
    const count = (node: string, profile: TrafficProfile): void => {
      const steps = this.#rates.get(profile)!;
      const repeats = toNumber(divide(hyperperiod, steps.end));
      points.set(node, (points.get(node) ?? 0) + steps.times.length * repeats);
    };
    for (const { node, sender } of this.#plan.transmitters) count(node, sender);
    for (const { receiver, sender } of this.#plan.branches) {
      if (receiver !== undefined) count(`receiver ${receiver.profile.node}`, sender);
    }
    for (const [node, provided] of this.#plan.provided) for (const profile of provided) count(node, profile);
    const busiest = Math.max(...points.values());
    return Math.max(1, Math.min(Math.ceil(busiest / windowTargetPoints), toNumber(floor(hyperperiod))));
  }

  #advance(from: Exact, to: Exact): void {
    for (const [node, profiles] of this.#plan.provided) {
      const provided = profiles
        .map((profile) => window(this.#rates.get(profile)!, from, to))
        .reduce(addSteps);
      this.#capacities.get(node)!.left.load(provided);
    }
    const sources = new Map<TrafficProfile, Steps>();
    for (const { sender } of this.#plan.branches) {
      if (!sources.has(sender)) sources.set(sender, window(this.#rates.get(sender)!, from, to));
    }
    for (const plan of this.#plan.transmitters) {
      const state = this.#transmitters.get(plan)!;
      const capacity = this.#capacities.get(plan.node)!;
      const required =
        plan.from === undefined
          ? sources.get(plan.sender)!
          : this.#handOn(this.#transmitters.get(plan.from)!.arriving);
      const output = this.#serve(state, required, capacity);
      state.arriving = state.link.carry(output);
      if (this.#cut !== undefined) capacity.left.load(this.#handOn(capacity.left.toSteps()));
    }
    for (const [plan, receiver] of this.#receivers) this.#receive(plan, receiver, sources, from, to);
    for (const plan of this.#plan.branches) {
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
      : this.#handOn(this.#transmitters.get(last)!.arriving);
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
    receiver.capacity.left.load(window(this.#rates.get(plan.profile)!, from, to));
    const output = this.#serve(receiver, required, receiver.capacity);
    for (const [index, branch] of receiver.branches.entries()) {
      const departures =
        receiver.branches.length === 1
          ? output
          : this.#branches.get(branch)!.share.advance(arrivals[index]!, receiver.passages);
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
    if (this.#cut !== undefined) this.#noteBacklogsWithin(state, required, output);
    capacity.left = spare;
    capacity.spare = left;
    return output;
  }

  /** The published tool's composition is done in one window, so the hyperperiods within it are looked at afterwards. */
  #noteBacklogsWithin(state: Transmitter | Receiver, required: Steps, output: Steps): void {
    const [arrived, left] = [integrate(required), integrate(output)];
    for (let end = this.#cut!; less(end, output.end); end = add(end, this.#cut!)) {
      state.backlogs.push(subtract(valueAt(arrived, end), valueAt(left, end)));
    }
  }

  #measureEndToEnd(branch: BranchPlan, source: Steps, delivered: Steps): void {
    const { meter } = this.#branches.get(branch)!;
    if (this.#cut === undefined) meter.advance(source, delivered);
    // What the published tool hands on is not what was sent, so only the first hyperperiod can be compared.
    else meter.advance(window(source, 0, this.#cut), window(delivered, 0, this.#cut));
  }

  #handOn(steps: Steps): Steps {
    if (this.#cut === undefined) return steps;
    return repeatSteps(window(steps, 0, this.#cut), toNumber(divide(steps.end, this.#cut)));
  }

  #noteBacklogs(times: number): void {
    for (const state of [...this.#transmitters.values(), ...this.#receivers.values()]) {
      for (let k = 0; k < times; k += 1) state.backlogs.push(state.server.backlog);
    }
  }

  /** Equal at the ends of two hyperperiods exactly when everything after them is the same. */
  #fingerprint(origin: Exact): string {
    const parts: string[] = [];
    for (const { server, meter, link } of this.#transmitters.values()) {
      parts.push(String(server.backlog), meter.fingerprint(origin), link.fingerprint(origin));
    }
    for (const { server, meter } of this.#receivers.values()) {
      parts.push(String(server.backlog), meter.fingerprint(origin));
    }
    for (const { meter, share } of this.#branches.values()) {
      parts.push(meter.fingerprint(origin), share.fingerprint(origin));
    }
    return parts.join('|');
  }

  result(hyperperiod: Exact, periods: number): AnalysisResult {
    const growth = longRunGrowth(this.#plan, hyperperiod, (profile) => this.#rates.get(profile)!);
    const horizon = multiply(hyperperiod, periods);
    const hops = new Map<TransmitterPlan | ReceiverPlan, HopResult>();
    for (const [plan, state] of this.#transmitters) {
      hops.set(plan, this.#hop(plan.node, 'transmitter', state, growth.transmitters.get(plan)!, horizon));
    }
    for (const [plan, state] of this.#receivers) {
      hops.set(plan, this.#hop(plan.profile.node, 'receiver', state, growth.receivers.get(plan)!, horizon));
    }
    const flows: FlowResult[] = this.#plan.branches.map((branch) => {
      const own = branch.transmitters.map((plan) => hops.get(plan)!);
      if (branch.receiver !== undefined) {
        const { branches } = this.#receivers.get(branch.receiver)!;
        const sharedWith = branches.filter((other) => other !== branch).map((other) => other.sender.name);
        const whole = hops.get(branch.receiver)!;
        own.push(sharedWith.length === 0 ? whole : { ...whole, sharedWith });
      }
      const end = this.#cut ?? horizon;
      const delay = this.#peaks(this.#branches.get(branch)!.meter, end).all;
      return {
        name: branch.sender.name,
        flow: branch.sender.flow,
        priority: branch.sender.priority,
        route: branch.route,
        hops: own,
        endToEnd: {
          delaySeconds: multiply(delay.value, this.#grid.tickSeconds),
          timeSeconds: multiply(delay.time, this.#grid.tickSeconds),
          sumOfHopDelaysSeconds: own.map((hop) => hop.delay.seconds).reduce(add, 0),
        },
      };
    });
    const all = [...growth.transmitters.values(), ...growth.receivers.values()].reduce(add, 0);
    return {
      hyperperiodSeconds: multiply(hyperperiod, this.#grid.tickSeconds),
      periods,
      stable: sign(all) === 0,
      growthBitsPerHyperperiod: multiply(all, this.#grid.dataBits),
      warnings: [...this.#plan.warnings, ...this.#unsettled(growth)],
      flows,
    };
  }

  /** What waits at the end of the last hyperperiod worked through waits in the same way at the horizon. */
  #peaks(meter: DelayMeter, horizon: Exact): { all: Peak; served: Peak } {
    const { all, served } = meter.peaks(subtract(horizon, this.#skipped));
    return {
      served,
      all: all === served ? served : { time: add(all.time, this.#skipped), value: all.value },
    };
  }

  #hop(
    node: string,
    role: HopResult['role'],
    state: Transmitter | Receiver,
    growth: Exact,
    horizon: Exact,
  ): HopResult {
    const { tickSeconds, dataBits } = this.#grid;
    const seconds = (peak: Peak): HopResult['delay'] => ({
      timeSeconds: multiply(peak.time, tickSeconds),
      seconds: multiply(peak.value, tickSeconds),
    });
    const { peak, backlog } = state.server;
    const { all, served } = this.#peaks(state.meter, horizon);
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
              required: offGrid(curves.required, this.#grid),
              provided: offGrid(curves.provided, this.#grid),
              output: offGrid(curves.output, this.#grid),
              remaining: offGrid(curves.remaining, this.#grid),
            },
    };
  }

  /** Buffers that are bounded in the long run but whose backlog was still changing at the horizon. */
  #unsettled(growth: ReturnType<typeof longRunGrowth>): string[] {
    const warnings: string[] = [];
    const check = (state: Transmitter | Receiver, grown: Exact, place: string): void => {
      const [before, last] = state.backlogs.slice(-2);
      if (sign(grown) > 0 || before === undefined || last === undefined || before === last) return;
      if (!less(before, last) && !less(last, before)) return;
      const [a, b] = [before, last].map((bits) => formatExact(multiply(bits, this.#grid.dataBits)));
      warnings.push(
        `${place} had not settled: its backlog went from ${a} to ${b} bits in the last hyperperiod. It is bounded, ` +
          'but may still rise: analyse more hyperperiods for its final figures.',
      );
    };
    for (const [plan, state] of this.#transmitters) {
      check(state, growth.transmitters.get(plan)!, `${plan.sender.name} at node ${plan.node}`);
    }
    for (const [plan, state] of this.#receivers) {
      check(
        state,
        growth.receivers.get(plan)!,
        `the receiver ${plan.profile.name} at node ${plan.profile.node}`,
      );
    }
    return warnings;
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
