// An option that is `undefined` is an option that is not given, wherever it stands.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  type App,
  bytes,
  connect,
  type Deployment,
  defaultLimits,
  defaultRestart,
  defineApp,
  defineMsu,
  deriveDeployment,
  describeApp,
  formatProblem,
  limitRules,
  policyRules,
  receives,
  requests,
  sends,
  serves,
  validate,
} from './index.ts';
import { withDefaults } from './with-defaults.ts';

type Tree = Readonly<Record<string, unknown>>;

/** The options without those that are undefined, at every depth. */
function stripped(options: Tree): Tree {
  const present = Object.entries(options).filter(([, value]) => value !== undefined);
  return Object.fromEntries(
    present.map(([name, value]) => [
      name,
      Object.getPrototypeOf(value) === Object.prototype ? stripped(value as Tree) : value,
    ]),
  );
}

const maybe = <T>(...values: readonly T[]): fc.Arbitrary<T | undefined> =>
  fc.constantFrom<T | undefined>(undefined, ...values);

const msuOptions = fc.record({
  in: maybe({}),
  state: maybe('none', 'keyed'),
  execution: maybe('sync', 'async'),
  concurrency: maybe(1),
  order: maybe('fifo', 'priority'),
  deadlineMs: maybe(0, 50),
  runLimitMs: maybe(0, 100),
  queueMaxMessages: maybe(0, 10),
  queueMaxWorkMs: maybe(0, 10),
  instances: fc.option(fc.record({ initial: maybe(1, 3), min: maybe(1, 2), max: maybe(4) }), {
    nil: undefined,
  }),
  machines: maybe(['local']),
  colocation: maybe('group'),
  dependencies: maybe([]),
  resources: maybe(['memory']),
  cost: fc.option(fc.record({ serviceTimeMs: maybe(0, 7), memoryMiB: maybe(8) }), { nil: undefined }),
  restart: fc.option(
    fc.record({ kind: maybe('transient', 'temporary'), intensity: maybe(0, 3), periodMs: maybe(5_000) }),
    { nil: undefined },
  ),
  entry: maybe(true, false),
  exit: maybe(true, false),
  timers: fc.option(
    fc.record({ tick: fc.record({ periodMs: fc.constant(10), delayMs: maybe(0, 5), priority: maybe(0) }) }),
    {
      nil: undefined,
    },
  ),
});
const edgeOptions = fc.record({ routing: maybe('round-robin') });
const requestOptions = fc.record({ timeoutMs: maybe(0, 100) });

function appOf(msu: Tree, edge: Tree, request: Tree): App {
  const create = (): never => ({}) as never;
  const ask = defineMsu({
    ...msu,
    name: 'ask',
    out: { ask: requests(bytes(), bytes(), request), tell: sends(bytes()) },
    create,
  });
  const answer = defineMsu({
    name: 'answer',
    in: { answer: serves(bytes(), bytes()), hear: receives(bytes()) },
    create,
  });
  const edges = [connect(ask.out.ask, answer.in.answer, edge), connect(ask.out.tell, answer.in.hear, edge)];
  return defineApp({ name: 'app', msus: [ask, answer], edges });
}

test('in an app: the graph, the deployment that is derived, and what is wrong are the same', () => {
  fc.assert(
    fc.property(msuOptions, edgeOptions, requestOptions, (msu, edge, request) => {
      const [explicit, absent] = [
        appOf(msu, edge, request),
        appOf(stripped(msu), stripped(edge), stripped(request)),
      ];
      assert.deepEqual(describeApp(explicit), describeApp(absent));
      const cores = { cores: 2 };
      assert.deepEqual(
        deriveDeployment(describeApp(explicit), cores),
        deriveDeployment(describeApp(absent), cores),
      );
      assert.deepEqual(validate(explicit).map(formatProblem), validate(absent).map(formatProblem));
    }),
    { numRuns: 1_000 },
  );
});

test('in a restart policy: it is not one without a bound, or of no restart at all', () => {
  for (const name of ['kind', 'intensity', 'periodMs']) {
    const [msu] = describeApp(appOf({ restart: { [name]: undefined } }, {}, {})).msus;
    assert.deepEqual(msu?.restart, defaultRestart);
  }
});

test('in options that name some of the fields of a whole: they have their defaults', () => {
  const limits = { ...defaultLimits, threadsMax: undefined, laneMaxBytes: 8_192 };
  assert.deepEqual(withDefaults(defaultLimits, limits), { ...defaultLimits, laneMaxBytes: 8_192 });
  assert.deepEqual(withDefaults(defaultLimits, undefined), defaultLimits);
});

test('in a resolved deployment, which has no defaults left: it is a mistake, as absence is', () => {
  const app = appOf({}, {}, {});
  const right = deriveDeployment(describeApp(app), { cores: 2 });
  assert.deepEqual(validate(app, right), []);
  const cases: [string, string, Deployment][] = [
    ...Object.keys(limitRules).map((name): [string, string, Deployment] => [
      'limits.',
      name,
      { ...right, limits: { ...right.limits, [name]: undefined } },
    ]),
    ...Object.keys(policyRules).map((name): [string, string, Deployment] => [
      'policy.',
      name,
      { ...right, policy: { ...right.policy, [name]: undefined } },
    ]),
    ...['samplePeriodMs', 'drainMaxMs', 'spareThreads'].map((name): [string, string, Deployment] => [
      '',
      name,
      { ...right, [name]: undefined } as Deployment,
    ]),
  ];
  for (const [group, name, deployment] of cases) {
    const [problem] = validate(app, deployment);
    assert.equal(problem?.what, `Deployment: ${group}${name} is undefined`);
  }
});
