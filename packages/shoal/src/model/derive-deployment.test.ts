import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import {
  type AnyMsuType,
  type App,
  bytes,
  connect,
  connection,
  defineApp,
  defineMsu,
  deriveDeployment,
  describeApp,
  type Edge,
  type ExecutionKind,
  formatProblem,
  type RoutingPolicy,
  receives,
  requests,
  type StateKind,
  sends,
  serves,
  threadConflict,
  validate,
} from './index.ts';

const create = (): Record<string, never> => ({});

/** A type with two in-ports and two out-ports, of which the app connects what it likes. */
function randomType(
  index: number,
  options: RandomOptions,
  hasIn: boolean,
  outs: readonly string[],
): AnyMsuType {
  const out = Object.fromEntries(outs.map((name) => [name, sends(bytes())]));
  const inPorts = hasIn ? { take: receives(bytes()) } : {};
  return defineMsu({ name: `t${index}`, ...options, in: inPorts, out, create } as Parameters<
    typeof defineMsu
  >[0]);
}

interface RandomOptions {
  readonly state: StateKind;
  readonly execution: ExecutionKind;
  readonly runLimitMs: number;
  readonly colocation?: string;
  readonly machines?: readonly string[];
  readonly instances: { initial: number; min: number; max: number };
  readonly cost: { serviceTimeMs: number };
  readonly dependencies: { msu: string; locality: 'local' | 'remote' }[];
}

const optionsOf = (types: number): fc.Arbitrary<RandomOptions> =>
  fc
    .record({
      state: fc.constantFrom<StateKind>('none', 'keyed', 'instance', 'pinned'),
      execution: fc.constantFrom<ExecutionKind>('sync', 'async', 'blocking'),
      runLimitMs: fc.constantFrom(0, 0, 100),
      colocation: fc.constantFrom(undefined, undefined, 'a', 'b'),
      machines: fc.constantFrom(undefined, undefined, undefined, ['west'], ['west', 'east'], ['east']),
      initial: fc.integer({ min: 0, max: 5 }),
      serviceTimeMs: fc.constantFrom(0.1, 1, 20),
      needs: fc.array(fc.tuple(fc.nat(types - 1), fc.constantFrom('local' as const, 'remote' as const)), {
        maxLength: 2,
      }),
    })
    .map(({ colocation, machines, initial, serviceTimeMs, needs, ...rest }) => ({
      ...rest,
      runLimitMs: rest.execution === 'blocking' ? 0 : rest.runLimitMs,
      ...(colocation === undefined || rest.execution === 'blocking' ? {} : { colocation }),
      ...(machines === undefined ? {} : { machines }),
      instances: { initial, min: Math.min(initial, 1), max: 6 },
      cost: { serviceTimeMs },
      dependencies: needs.map(([msu, locality]) => ({ msu: `t${msu}`, locality })),
    }));

/** Random acyclic apps; many are valid, and those that are not are passed over. */
const apps: fc.Arbitrary<App> = fc.integer({ min: 1, max: 7 }).chain((types) =>
  fc
    .tuple(
      fc.array(optionsOf(types), { minLength: types, maxLength: types }),
      fc.array(
        fc.tuple(
          fc.nat(types - 1),
          fc.nat(types - 1),
          fc.constantFrom<RoutingPolicy | undefined>(undefined, undefined, 'same-process', 'explicit'),
        ),
        {
          maxLength: 10,
        },
      ),
    )
    .map(([options, wanted]) => {
      const forward = wanted.filter(([from, to]) => from < to);
      const msus = options.map((o, index) => {
        const outs = forward.flatMap(([from], edge) => (from === index ? [`o${edge}`] : []));
        const isFed = forward.some(([, to]) => to === index);
        return randomType(
          index,
          {
            ...o,
            dependencies: o.dependencies.filter(
              (d, at) => d.msu !== `t${index}` && o.dependencies.findIndex((e) => e.msu === d.msu) === at,
            ),
          },
          isFed,
          outs,
        );
      });
      const edges = forward.map(([from, to, routing], edge): Edge => {
        const out = (msus[from] as AnyMsuType).out[`o${edge}`] as unknown;
        const target = (msus[to] as AnyMsuType).in.take as unknown;
        return connect(out as never, target as never, routing === undefined ? {} : { routing });
      });
      return defineApp({ name: 'random', msus, edges });
    }),
);

