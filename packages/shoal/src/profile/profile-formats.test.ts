// Profiles as text, YAML and JSON: what is read, what is written, and what is said of bad input.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { stringify } from 'yaml';
import { describeProblem, ProfileError } from './errors.ts';
import { add, type Exact, ratio, subtract } from './exact.ts';
import { createProfile, type ProfileInput, profileKinds, type TrafficProfile } from './profile.ts';
import { profileToDocument, readProfileDocument } from './profile-document.ts';
import { readProfileText, writeProfileText } from './profile-text.ts';

const amount = fc
  .tuple(fc.integer({ min: 0, max: 10_000_000 }), fc.constantFrom(1, 3, 8, 1000, 7))
  .map(([n, d]) => ratio(n, d));
const word = fc.stringMatching(/^[A-Za-z][A-Za-z0-9_.-]{0,12}$/);
const profiles: fc.Arbitrary<TrafficProfile> = fc
  .record({
    kind: fc.constantFrom(...profileKinds),
    name: word,
    node: word,
    flow: fc.option(word, { nil: undefined }),
    id: fc.option(word, { nil: undefined }),
    priority: fc.integer({ min: -5, max: 1000 }),
    start: amount,
    rows: fc.array(fc.tuple(fc.integer({ min: 1, max: 999 }), amount, amount, amount), {
      minLength: 1,
      maxLength: 8,
    }),
    rest: fc.integer({ min: 1, max: 50 }),
  })
  .map(({ rows, rest, start, ...fields }) => {
    let time: Exact = 0;
    const made: ProfileInput['rows'] = rows.map(([gap, mean, more, latency], k) => {
      if (k > 0) time = add(time, ratio(gap, 8));
      // Latency that rises keeps its order; falling back at the end of the period needs a long last row.
      const latencySeconds = fields.kind === 'provided' ? ratio(k, 16) : latency;
      return {
        timeSeconds: time,
        meanBitsPerSecond: mean,
        maxBitsPerSecond: add(mean, more),
        latencySeconds,
      };
    });
    return createProfile({ ...fields, startSeconds: start, periodSeconds: add(time, rest), rows: made });
  });

test('a profile that is written as text reads back as the same', () => {
  fc.assert(
    fc.property(profiles, (profile) => {
      assert.deepEqual(readProfileText(writeProfileText(profile), 'file').profile, profile);
    }),
  );
});

test('a profile that is written as JSON or YAML reads back as the same', () => {
  fc.assert(
    fc.property(profiles, (profile) => {
      const document = profileToDocument(profile);
      for (const text of [JSON.stringify(document, null, 2), stringify(document)]) {
        assert.deepEqual(
          readProfileDocument(text, 'file').map((read) => read.profile),
          [profile],
        );
      }
    }),
  );
});

/** The messages of the ProfileError that `read` throws. */
function problemsOf(read: () => unknown): string[] {
  try {
    read();
  } catch (error) {
    assert.ok(error instanceof ProfileError, String(error));
    assert.equal(error.code, 'SHOAL_PROFILE_INVALID');
    return error.message.split('\n');
  }
  assert.fail('it was read without a complaint');
}

const head = '# period = 10\n# kind = required\n';

test('headers of the analysis and of the middleware, comments, and three or four columns are understood', () => {
  const analysis = readProfileText(
    '% made by hand\n# period = 10\n# priority = 3\n# node ID = node_1\n# flow type = topic1\n# kind = provided\r\n\n0, 800, 900, 0.1\n  2.5,700,700,0.2\n',
    'a.csv',
  ).profile;
  assert.deepEqual(
    [analysis.node, analysis.flow, analysis.priority, analysis.kind],
    ['node_1', 'topic1', 3, 'provided'],
  );
  assert.equal(analysis.name, 'topic1');
  assert.deepEqual(analysis.rows[1]!.latencySeconds, ratio(1, 5));
  const middleware = readProfileText(
    '# period = 10\n# start = 4.5\n# uuid = 7\n# priority = 50\n0, 800, 0.1\n1, 0, 0\n',
    'b.pnp',
    'required',
  ).profile;
  assert.deepEqual([middleware.startSeconds, middleware.id, middleware.priority], [ratio(9, 2), '7', 50]);
  assert.deepEqual(middleware.rows[0], {
    timeSeconds: 0,
    meanBitsPerSecond: 800,
    maxBitsPerSecond: 800,
    latencySeconds: ratio(1, 10),
  });
});

