// Whole systems: against an independent simulation, and the semantics that the published tool gets wrong.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { analyze } from './analyze.ts';
import { ProfileError } from './errors.ts';
import { add, divide, type Exact, exact, less, max, multiply, sign, subtract, toNumber } from './exact.ts';
import { hopBounds } from './network-calculus.ts';
import { directNetwork, type Network } from './network-text.ts';
import { createProfile, type TrafficProfile } from './profile.ts';
import type { Cumulative } from './steps.ts';
import { planSystem } from './system.ts';
import {
  everySecond,
  exampleProvided,
  networkOf,
  rowsOf,
  singleLink,
} from './test-support/example-systems.ts';
import { simulate } from './test-support/network-oracle.ts';

interface System {
  profiles: TrafficProfile[];
  network: Network;
}

const nodes = ['a', 'b', 'c', 'd'];
const routes = fc.shuffledSubarray(nodes, { minLength: 2, maxLength: 4 });
const rates = (most: number): fc.Arbitrary<[number, number][]> =>
  fc.uniqueArray(fc.integer({ min: 1, max: 5 }), { maxLength: 3 }).chain((times) =>
    fc
      .array(fc.integer({ min: 0, max: most }), {
        minLength: times.length + 1,
        maxLength: times.length + 1,
      })
      .map((values) =>
        [0, ...times.sort((x, y) => x - y)].map((time, k): [number, number] => [time, values[k]!]),
      ),
  );
const periods = fc.constantFrom<Exact>(6, 9, 18, divide(36, 5));

/** One to four flows over up to four nodes with routes of any shape, rational periods and constant latencies. */
const systems: fc.Arbitrary<System> = fc
  .record({
    flows: fc.array(
      fc.record({ route: routes, period: periods, sent: rates(6), taken: rates(9), takenPeriod: periods }),
      {
        minLength: 1,
        maxLength: 4,
      },
    ),
    links: fc.tuple(
      ...nodes.map(() =>
        fc.record({ period: periods, rates: rates(12), latency: fc.constantFrom('0', '0.25', '1/3', '2') }),
      ),
    ),
  })
  .map(({ flows, links }) => ({
    profiles: [
      ...flows.flatMap(({ route, period, sent, taken, takenPeriod }, k) => [
        createProfile({
          kind: 'required',
          node: route[0]!,
          flow: `f${k}`,
          priority: k,
          periodSeconds: period,
          rows: rowsOf(sent),
        }),
        createProfile({
          kind: 'receiver',
          node: route[route.length - 1]!,
          flow: `f${k}`,
          periodSeconds: takenPeriod,
          rows: rowsOf(taken),
        }),
      ]),
      ...links.map(({ period, rates: carried, latency }, k) =>
        createProfile({
          kind: 'provided',
          node: nodes[k]!,
          periodSeconds: period,
          rows: carried.map(([timeSeconds, meanBitsPerSecond]) => ({
            timeSeconds,
            meanBitsPerSecond,
            latencySeconds: latency,
          })),
        }),
      ),
    ],
    network: directNetworkWith(flows.map(({ route }) => route)),
  }));

/** The first of several routes between the same nodes counts for all of them. */
function directNetworkWith(all: string[][]): Network {
  const first = new Map<string, string[]>();
  for (const route of all) {
    const key = JSON.stringify([route[0], route[route.length - 1]]);
    if (!first.has(key)) first.set(key, route);
  }
  return networkOf([...first.values()]);
}

/** The longest time from a level being sent to it being delivered, by scanning both functions. */
function longestDelay(sent: Cumulative, delivered: Cumulative, end: Exact): Exact {
  const at = (data: Cumulative, level: Exact, last: boolean): Exact | undefined => {
    let found: Exact | undefined;
    for (let k = 1; k < data.times.length; k += 1) {
      const [from, to] = [data.values[k - 1]!, data.values[k]!];
      if (less(level, from) || less(to, level)) continue;
      const rise = subtract(to, from);
      const share = sign(rise) === 0 ? (last ? 1 : 0) : divide(subtract(level, from), rise);
      const time = add(data.times[k - 1]!, multiply(share, subtract(data.times[k]!, data.times[k - 1]!)));
      if (last || found === undefined) found = time;
    }
    return found;
  };
  const [asked, served] = [sent, delivered].map((data) => data.values[data.values.length - 1]!) as [
    Exact,
    Exact,
  ];
  let longest: Exact = 0;
  for (const level of [...sent.values, ...delivered.values]) {
    longest = max(longest, subtract(at(delivered, level, false) ?? end, at(sent, level, false)!));
    if (!less(level, asked)) continue;
    const left = less(level, served) ? at(delivered, level, true)! : end;
    longest = max(longest, subtract(left, at(sent, level, true)!));
  }
  return longest;
}

