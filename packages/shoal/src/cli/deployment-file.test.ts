import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import {
  type App,
  bytes,
  connect,
  defaultLimits,
  defaultPolicy,
  defineApp,
  defineMsu,
  formatProblem,
  placeOf,
  receives,
  sends,
} from '../model/index.ts';
import { fileMaxCharacters, readDeployment } from './deployment-file.ts';
import { resolveDeployment } from './resolve-deployment.ts';

const source = defineMsu({ name: 'source', out: { to: sends(bytes()) }, create: () => ({}) });
const sink = defineMsu({ name: 'sink', in: { take: receives(bytes()) }, create: () => ({ take: () => {} }) });
const app: App = defineApp({
  name: 'app',
  msus: [source, sink],
  edges: [connect(source.out.to, sink.in.take)],
});

const problemsOf = (text: string): string[] =>
  resolveDeployment(app, readDeployment(text, 'file.yaml'), 2).problems.map(formatProblem);
const deploymentOf = (text: string) => {
  const { deployment, problems } = resolveDeployment(app, readDeployment(text, 'file.yaml'), 2);
  assert.deepEqual(problems.map(formatProblem), []);
  assert.ok(deployment !== null);
  return deployment;
};

describe('a deployment file', () => {
  test('that is empty, or has comments only, is all defaults, with derived machines', () => {
    for (const text of ['', '\n', '# nothing\n', '---\n', '{}']) {
      const deployment = deploymentOf(text);
      assert.equal(deployment.name, 'app');
      assert.deepEqual(deployment.limits, defaultLimits);
      assert.deepEqual(deployment.policy, defaultPolicy);
      assert.equal(deployment.machines[0]?.processes[0]?.threads.length, 2);
    }
  });

  test('changes what it names and leaves the rest; names of machines, processes and threads have defaults', () => {
    const deployment = deploymentOf(
      'policy: { isActive: false }\nlimits: { requestsMax: 64 }\nmachines: [{ processes: [{ threads: [{ instances: [source, sink], nice: 3 }] }] }]',
    );
    assert.deepEqual(deployment.policy, { ...defaultPolicy, isActive: false });
    assert.deepEqual(deployment.limits, { ...defaultLimits, requestsMax: 64 });
    assert.deepEqual(deployment.machines, [
      {
        name: 'local',
        processes: [
          {
            name: 'main',
            threads: [
              { name: 'thread-1', core: -1, nice: 3, scheduling: 'fifo', instances: ['source', 'sink'] },
            ],
          },
        ],
      },
    ]);
  });

  test('may be JSON, and may use anchors', () => {
    assert.equal(deploymentOf('{"spareThreads": 2, "name": "other"}').spareThreads, 2);
    const anchors =
      'machines:\n  - processes:\n      - threads:\n          - &t { instances: [source] }\n          - { instances: [sink] }\n';
    assert.equal(deploymentOf(anchors).machines[0]?.processes[0]?.threads.length, 2);
  });

  test('whose limits make what would be derived impossible is refused', () => {
    assert.match(
      problemsOf('limits: { threadsMax: 1 }').join('\n'),
      /2 threads and 1 spare, more than limits\.threadsMax, 1/,
    );
  });

  test('of another form is refused with its place', () => {
    const cases: [string, RegExp][] = [
      ['[1, 2]', /^file\.yaml:1:1: The deployment file holds a list\. Give a map of options: name, machines/],
      ['just text', /^file\.yaml:1:1: The deployment file holds "just text"/],
      ['limits: 5', /^file\.yaml:1:9: limits is 5\. Give a map of options\.$/],
      ['limits:\npolicy: {}', /^file\.yaml:1:1: limits is empty\. Give a map of options\.$/],
      [
        'machines:\n  - processes:\n      - threads:\n          - {}',
        /^file\.yaml:4:13: machines\[0\]\.processes\[0\]\.threads\[0\] has no instances\. Give a list\.$/,
      ],
      ['policy: { isActive: yes please }', /policy\.isActive is "yes please"\. Give true or false/],
      ['name: .nan', /^file\.yaml:1:7: name is NaN\. Give a name\.$/],
      ['name: my app', /The deployment has the name "my app"/],
      ['samplePeriodMs: .inf', /samplePeriodMs is Infinity\. Give a number of milliseconds from 10/],
      ['__proto__: { spareThreads: 3 }', /Unknown option "__proto__"/],
      ['name: a\n? [x]\n: 1', /Unknown option/],
      ['a: *nothing', /YAML: /],
      ['name: "unclosed', /YAML: /],
    ];
    for (const [text, expected] of cases) assert.match(problemsOf(text).join('\n'), expected, text);
  });

  test('whose machines cannot be read is not taken for one that names none: nothing is said of what would be derived', () => {
    const many = { min: 1_024, max: 1_024 };
    const large = defineApp({
      name: 'large',
      msus: [
        defineMsu({ name: 'one', entry: true, instances: many, create: () => ({}) }),
        defineMsu({ name: 'two', entry: true, instances: many, create: () => ({}) }),
      ],
      edges: [],
    });
    const whats = (text: string): string[] =>
      resolveDeployment(large, readDeployment(text, 'file.yaml'), 2).problems.map(({ what }) => what);
    assert.deepEqual(whats('name: large'), ['The app starts with 2048 instances, more than 1024']);
    assert.deepEqual(whats('machines: 5'), ['machines is 5']);
    assert.deepEqual(whats('machines: [{ processes: [{ threads: [{ instances: one }] }] }]'), [
      'machines[0].processes[0].threads[0].instances is "one"',
    ]);
    assert.match(whats('machines: [').join('\n'), /^YAML: [^\n]*$/);
  });

  test('is derived for one machine only: types that name several are refused at the first of them', () => {
    const [west, east] = ['west', 'east'].map((name) =>
      defineMsu({ name, machines: [name], create: () => ({}) }),
    );
    const apart = defineApp({ name: 'apart', msus: [sink, west ?? sink, east ?? sink], edges: app.edges });
    const [problem] = resolveDeployment({ ...apart, msus: [source, ...apart.msus] }, null, 2).problems;
    assert.match(
      problem?.what ?? '',
      /^The types name 2 machines \(west, east\), but `shoal run` starts one/,
    );
    assert.deepEqual(problem?.where, placeOf(west));
  });

  test('that would blow up is refused: too long, or aliases of aliases', () => {
    assert.match(problemsOf(`# ${'x'.repeat(fileMaxCharacters)}`).join('\n'), /Use at most 1048576/);
    const levels = Array.from(
      { length: 12 },
      (_, i) => `a${i}: &a${i} [${i === 0 ? 'x' : `${`*a${i - 1},`.repeat(9)}`}]`,
    );
    assert.match(
      problemsOf(levels.join('\n')).join('\n'),
      /YAML: .*Write the values out instead of using aliases/,
    );
  });

  test('of any text is read without an exception, and every problem has a place within the file', () => {
    const word = fc.constantFrom(
      'name',
      'machines',
      'limits',
      'threads',
      'policy',
      '- ',
      ': ',
      '{',
      '}',
      '[',
      ']',
      '\n',
      '  ',
      '5',
      '&a',
      '*a',
      '"',
      '#',
      '!!x',
      '|',
      '\t',
    );
    const text = fc.oneof(
      fc.array(word, { maxLength: 30 }).map((words) => words.join('')),
      fc.string(),
    );
    fc.assert(
      fc.property(text, (given) => {
        const lines = given.split('\n').length;
        for (const { where } of readDeployment(given, 'file.yaml').problems) {
          assert.ok(where.line >= 1 && where.line <= lines + 1, `line ${where.line} of ${lines}`);
          assert.ok(where.column >= 1);
        }
      }),
      { numRuns: 1_000 },
    );
  });
});