test('a header that nobody knows is ignored with a warning that names its line', () => {
  const { warnings } = readProfileText(`${head}# colour = blue\n# just a remark\n0, 1, 0, 0\n`, 'a.csv');
  assert.deepEqual(
    warnings.map(({ line }) => line),
    [3],
  );
  assert.match(warnings[0]!.message, /unknown header `colour` was ignored; known are period, kind/);
});

test('rows are cleaned: a first row after 0, repetitions, rows at the period, and a max of 0', () => {
  const { profile, warnings } = readProfileText(
    `${head}1, 5, 0, 0\n1, 5, 0, 0\n2, 6, 9, 0\n10, 7, 7, 0\n`,
    'a.csv',
  );
  assert.deepEqual(
    profile.rows.map((row) => [row.timeSeconds, row.meanBitsPerSecond, row.maxBitsPerSecond]),
    [
      [0, 0, 0],
      [1, 5, 5],
      [2, 6, 9],
    ],
  );
  assert.match(
    warnings.map(({ line, message }) => `${line}: ${message}`).join(),
    /^6: the row at 10 s is the beginning of the next period and was dropped/,
  );
  assert.deepEqual(
    readProfileText(`${head}0, 5, 0, 0\n7, 0, 0, 0\n10, 0, 0, 0\n`, 'a.csv').warnings,
    [],
    'a closing row of 0 is usual',
  );
});

test('everything that is wrong in a text profile is listed with its line and how to mend it', () => {
  const text = `# period = 10
# kind = sometimes
# priority = high
0, 5, 0, 0
3, 5
4, x, 0, 0
5, 1, 2, 3, 4
`;
  assert.deepEqual(
    problemsOf(() => readProfileText(text, 'bad.csv')),
    [
      'bad.csv:2: unknown kind `sometimes`: use one of required, provided, receiver.',
      'bad.csv:3: the priority is `high`: write a whole number.',
      'bad.csv:5: 2 columns: write `time, rate, latency` or `time, rate, max rate, latency`.',
      'bad.csv:6: column 2 is `x`: write a number such as 12, 0.5 or 1/3.',
      'bad.csv:7: 5 columns: write `time, rate, latency` or `time, rate, max rate, latency`.',
    ],
  );
  const rows = `${head}0, 5, 0, 0\n2, -5, 0, 0\n4, 5, 4, -1\n`;
  assert.deepEqual(
    problemsOf(() => readProfileText(rows, 'rows.csv')),
    [
      'rows.csv:4: the mean rate is -5: it must not be negative.',
      'rows.csv:5: the latency is -1: it must not be negative.',
    ],
  );
  const order = `${head}0, 5, 0, 0\n4, 6, 5, 0\n2, 5, 0, 0\n4, 7, 0, 0\n11, 5, 0, 0\n`;
  assert.deepEqual(
    problemsOf(() => readProfileText(order, 'order.csv')),
    [
      'order.csv:4: the max rate 5 is below the mean rate 6: raise it, or write 0 for "none".',
      'order.csv:5: time 2 comes after 4: order the rows by time.',
      'order.csv:6: a second, different row for time 4 (line 4): keep one of them.',
      'order.csv:7: time 11 is past the period of 10 s: lengthen it or drop the row.',
    ],
  );
});

test('mistakes of different sorts in one file are listed together, in the order of the file', () => {
  const text =
    '# period = 10\n# priority = high\n# start = soon\n0, 5, 0\n4, x, 0\n6, -1, 0\n2, 5, 0\n3, 5, 0\n';
  assert.deepEqual(
    problemsOf(() => readProfileText(text, 'all.csv', 'required')),
    [
      'all.csv:2: the priority is `high`: write a whole number.',
      'all.csv:3: the start is `soon`: write a number of seconds.',
      'all.csv:5: column 2 is `x`: write a number such as 12, 0.5 or 1/3.',
      'all.csv:6: the mean rate is -1: it must not be negative.',
    ],
  );
  assert.deepEqual(
    problemsOf(() => readProfileText('# period = 0\n4, 5, 0\n2, 5, 0\n', 'zero.csv', 'required')),
    ['zero.csv:1: the period is 0: it must be more than 0 seconds.'],
  );
  assert.deepEqual(
    problemsOf(() => readProfileText('0, 5, 0\n4, -5, 0\n2, 5, 0\n# period = -3\n', 'sign.csv', 'required')),
    [
      'sign.csv:2: the mean rate is -5: it must not be negative.',
      'sign.csv:4: the period is -3: it must not be negative.',
    ],
  );
});

test('a header that is there twice with different values is warned of, and the last one counts', () => {
  const { profile, warnings } = readProfileText(
    '# period = 10\n# period = 20\n# kind = required\n0, 5, 0\n',
    'x',
  );
  assert.equal(profile.periodSeconds, 20);
  assert.deepEqual(warnings.map(describeProblem), [
    'x:2: a second `period`, 20 after 10 (line 1): the last one counts; keep one.',
  ]);
});