test('buffers, backlogs and end-to-end delays of random networks equal an independent simulation', () => {
  fc.assert(
    fc.property(systems, fc.integer({ min: 1, max: 3 }), (system, count) => {
      const plan = planSystem(system);
      const result = analyze(system, { periods: count });
      const wanted = simulate(plan, count);
      const end = multiply(result.hyperperiodSeconds, count);
      for (const [k, branch] of plan.branches.entries()) {
        const flow = result.flows[k]!;
        const hops = [
          ...branch.transmitters.map((transmitter) => wanted.transmitters.get(transmitter)!),
          wanted.receivers.get(branch.receiver!.profile)!,
        ];
        assert.deepEqual(
          flow.hops.map((hop) => [hop.buffer.bits, hop.unservedBits, hop.backlogBitsAtHyperperiods]),
          hops.map((hop) => [hop.peak, hop.backlog, hop.backlogsAtHyperperiods]),
        );
        assert.deepEqual(
          flow.endToEnd.delaySeconds,
          longestDelay(wanted.sent[k]!, wanted.delivered[k]!, end),
        );
      }
    }),
    { numRuns: 60 },
  );
});

/** As {@link systems}, but all flows go to one receiver from nodes of their own, or one flow to several by multicast. */
const sharing: fc.Arbitrary<System> = fc
  .record({
    sent: fc.array(fc.record({ period: periods, rows: rates(6) }), { minLength: 2, maxLength: 3 }),
    link: fc.record({ period: periods, rows: rates(12) }),
    taken: fc.record({ period: periods, rows: rates(14) }),
    multicast: fc.boolean(),
  })
  .map(({ sent, link, taken, multicast }) => {
    const senders = multicast ? sent.slice(0, 1) : sent;
    const ends = multicast ? sent.map((_, k) => `end${k}`) : ['end'];
    return {
      profiles: [
        ...senders.map(({ period, rows }, k) =>
          createProfile({
            kind: 'required',
            node: `s${k}`,
            name: `s${k}`,
            priority: k,
            periodSeconds: period,
            rows: rowsOf(rows),
          }),
        ),
        ...[...senders.map((_, k) => `s${k}`), 'relay'].map((node) =>
          createProfile({
            kind: 'provided',
            node,
            periodSeconds: link.period,
            rows: link.rows.map(([timeSeconds, meanBitsPerSecond]) => ({
              timeSeconds,
              meanBitsPerSecond,
              latencySeconds: '0.5',
            })),
          }),
        ),
        ...ends.map((node) =>
          createProfile({ kind: 'receiver', node, periodSeconds: taken.period, rows: rowsOf(taken.rows) }),
        ),
      ],
      network: networkOf(
        senders.flatMap((_, k) => ends.map((end) => [`s${k}`, 'relay', end])),
        multicast,
      ),
    };
  });

test('shared receive buffers and multicast equal an independent simulation as well', () => {
  fc.assert(
    fc.property(sharing, fc.integer({ min: 1, max: 3 }), (system, count) => {
      const plan = planSystem(system);
      const result = analyze(system, { periods: count });
      const wanted = simulate(plan, count);
      for (const [k, branch] of plan.branches.entries()) {
        const { hops, endToEnd } = result.flows[k]!;
        const all = [
          ...branch.transmitters.map((transmitter) => wanted.transmitters.get(transmitter)!),
          wanted.receivers.get(branch.receiver!.profile)!,
        ];
        assert.deepEqual(
          hops.map((hop) => [hop.buffer.bits, hop.unservedBits, hop.backlogBitsAtHyperperiods]),
          all.map((hop) => [hop.peak, hop.backlog, hop.backlogsAtHyperperiods]),
        );
        // A flow's own bits are late at most by the latencies and the worst of every place that they pass.
        assert.ok(!less(add(endToEnd.sumOfHopDelaysSeconds, 1), endToEnd.delaySeconds));
      }
    }),
    { numRuns: 60 },
  );
});

