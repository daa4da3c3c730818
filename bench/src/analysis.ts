/**
 * Traffic-profile analysis: seconds that `analyze` takes for networks with many flows, when all periods are equal and
 * when the hyperperiod is 120 times the longest period, and how the time grows with flows, segments and hops.
 *
 * Measured: `analyze` alone, two hyperperiods, exact figures for every hop and end to end, on one thread, the first
 * run of each system in a process that has analysed others. Flows have random rates and random break points on a grid
 * of a millisecond, no two the same; each has its own receiver. `load` is the mean demand on a link over its rate:
 * at 0.8 a quarter of the flows queue now and then; at 1 a third of the links are overloaded for good and nearly all
 * numbers are fractions, which is the dearest case. Not measured: reading files, plots, network calculus, and systems
 * on so fine a grid that numbers leave the 53 bits of a double, which are slower.
 */
import assert from 'node:assert/strict';
import {
  type AnalysisResult,
  analyze,
  createProfile,
  formatExact,
  type Network,
  routeKey,
  type TrafficProfile,
  toNumber,
} from 'shoal/profile';
import { type BenchOptions, describeMachine, printTable, type Row, writeRows } from './report.ts';

interface Size {
  readonly flows: number;
  readonly segments: number;
  /** Links on each route. */
  readonly hops: readonly number[];
  readonly nodes: number;
  /** Periods in whole seconds, dealt out to the flows in turn. */
  readonly periods: readonly number[];
  /** Mean demand on every link over its rate. */
  readonly load: number;
}

const equal: readonly number[] = [10];
/** Their least common multiple is 1320 s: 120 times the longest. */
const unequal: readonly number[] = [11, 10, 8, 6];