test('a row at the period whose latency differs from that of the first row is not dropped in silence', () => {
  const read = (last: string): readonly string[] =>
    readProfileText(`# period = 10\n0, 5, 0, 0.5\n10, 0, 0, ${last}\n`, 'x', 'provided').warnings.map(
      describeProblem,
    );
  assert.deepEqual([read('0'), read('0.5')], [[], []]);
  assert.match(
    read('0.25').join(),
    /^x:3: the row at 10 s is the beginning of the next period and was dropped/,
  );
});

test('what the text format cannot hold is refused when it is written, not lost when it is read', () => {
  const write = (fields: Partial<ProfileInput>): string =>
    writeProfileText(
      createProfile({
        kind: 'required',
        periodSeconds: 1,
        rows: [{ timeSeconds: 0, meanBitsPerSecond: 1 }],
        ...fields,
      }),
    );
  for (const bad of ['50% load', 'two\nlines', ' space', 'space ', '']) {
    for (const field of ['name', 'node', 'flow', 'id'] as const) {
      assert.match(
        problemsOf(() => write({ [field]: bad })).join(),
        new RegExp(`the ${field} .* cannot be written in the text format`),
      );
    }
  }
  const odd = '# a = b: "c", é';
  assert.equal(readProfileText(write({ name: odd, node: odd, flow: odd, id: odd }), 'x').profile.node, odd);
});

test('a start that is no number is a problem like any other', () => {
  const rows = [{ timeSeconds: 0, meanBitsPerSecond: 1 }];
  for (const startSeconds of [Number.NaN, Number.POSITIVE_INFINITY, 'soon']) {
    assert.deepEqual(
      problemsOf(() => createProfile({ kind: 'required', periodSeconds: 1, startSeconds, rows })),
      [`profile: the start is \`${startSeconds}\`: write a number of seconds.`],
    );
  }
});

test('in a YAML file with several profiles every problem has the line of its own profile', () => {
  const text = `profiles:
  - kind: required
    periodSeconds: -1
    rows: [{ timeSeconds: 0, meanBitsPerSecond: 1 }]
  - kind: required
    periodSeconds: 10
    startSeconds: soon
    rows: [{ timeSeconds: 0, meanBitsPerSecond: 1 }]
  - kind: required
    periodSeconds: 10
    rows: []
`;
  assert.deepEqual(
    problemsOf(() => readProfileDocument(text, 'many.yaml')),
    [
      'many.yaml:3: the period is -1: it must not be negative.',
      'many.yaml:7: the start is `soon`: write a number of seconds.',
      'many.yaml:9: no row: write at least one, `time, mean rate, max rate, latency`.',
    ],
  );
  assert.deepEqual(
    problemsOf(() => readProfileDocument('profiles: []\nprofile: 3\n', 'e.yaml')),
    [
      'e.yaml:2: unknown field `profile`: known are profiles.',
      'e.yaml:1: `profiles` is empty: write at least one profile.',
    ],
  );
});

test('a profile without period, kind or rows, or with a bad period, is refused', () => {
  assert.deepEqual(
    problemsOf(() => readProfileText('', 'empty.csv')),
    [
      'empty.csv: no period: write a line such as `# period = 10` (seconds).',
      'empty.csv: no kind: write `# kind = …`; use one of required, provided, receiver.',
    ],
  );
  assert.match(problemsOf(() => readProfileText(head, 'x')).join(), /no row: write at least one/);
  for (const period of ['0', '-1', 'ten', '1e999']) {
    assert.match(
      problemsOf(() => readProfileText(`# period = ${period}\n0, 1, 1, 0\n`, 'x', 'required')).join(),
      /the period is/,
    );
  }
  assert.match(
    problemsOf(() => readProfileText(`${head}0, 1, 1, 0`, 'x', 'receiver')).join(),
    /x:2: the kind is required, but it is used as a receiver profile/,
  );
});

test('files of older versions are recognised and the message says how to mend them', () => {
  const headers = '# source ID = 1\n# destination ID = 2\n# period = 10\n0, 1, 1, 0\n';
  const [source, destination] = problemsOf(() => readProfileText(headers, 'old.csv', 'required'));
  assert.match(
    source!,
    /old.csv:1: `source ID` is a header of an older version: write `# node ID = 1` instead/,
  );
  assert.match(
    destination!,
    /old.csv:2: `destination ID` .* `# flow type = …`, and the receiver `# node ID = 2`/,
  );
  assert.match(
    problemsOf(() => readProfileText('0, 800, 10, eth0\n', 'n_crm_config.csv')).join(),
    /:1: .*version-1 node file .*Drop the interface, divide the latency by 1000/,
  );
  assert.match(
    problemsOf(() => readProfileText('% v1\n100, 10\n0, 800, 0\n', 'v1.csv')).join(),
    /:2: .*Write `# start = 100` and `# period = 10` instead/,
  );
});