test('stability says what many hyperperiods show: the backlog ends up growing by just that much in each', () => {
  fc.assert(
    fc.property(systems, (system) => {
      const result = analyze(system, { periods: 12 });
      let sum: Exact = 0;
      for (const flow of result.flows) {
        for (const hop of flow.hops) {
          const [before, last] = hop.backlogBitsAtHyperperiods.slice(-2);
          assert.deepEqual(subtract(last!, before!), hop.growthBitsPerHyperperiod);
          sum = add(sum, hop.growthBitsPerHyperperiod);
        }
      }
      assert.deepEqual(result.growthBitsPerHyperperiod, sum);
      assert.equal(result.stable, sign(sum) === 0);
    }),
    { numRuns: 60 },
  );
});

test('the figures do not depend on the units in which a system is written', () => {
  fc.assert(
    fc.property(systems, (system) => {
      const scaled = system.profiles.map((profile) =>
        createProfile({
          ...profile,
          periodSeconds: divide(profile.periodSeconds, 7),
          rows: profile.rows.map((row) => ({
            timeSeconds: divide(row.timeSeconds, 7),
            meanBitsPerSecond: multiply(row.meanBitsPerSecond, divide(1, 3)),
            latencySeconds: divide(row.latencySeconds, 7),
          })),
        }),
      );
      const [plain, other] = [analyze(system), analyze({ ...system, profiles: scaled })];
      assert.deepEqual(
        other.flows.map(({ endToEnd, hops }) => [endToEnd.delaySeconds, hops.map((hop) => hop.buffer.bits)]),
        plain.flows.map(({ endToEnd, hops }) => [
          divide(endToEnd.delaySeconds, 7),
          hops.map((hop) => divide(hop.buffer.bits, 21)),
        ]),
      );
    }),
    { numRuns: 60 },
  );
});

const wide = (node: string): TrafficProfile =>
  createProfile({ kind: 'provided', node, periodSeconds: 10, rows: rowsOf([[0, 10_000]]) });

test('several flows into one receiver fill one buffer, and each is delayed by all of them', () => {
  const sender = (name: string, rate: number): TrafficProfile =>
    createProfile({
      kind: 'required',
      node: name,
      name,
      flow: 'news',
      priority: 1,
      periodSeconds: 10,
      rows: rowsOf([
        [0, rate],
        [2, 0],
      ]),
    });
  const receiver = createProfile({
    kind: 'receiver',
    node: 'z',
    flow: 'news',
    periodSeconds: 10,
    rows: rowsOf([[0, 100]]),
  });
  const profiles = [sender('a', 100), sender('b', 200), wide('a'), wide('b'), receiver];
  const { flows, stable } = analyze({ profiles });
  assert.equal(stable, true);
  for (const flow of flows) {
    const hop = flow.hops[1]!;
    assert.deepEqual([hop.buffer.bits, hop.buffer.timeSeconds, hop.delay.seconds], [400, 2, 4]);
    // 600 bits in two seconds, 100 a second: the last bit of either sender leaves at 6 s.
    assert.deepEqual([flow.endToEnd.delaySeconds, flow.endToEnd.timeSeconds], [4, 2]);
  }
  assert.deepEqual(
    flows.map((flow) => flow.hops[1]!.sharedWith),
    [['b'], ['a']],
  );
});

test('a flow that shares a receive buffer is delayed only as much as its own bits are', () => {
  const sender = (name: string, rows: readonly (readonly [Exact, Exact])[]): TrafficProfile =>
    createProfile({
      kind: 'required',
      node: name,
      name,
      flow: 'news',
      priority: 1,
      periodSeconds: 10,
      rows: rowsOf(rows),
    });
  const receiver = createProfile({
    kind: 'receiver',
    node: 'z',
    flow: 'news',
    periodSeconds: 10,
    rows: rowsOf([[0, 100]]),
  });
  const early = sender('early', [
    [0, 100],
    [1, 0],
  ]);
  const burst = sender('burst', [
    [0, 0],
    [1, 300],
    [2, 0],
  ]);
  const { flows } = analyze({ profiles: [early, burst, wide('early'), wide('burst'), receiver] });
  const delays = Object.fromEntries(flows.map((flow) => [flow.name, flow.endToEnd.delaySeconds]));
  assert.deepEqual(delays, { early: 0, burst: 2 });
});