/** Numerical Recipes' generator: the same systems in every run. */
function createRandom(): (below: number) => number {
  let state = 20_140_414;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

function makeSystem({ flows, segments, hops, nodes, periods, load }: Size): {
  profiles: TrafficProfile[];
  network: Network;
} {
  const random = createRandom();
  const profiles: TrafficProfile[] = [];
  const routes = new Map<string, readonly string[]>();
  const demand = new Array<number>(nodes).fill(0);
  for (let k = 0; k < flows; k += 1) {
    const periodSeconds = periods[k % periods.length] as number;
    const route = [random(nodes)];
    const links = hops[k % hops.length] as number;
    while (route.length <= links) {
      const next = random(nodes);
      if (!route.includes(next)) route.push(next);
    }
    const times = new Set([0]);
    while (times.size < segments) times.add(random(periodSeconds * 1000));
    const rows = [...times]
      .sort((a, b) => a - b)
      .map((ms) => ({ timeSeconds: `${ms}e-3`, meanBitsPerSecond: 1000 * random(2000) }));
    for (const node of route.slice(0, -1)) demand[node] = (demand[node] as number) + 1_000_000;
    // Flows of one pair of nodes would share a route, so each flow gets nodes of its own at both ends of a link.
    const [from, to] = [`n${route[0]}`, `n${route[route.length - 1]}.${k}`];
    const names = [from, ...route.slice(1, -1).map((node) => `n${node}`), to];
    routes.set(routeKey(from, to), names);
    const flow = `flow ${k}`;
    profiles.push(createProfile({ kind: 'required', node: from, flow, priority: k, periodSeconds, rows }));
    const taken = [{ timeSeconds: 0, meanBitsPerSecond: 2_000_000 }];
    profiles.push(createProfile({ kind: 'receiver', node: to, flow, periodSeconds, rows: taken }));
  }
  for (const [node, bitsPerSecond] of demand.entries()) {
    const rate = Math.max(1, Math.round(bitsPerSecond / load / 1000)) * 1000;
    const rows = [
      { timeSeconds: 0, meanBitsPerSecond: rate, latencySeconds: '2e-3' },
      { timeSeconds: 3, meanBitsPerSecond: rate - 1000, latencySeconds: '2e-3' },
    ];
    const periodSeconds = periods[0] as number;
    profiles.push(createProfile({ kind: 'provided', node: `n${node}`, periodSeconds, rows }));
  }
  return {
    profiles,
    network: { multicast: false, neighbours: new Map(), routes, source: 'bench', warnings: [] },
  };
}

/** The same for the same figures: every buffer and delay, exact. */
function checksum(result: AnalysisResult): number {
  let sum = 0;
  for (const { hops, endToEnd } of result.flows) {
    const figures = [...hops.flatMap((hop) => [hop.buffer.bits, hop.delay.seconds]), endToEnd.delaySeconds];
    for (const character of figures.map(formatExact).join()) {
      sum = (Math.imul(sum, 31) + character.charCodeAt(0)) >>> 0;
    }
  }
  return sum;
}

function measure(name: string, size: Size): Row {
  const system = makeSystem(size);
  const started = process.hrtime.bigint();
  const result = analyze(system, { periods: 2 });
  const seconds = Number(process.hrtime.bigint() - started) / 1e9;
  assert.equal(result.flows.length, size.flows);
  const hops = result.flows.flatMap((flow) => flow.hops);
  const hyperperiod = toNumber(result.hyperperiodSeconds);
  return {
    case: name,
    flows: size.flows,
    segments: size.segments,
    nodes: size.nodes,
    load: size.load,
    hopsAnalysed: hops.length,
    hyperperiods: result.periods,
    'hyperperiod/longest period': hyperperiod / Math.max(...size.periods),
    'hops that queue': hops.filter((hop) => toNumber(hop.buffer.bits) > 0).length,
    seconds,
    checksum: checksum(result),
  };
}

/** The documents' example has a known answer; a benchmark of a wrong analysis would be worth nothing. */
function checkKnownAnswer(): void {
  const rates = [800, 850, 1024, 1000, 1005, 1050, 1100, 0];
  const carried = [900, 870, 940, 1000, 900, 1100, 1200, 0];
  const profile = (kind: 'required' | 'provided', values: readonly number[]): TrafficProfile =>
    createProfile({
      kind,
      periodSeconds: 10,
      rows: values.map((kilobits, timeSeconds) => ({ timeSeconds, meanBitsPerSecond: kilobits * 1000 })),
    });
  const [hop] =
    analyze({ profiles: [profile('required', rates), profile('provided', carried)] }).flows[0]?.hops ?? [];
  assert.equal(hop?.buffer.bits, 189_000);
  assert.equal(formatExact(hop?.delay.seconds ?? 0), '913/300');
}

export async function analysis({ jsonFile, tiny = false }: BenchOptions): Promise<void> {
  checkKnownAnswer();
  const whole: Size = tiny
    ? { flows: 8, segments: 6, nodes: 5, hops: [1, 2, 3], periods: equal, load: 0.8 }
    : { flows: 1000, segments: 100, nodes: 50, hops: [1, 2, 3], periods: equal, load: 0.8 };
  measure('warm-up', { ...whole, flows: Math.ceil(whole.flows / 10) });
  const rows: Row[] = [
    measure('equal periods', whole),
    measure(
      'hyperperiod 120 x longest',
      tiny ? { ...whole, flows: 2, hops: [1] } : { ...whole, periods: unequal },
    ),
  ];
  rows.push(measure('overloaded', { ...whole, load: 1 }));
  if (!tiny) rows.push(measure('overloaded', { ...whole, flows: 100, periods: unequal, load: 1 }));
  for (const share of [0.25, 0.5]) {
    rows.push(measure('fewer flows', { ...whole, flows: Math.ceil(whole.flows * share) }));
  }
  for (const share of [0.25, 0.5, 2]) {
    rows.push(measure('other segments', { ...whole, segments: Math.ceil(whole.segments * share) }));
  }
  for (const hops of [1, 2, 4]) rows.push(measure('other hops', { ...whole, hops: [hops] }));
  if (!tiny) {
    process.stdout.write(`${JSON.stringify(describeMachine())}\n`);
    printTable(rows);
  }
  writeRows(jsonFile, 'analysis', rows);
}