test('a latency that lets later data overtake earlier data is refused, the fall to the next period included', () => {
  const provided = '# period = 10\n# kind = provided\n';
  assert.match(
    problemsOf(() => readProfileText(`${provided}0, 1, 1, 0\n4, 1, 1, 3\n5, 1, 1, 1\n`, 'l.snp')).join(),
    /l.snp:4: the latency falls from 3 s to 1 s before the next row, .*overtake/,
  );
  assert.match(
    problemsOf(() => readProfileText(`${provided}0, 1, 1, 0\n9, 1, 1, 2\n`, 'l.snp')).join(),
    /l.snp:4: .*before the next period/,
  );
  assert.equal(
    readProfileText(`${provided}0, 1, 1, 0\n4, 1, 1, 3\n8, 1, 1, 0\n`, 'l.snp').profile.rows.length,
    3,
  );
});

test('a YAML file may hold several profiles, and its mistakes are told with their lines', () => {
  const good = `profiles:
  - kind: required
    node: 1
    flow: camera
    priority: 2
    periodSeconds: 0.30
    rows:
      - { timeSeconds: 0, meanBitsPerSecond: 0.1 }
      - { timeSeconds: 1/10, meanBitsPerSecond: 1e6, maxBitsPerSecond: 2000000, latencySeconds: 0.25 }
  - { kind: receiver, periodSeconds: 1, rows: [{ timeSeconds: 0, meanBitsPerSecond: 5 }] }
`;
  const [first, second] = readProfileDocument(good, 'a.yaml').map(({ profile }) => profile);
  assert.deepEqual(
    [first!.node, first!.periodSeconds, first!.rows[0]!.meanBitsPerSecond],
    ['1', ratio(3, 10), ratio(1, 10)],
  );
  assert.deepEqual(subtract(first!.rows[1]!.timeSeconds, ratio(1, 10)), 0);
  assert.equal(second!.kind, 'receiver');
  const bad = `kind: sometimes
speed: 5
priority: 1.5
rows:
  - { timeSeconds: 0 }
  - nothing
`;
  assert.deepEqual(
    problemsOf(() => readProfileDocument(bad, 'b.yaml')),
    [
      'b.yaml:2: unknown field `speed`: known are name, kind, node, flow, priority, periodSeconds, startSeconds, id, rows.',
      'b.yaml:1: unknown kind `sometimes`: use one of required, provided, receiver.',
      'b.yaml:1: no period: write periodSeconds, such as `periodSeconds: 10`.',
      'b.yaml:3: the priority is `1.5`: write a whole number.',
      'b.yaml:5: the row has no meanBitsPerSecond.',
      'b.yaml:6: write a row: a map with timeSeconds and meanBitsPerSecond.',
    ],
  );
  assert.match(
    problemsOf(() => readProfileDocument('{ "kind": ', 'c.json')).join(),
    /^c.json:\d+: .*correct the YAML or JSON here/,
  );
  const late =
    'kind: required\nperiodSeconds: 2\nrows:\n  - { timeSeconds: 0, meanBitsPerSecond: 1 }\n  - { timeSeconds: 3, meanBitsPerSecond: 1 }\n';
  assert.match(
    problemsOf(() => readProfileDocument(late, 'd.yaml')).join(),
    /^d.yaml:5: time 3 is past the period of 2 s/,
  );
});

test('no text makes a reader fail in any other way than with its list of problems', () => {
  const pieces = fc.constantFrom(
    '# period = 10',
    '# kind = required',
    '0, 1, 1, 0',
    '5,5,5',
    '# =',
    '#',
    ',',
    '%',
    '0',
    'route: a',
    '- [',
    '{',
    'rows:',
    'kind: x',
    '1/0, 2, 3',
    '\u0000',
    '&a *a',
    '1e400,1,1,1',
  );
  fc.assert(
    fc.property(fc.array(fc.oneof(pieces, fc.string()), { maxLength: 6 }), (lines) => {
      for (const read of [readProfileText, readProfileDocument]) {
        try {
          read(lines.join('\n'), 'f');
        } catch (error) {
          assert.ok(error instanceof ProfileError, String(error));
        }
      }
    }),
    { numRuns: 500 },
  );
});