test('with multicast a shared node transmits once and the branches go on from there', () => {
  const source = createProfile({
    kind: 'required',
    node: 'a',
    flow: 'tv',
    priority: 1,
    periodSeconds: 10,
    rows: rowsOf([[0, 60]]),
  });
  const sink = (node: string): TrafficProfile =>
    createProfile({ kind: 'receiver', node, flow: 'tv', periodSeconds: 10, rows: rowsOf([[0, 60]]) });
  const link = (node: string, rate: number, latency: string): TrafficProfile =>
    createProfile({ kind: 'provided', node, periodSeconds: 10, rows: rowsOf([[0, rate, exact(latency)]]) });
  const profiles = [source, sink('c'), sink('d'), link('a', 100, '0.5'), link('b', 80, '0.25')];
  const paths = [
    ['a', 'b', 'c'],
    ['a', 'b', 'd'],
  ];
  const multicast = analyze({ profiles, network: networkOf(paths, true) });
  assert.equal(multicast.stable, true);
  assert.deepEqual(
    multicast.flows.map(({ endToEnd }) => toNumber(endToEnd.delaySeconds)),
    [0.75, 0.75],
  );
  // Without it the second copy gets only what the first has left: 40 of the 60 bits a second.
  const unicast = analyze({ profiles, network: networkOf(paths) });
  assert.equal(unicast.stable, false);
  assert.deepEqual(
    unicast.flows.map(({ hops }) => hops[0]!.growthBitsPerHyperperiod),
    [0, 200],
  );
});

test('several provided profiles of one node add up', () => {
  const [required, provided, receiver] = singleLink(exampleProvided) as [
    TrafficProfile,
    TrafficProfile,
    TrafficProfile,
  ];
  const half = createProfile({
    ...provided,
    rows: provided.rows.map((row) => ({
      timeSeconds: row.timeSeconds,
      meanBitsPerSecond: divide(row.meanBitsPerSecond, 2),
    })),
  });
  assert.deepEqual(
    analyze({ profiles: [required, half, half, receiver] }),
    analyze({ profiles: [required, provided, receiver] }),
  );
});

test('latency that changes over the period delays each bit by its own latency', () => {
  const source = createProfile({
    kind: 'required',
    node: 'a',
    priority: 1,
    periodSeconds: 8,
    rows: rowsOf([[0, 8]]),
  });
  const link = createProfile({
    kind: 'provided',
    node: 'a',
    periodSeconds: 8,
    rows: rowsOf([
      [0, 8, 0],
      [4, 8, 2],
    ]),
  });
  const sink = createProfile({ kind: 'receiver', node: 'b', periodSeconds: 8, rows: rowsOf([[0, 100]]) });
  const { flows } = analyze({ profiles: [source, link, sink] }, { curves: true });
  const arrived = flows[0]!.hops[1]!.curves!.required;
  // Rising by half a second a second it spreads 8 bit/s to 16/3, falling again it presses them into 16.
  assert.deepEqual(arrived, { times: [0, 6, 8, 14], rates: [divide(16, 3), 16, divide(16, 3), 16], end: 16 });
  assert.deepEqual(flows[0]!.endToEnd, { delaySeconds: 2, timeSeconds: 4, sumOfHopDelaysSeconds: 0 });
});

test('a horizon of many hyperperiods that repeat is not worked through, and gives the same figures', () => {
  const profiles = singleLink(exampleProvided);
  const [few, many] = [analyze({ profiles }, { periods: 4 }), analyze({ profiles }, { periods: 10_000 })];
  assert.deepEqual(many.flows[0]!.hops[1]!.buffer, few.flows[0]!.hops[1]!.buffer);
  assert.equal(many.flows[0]!.hops[0]!.backlogBitsAtHyperperiods.length, 10_000);
  assert.deepEqual(new Set(many.flows[0]!.hops[0]!.backlogBitsAtHyperperiods), new Set([39_000]));
});