describe('a deployment that is derived', () => {
  test('is valid for every valid app, places every initial instance, and has no thread with a conflict', () => {
    let tried = 0;
    fc.assert(
      fc.property(apps, fc.integer({ min: 1, max: 8 }), (app, cores) => {
        fc.pre(validate(app).length === 0);
        tried++;
        const graph = describeApp(app);
        const deployment = deriveDeployment(graph, { cores });
        assert.deepEqual(validate(app, deployment, { cores }).map(formatProblem), []);
        const threads = deployment.machines.flatMap((m) => m.processes).flatMap((p) => p.threads);
        for (const msu of graph.msus) {
          const placed = threads.flatMap((thread) => thread.instances).filter((name) => name === msu.name);
          assert.equal(placed.length, msu.instancesInitial);
        }
        for (const { instances } of threads) {
          const types = instances.map((name) => graph.msus.find((msu) => msu.name === name));
          types.forEach((a, i) => {
            for (const b of types.slice(0, i)) if (a && b) assert.equal(threadConflict(a, b), null);
          });
        }
      }),
      { numRuns: 400 },
    );
    assert.ok(tried >= 400, `${tried} valid apps were tried`);
  });

  test('gives no other type the thread of one that hands connections on, be it no entry', () => {
    const out = { on: sends(connection()) };
    const http = defineMsu({ name: 'http', state: 'pinned', out, create: () => ({}) });
    const https = defineMsu({ name: 'https', state: 'pinned', out, create: () => ({}) });
    const middle = defineMsu({
      name: 'middle',
      state: 'pinned',
      in: { take: receives(connection()) },
      out,
      create: () => ({ take: () => {} }),
    });
    const reader = defineMsu({
      name: 'reader',
      state: 'pinned',
      in: { take: receives(connection()) },
      create: () => ({ take: () => {} }),
    });
    const app = defineApp({
      name: 'doors',
      msus: [http, https, middle, reader],
      edges: [
        connect(http.out.on, middle.in.take),
        connect(https.out.on, middle.in.take),
        connect(middle.out.on, reader.in.take),
      ],
    });
    const graph = describeApp(app);
    const { machines } = deriveDeployment(graph, { cores: 1 });
    const threads = machines[0]?.processes[0]?.threads.map(({ instances }) => instances);
    assert.deepEqual(threads?.map((names) => names.join()).sort(), ['http', 'https', 'middle', 'reader']);
    const conflicts = (a: string, b: string): boolean => {
      const [first, second] = [a, b].map((name) => graph.msus.find((msu) => msu.name === name));
      assert.ok(first && second);
      return threadConflict(first, second) !== null;
    };
    // Two that accept and do nothing else may share one.
    assert.equal(conflicts('http', 'https'), false);
    assert.deepEqual(
      [conflicts('http', 'middle'), conflicts('middle', 'reader'), conflicts('reader', 'http')],
      [true, true, true],
    );
  });

  test('is the same for the same app and number of cores', () => {
    fc.assert(
      fc.property(apps, (app) => {
        const graph = describeApp(app);
        assert.deepEqual(deriveDeployment(graph, { cores: 2 }), deriveDeployment(graph, { cores: 2 }));
      }),
      { numRuns: 50 },
    );
  });

  test('puts the parts of a web server where they should die: listener alone, connections together, searches apart', () => {
    const io = defineMsu({ name: 'io', state: 'pinned', out: { accepted: sends(connection()) }, create });
    const read = defineMsu({
      name: 'read',
      state: 'pinned',
      execution: 'async',
      instances: { initial: 2 },
      in: { open: receives(connection()) },
      out: { request: sends(bytes()) },
      create: () => ({ open: () => {} }),
    });
    const http = defineMsu({
      name: 'http',
      in: { request: receives(bytes()) },
      out: { search: requests(bytes(), bytes()), answer: sends(bytes()) },
      create: () => ({ request: () => {} }),
    });
    const regex = defineMsu({
      name: 'regex',
      runLimitMs: 500,
      instances: { initial: 2 },
      in: { search: serves(bytes(), bytes()) },
      create: () => ({ search: (query) => query }),
    });
    const write = defineMsu({
      name: 'write',
      state: 'pinned',
      in: { answer: receives(bytes()) },
      create: () => ({ answer: () => {} }),
    });
    const app = defineApp({
      name: 'web',
      msus: [io, read, http, regex, write],
      edges: [
        connect(io.out.accepted, read.in.open),
        connect(read.out.request, http.in.request),
        connect(http.out.search, regex.in.search),
        connect(http.out.answer, write.in.answer, { routing: 'same-instance' }),
      ],
    });
    assert.deepEqual(validate(app).map(formatProblem), []);
    const { machines } = deriveDeployment(describeApp(app), { cores: 2 });
    const threads = machines[0]?.processes[0]?.threads ?? [];
    assert.deepEqual(
      threads.map(({ name, nice, instances }) => ({ name, nice, instances })),
      [
        { name: 'io', nice: 0, instances: ['io'] },
        { name: 'regex-1', nice: 10, instances: ['regex'] },
        { name: 'regex-2', nice: 10, instances: ['regex'] },
        { name: 'read-1', nice: 0, instances: ['read', 'http', 'write'] },
        { name: 'read-2', nice: 0, instances: ['read'] },
      ],
    );
  });
});