test('a backlog that is bounded but still changing at the horizon is warned of', () => {
  const source = createProfile({
    kind: 'required',
    node: 'a',
    priority: 1,
    periodSeconds: 4,
    rows: rowsOf([[0, 4]]),
  });
  const link = createProfile({ kind: 'provided', node: 'a', periodSeconds: 4, rows: rowsOf([[0, 4, 3]]) });
  const sink = createProfile({
    kind: 'receiver',
    node: 'b',
    periodSeconds: 4,
    rows: rowsOf([
      [0, 8],
      [2, 0],
    ]),
  });
  const result = analyze({ profiles: [source, link, sink] }, { periods: 2 });
  assert.equal(result.stable, true);
  assert.match(
    result.warnings.join(),
    /the receiver receiver at node b had not settled: its backlog went from 4 to 8 bits/,
  );
  assert.deepEqual(analyze({ profiles: [source, link, sink] }, { periods: 3 }).warnings, []);
});

test('a latency of several hyperperiods is warned of, and analysed to its end when asked for', () => {
  const rows = (rate: number, latencySeconds = '0') => [
    { timeSeconds: 0, meanBitsPerSecond: rate, latencySeconds },
  ];
  const source = createProfile({
    kind: 'required',
    node: 'a',
    periodSeconds: '0.02',
    rows: [...rows(1000), { timeSeconds: '0.01', meanBitsPerSecond: 0 }],
  });
  const link = createProfile({ kind: 'provided', node: 'a', periodSeconds: '0.02', rows: rows(1000, '0.1') });
  const sink = createProfile({ kind: 'receiver', node: 'b', periodSeconds: '0.02', rows: rows(500) });
  const profiles = [source, link, sink];
  const short = analyze({ profiles });
  assert.deepEqual([short.settled, short.flows[0]!.hops[1]!.buffer.bits], [false, 0]);
  assert.match(
    short.warnings.join(),
    /required at node a had not settled: .* other data was waiting or on its way/,
  );
  const whole = analyze({ profiles }, { untilSettled: true });
  assert.deepEqual([whole.settled, whole.periods, whole.warnings], [true, 6, []]);
  assert.deepEqual(whole.flows[0]!.hops[1]!.buffer, { timeSeconds: exact('0.11'), bits: 5 });
  assert.deepEqual(whole.flows[0]!.endToEnd.delaySeconds, exact('0.11'));
});

test('once a system has settled, no figure of a bounded buffer rises any more; before, that is warned of', () => {
  let late = 0;
  fc.assert(
    fc.property(systems, (system) => {
      const settled = analyze(system, { periods: 1, untilSettled: true });
      assert.equal(settled.settled, true);
      assert.doesNotMatch(settled.warnings.join(), /had not settled/);
      const more = analyze(system, { periods: settled.periods + 5 });
      for (const [k, flow] of settled.flows.entries()) {
        for (const [place, hop] of flow.hops.entries()) {
          const later = more.flows[k]!.hops[place]!;
          assert.deepEqual(later.growthBitsPerHyperperiod, hop.growthBitsPerHyperperiod);
          if (sign(hop.growthBitsPerHyperperiod) > 0) continue;
          assert.deepEqual([later.buffer, later.servedDelay], [hop.buffer, hop.servedDelay]);
        }
        const isServed = flow.hops.every((hop) => sign(hop.growthBitsPerHyperperiod) === 0);
        if (isServed && !/wait for ever/.test(settled.warnings.join()))
          assert.deepEqual(more.flows[k]!.endToEnd, flow.endToEnd);
      }
      if (settled.periods === 1) return;
      late += 1;
      const fewer = analyze(system, { periods: settled.periods - 1 });
      assert.equal(fewer.settled, false);
      assert.match(fewer.warnings.join(), /had not settled/);
    }),
    { numRuns: 100 },
  );
  assert.ok(late > 20, `${late} systems needed more than one hyperperiod`);
});

test('data for which no capacity is ever left is said to wait for ever', () => {
  const flow = (name: string, node: string, priority: number): TrafficProfile[] => [
    createProfile({ kind: 'required', node, flow: name, priority, periodSeconds: 4, rows: rowsOf([[0, 3]]) }),
    createProfile({ kind: 'receiver', node: 'z', flow: name, periodSeconds: 4, rows: rowsOf([[0, 9]]) }),
  ];
  const link = (node: string, latency: number): TrafficProfile =>
    createProfile({ kind: 'provided', node, periodSeconds: 4, rows: rowsOf([[0, 3, latency]]) });
  // `late` is 2 s on its way to m and then takes all of it; `early` got 6 bits through by then, but b is taken too.
  const profiles = [...flow('late', 'a', 1), ...flow('early', 'm', 2), ...flow('always', 'b', 0)];
  const network = networkOf([
    ['a', 'm', 'z'],
    ['m', 'b', 'z'],
    ['b', 'z'],
  ]);
  const result = analyze(
    { profiles: [...profiles, link('a', 2), link('m', 1), link('b', 0)], network },
    { untilSettled: true, curves: true },
  );
  assert.equal(result.settled, true);
  assert.deepEqual(result.warnings, [
    'early at node b: 6 bits wait for ever, because no capacity is left for them later on.',
  ]);
  const early = result.flows.find(({ name }) => name === 'early')!;
  assert.deepEqual(
    early.hops.map((hop) => [hop.node, hop.growthBitsPerHyperperiod, hop.unservedBits]),
    [
      ['m', 12, 12 * result.periods - 6],
      ['b', 0, 6],
      ['z', 0, 0],
    ],
  );
  assert.equal(hopBounds(early.hops[1]!, 4), undefined);
});

test('with multicast a flow that would reach a node twice is followed on the way that its data takes', () => {
  const at = (node: string, rate: number, latency: number): TrafficProfile =>
    createProfile({ kind: 'provided', node, periodSeconds: 10, rows: rowsOf([[0, rate, latency]]) });
  const sink = (node: string): TrafficProfile =>
    createProfile({ kind: 'receiver', node, flow: 'tv', periodSeconds: 10, rows: rowsOf([[0, 60]]) });
  const source = createProfile({
    kind: 'required',
    node: 'a',
    flow: 'tv',
    periodSeconds: 10,
    rows: rowsOf([[0, 60]]),
  });
  const network = networkOf(
    [
      ['a', 'c', 'b', 'd'],
      ['a', 'b', 'e'],
    ],
    true,
  );
  const profiles = [source, sink('d'), sink('e'), at('a', 60, 1), at('b', 60, 1), at('c', 60, 2)];
  const result = analyze({ profiles, network });
  assert.deepEqual(
    result.flows.map((flow) => [flow.route, flow.hops.map((hop) => hop.node), flow.endToEnd.delaySeconds]),
    [
      [['a', 'c', 'b', 'd'], ['a', 'c', 'b', 'd'], 4],
      [['a', 'c', 'b', 'e'], ['a', 'c', 'b', 'e'], 4],
    ],
  );
  assert.match(result.warnings.join(), /e gets it by a, c, b, e, not by its route a, b, e/);
});

test('what does not fit together is told with the file and line of the profile to blame', () => {
  const places = new Map<TrafficProfile, { source: string; lines: { priority: number; node: number } }>();
  const from = (source: string, profile: TrafficProfile): TrafficProfile => {
    places.set(profile, { source, lines: { priority: 3, node: 2 } });
    return profile;
  };
  const link = everySecond([1], { kind: 'provided', node: 'a' });
  const profiles = [
    from('one.csv', everySecond([1], { node: 'a', flow: 'one' })),
    from('two.csv', everySecond([1], { node: 'a', flow: 'two' })),
    from('r1.csv', everySecond([1], { node: 'b', flow: 'one', kind: 'receiver' })),
    from('r2.csv', everySecond([1], { node: 'b', flow: 'one', kind: 'receiver' })),
    link,
  ];
  assert.throws(
    () => analyze({ profiles, places }),
    (error: unknown) => {
      assert.ok(error instanceof ProfileError);
      assert.deepEqual(
        error.problems.map(({ source, line }) => [source, line]),
        [
          ['r2.csv', 2],
          ['two.csv', 3],
        ],
      );
      return true;
    },
  );
});

test('a system that does not fit together is refused with everything that is wrong', () => {
  const profiles = [
    everySecond([1], { node: 'a', flow: 'one' }),
    everySecond([1], { node: 'a', flow: 'two' }),
    everySecond([1], { node: 'b', flow: 'one', kind: 'receiver' }),
    everySecond([1], { node: 'b', flow: 'one', kind: 'receiver' }),
    everySecond([1], { node: 'c', flow: 'two', kind: 'receiver' }),
  ];
  const network = { ...directNetwork, neighbours: new Map([['a', ['b']]]) };
  assert.throws(
    () => analyze({ profiles: [...profiles, everySecond([1], { node: 'd', flow: 'three' })], network }),
    (error: unknown) => {
      assert.ok(error instanceof ProfileError);
      const text = error.message;
      assert.match(text, /node b has two receiver profiles for flow one: keep one/);
      assert.match(text, /no route from a to c for two: write `topology: a : c`/);
      assert.match(text, /node a transmits one but has no provided profile/);
      assert.match(text, /node d transmits three but has no provided profile/);
      return true;
    },
  );
  const samePriority = [...singleLink([1]), everySecond([1], { node: '1', flow: 'other' })];
  assert.throws(
    () => analyze({ profiles: samePriority }),
    /topic1 and other both have priority 1 on the link of node 1/,
  );
  assert.throws(() => analyze({ profiles: [] }), /no required profile/);
  assert.throws(
    () => analyze({ profiles: singleLink([1]) }, { periods: 0 }),
    /periods must be a whole number from 1/,
  );
});

test('a sender on its receiver’s own node crosses no link', () => {
  const source = createProfile({
    kind: 'required',
    node: 'a',
    periodSeconds: 4,
    rows: rowsOf([
      [0, 6],
      [2, 0],
    ]),
  });
  const sink = createProfile({ kind: 'receiver', node: 'a', periodSeconds: 4, rows: rowsOf([[0, 3]]) });
  const [flow] = analyze({ profiles: [source, sink] }).flows;
  assert.deepEqual(
    [flow!.route, flow!.hops.map((hop) => [hop.role, hop.buffer.bits])],
    [['a'], [['receiver', 6]]],
  );
  assert.deepEqual(flow!.endToEnd.delaySeconds, 2);
});

test('senders are analysed at their mean rates unless their max rates are asked for', () => {
  const rows = [{ timeSeconds: 0, meanBitsPerSecond: 2, maxBitsPerSecond: 5 }];
  const source = createProfile({ kind: 'required', node: 'a', periodSeconds: 4, rows });
  const link = createProfile({ kind: 'provided', node: 'a', periodSeconds: 4, rows: rowsOf([[0, 3]]) });
  const growth = (column: 'mean' | 'max'): Exact =>
    analyze({ profiles: [source, link] }, { column }).growthBitsPerHyperperiod;
  assert.deepEqual([growth('mean'), growth('max')], [0, 8]);
});

test('a sender without a receiver and a receiver without a sender are warned of', () => {
  const [required, provided, receiver] = singleLink(exampleProvided) as [
    TrafficProfile,
    TrafficProfile,
    TrafficProfile,
  ];
  assert.match(
    analyze({ profiles: [required, provided] }).warnings.join(),
    /topic1 has no receiver: only the link of its own node 1/,
  );
  const other = createProfile({ ...receiver, name: 'other', flow: 'other', rows: receiver.rows });
  assert.match(
    analyze({ profiles: [required, provided, receiver, other] }).warnings.join(),
    /the receiver other at node 2 has no sender/,
  );
});

test('profiles that repeat together only after ages are refused instead of being worked through for ever', () => {
  const source = createProfile({
    kind: 'required',
    node: 'a',
    periodSeconds: exact('7.919'),
    rows: rowsOf([
      [0, 1],
      [1, 0],
    ]),
  });
  const link = createProfile({
    kind: 'provided',
    node: 'a',
    periodSeconds: exact('1299.709'),
    rows: rowsOf([[0, 3]]),
  });
  const sink = createProfile({
    kind: 'receiver',
    node: 'b',
    periodSeconds: exact('15485.863'),
    rows: rowsOf([[0, 3]]),
  });
  assert.throws(
    () => analyze({ profiles: [source, link, sink] }),
    /repeat only after 1\.59e\+14 s, .* choose periods with a smaller common multiple/,
  );
});
