// `shoal analyze` and `shoal tdma` as a user runs them: files in, text, JSON, pictures and exit codes out.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';

const extension = path.extname(import.meta.filename);
const main = path.join(import.meta.dirname, `main${extension}`);
/** The two commands by themselves: they start several times faster than with everything else of `shoal`. */
const alone = `
import { Command } from ${JSON.stringify(import.meta.resolve('commander'))};
import { addAnalyzeCommand } from ${JSON.stringify(new URL(`analyze${extension}`, import.meta.url))};
import { addTdmaCommand } from ${JSON.stringify(new URL(`tdma${extension}`, import.meta.url))};
const program = new Command('shoal');
addAnalyzeCommand(program);
addTdmaCommand(program);
program.parse(['node', 'shoal', ...process.argv.slice(1)]);`;
const folder = mkdtempSync(path.join(tmpdir(), 'shoal-analyze-'));
after(() => rmSync(folder, { recursive: true }));

interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function run(args: readonly string[]): Ended {
  const env = { ...process.env, NODE_NO_WARNINGS: '1' };
  const own = process.execArgv.filter((argument) => !argument.startsWith('--test'));
  const { status, stdout, stderr } = spawnSync(process.execPath, [...own, ...args], {
    cwd: folder,
    encoding: 'utf8',
    env,
  });
  return { status, stdout, stderr };
}

const shoal = (...args: string[]): Ended => run(['--input-type=module', '-e', alone, '--', ...args]);

function write(name: string, text: string): string {
  writeFileSync(path.join(folder, name), text);
  return name;
}

function profile(name: string, kind: string, node: string, rates: readonly number[], more = ''): string {
  const rows = [...rates, 0].map((rate, time) => `${time}, ${rate}, 0, 0`);
  return write(
    name,
    `# period = 10\n# node ID = ${node}\n# kind = ${kind}\n# flow type = topic1\n${more}${rows.join('\n')}\n10, 0, 0, 0\n`,
  );
}

const sent = [800e3, 850e3, 1024e3, 1000e3, 1005e3, 1050e3, 1100e3];
profile('required.csv', 'required', '1', sent, '# priority = 1\n');
profile('provided.csv', 'provided', '1', [900e3, 870e3, 940e3, 1000e3, 900e3, 1100e3, 1200e3]);
profile('overloaded.csv', 'provided', '1', [800e3, 870e3, 940e3, 1000e3, 900e3, 1100e3, 1200e3]);
profile('receiver.csv', 'receiver', '2', sent);
write('config.csv', '# multicast = false\ntopology: 1 : 2\n');
const files = ['--required', 'required.csv', '--provided', 'provided.csv', '--receiver', 'receiver.csv'];
const overloaded = files.map((file) => file.replace('provided.csv', 'overloaded.csv'));

test('the shoal command has both, and exit code 2 says that something does not fit', () => {
  assert.equal(run([main, 'tdma', '--help']).status, 0);
  const { status, stderr } = run([main, 'analyze', ...overloaded]);
  assert.deepEqual([status, stderr.includes('grows by 19,000 bits')], [2, true]);
});

test('a system that fits is told as text and ends with 0', () => {
  const { status, stdout, stderr } = shoal('analyze', ...files, '--network', 'config.csv');
  assert.deepEqual([status, stderr], [0, '']);
  assert.match(stdout, /topic1 \(priority 1\): 1 → 2/);
  assert.match(stdout, /1 +transmitter +189,000 bits +5 s +3\.043333 s +7 s +39,000 bits/);
  assert.match(
    stdout,
    /end to end: 3\.23625 s, for data sent at 7 s \(the delays above add up to 6\.230833 s\)/,
  );
  assert.match(stdout, /Stable: no backlog grows/);
});

test('JSON has the documented shape, and the documented rules reproduce the documented figures', () => {
  const { status, stdout } = shoal(
    'analyze',
    ...files,
    '--json',
    '--delay-rule',
    'left',
    '--composition',
    'first-period',
  );
  assert.equal(status, 0);
  assert.deepEqual(JSON.parse(stdout), {
    hyperperiodSeconds: 10,
    periods: 2,
    stable: true,
    growthBitsPerHyperperiod: 0,
    violations: [],
    warnings: [],
    flows: [
      {
        name: 'topic1',
        flow: 'topic1',
        priority: 1,
        route: ['1', '2'],
        hops: [
          {
            node: '1',
            role: 'transmitter',
            buffer: { timeSeconds: 5, bits: 189000 },
            delay: { timeSeconds: 7, seconds: 913 / 300 },
            servedDelay: { timeSeconds: 7, seconds: 913 / 300 },
            unservedBits: 39000,
            backlogBitsAtHyperperiods: [39000, 39000],
            growthBitsPerHyperperiod: 0,
            sharedWith: [],
          },
          {
            node: '2',
            role: 'receiver',
            buffer: { timeSeconds: 7, bits: 150000 },
            delay: { timeSeconds: 7, seconds: 3.1875 },
            servedDelay: { timeSeconds: 7, seconds: 3.1875 },
            unservedBits: 150000,
            backlogBitsAtHyperperiods: [150000, 150000],
            growthBitsPerHyperperiod: 0,
            sharedWith: [],
          },
        ],
        endToEnd: { delaySeconds: 3, timeSeconds: 7, sumOfHopDelaysSeconds: 913 / 300 + 3.1875 },
      },
    ],
  });
});

test('an overload ends with 2 and a sentence that says where and by how much', () => {
  const { status, stdout, stderr } = shoal('analyze', ...overloaded, '--json', '--periods', '1');
  assert.equal(status, 2);
  const sentence =
    'the backlog of topic1 at node 1 (transmitter) grows by 19,000 bits in every hyperperiod of 10 s, without bound.';
  assert.equal(stderr, `Unstable: ${sentence}\n`);
  const report = JSON.parse(stdout);
  assert.deepEqual(
    [report.stable, report.growthBitsPerHyperperiod, report.violations],
    [false, 19000, [sentence]],
  );
});

test('a buffer or a delay beyond what is allotted ends with 2, within it with 0', () => {
  write('allot.yaml', '- { flow: topic1, node: 1, bufferBits: 150000, delaySeconds: 4 }\n');
  const refused = shoal('analyze', ...files, '--allot', 'allot.yaml');
  assert.equal(refused.status, 2);
  assert.match(
    refused.stderr,
    /^Does not fit: topic1 at node 1 \(transmitter\) needs a buffer of 189,000 bits at 5 s, .*: 39,000 bits too few\.\n$/,
  );
  write('enough.yaml', '- { flow: topic1, node: 1, bufferBits: 189000, delaySeconds: 4 }\n');
  assert.equal(shoal('analyze', ...files, '--allot', 'enough.yaml').status, 0);
});

test('a folder of profiles is loaded whole, its network configuration and other files left out', () => {
  write('notes.yaml', 'remarks: none\n');
  write('other.csv', 'topology: 1 : 2\n');
  rmSync(path.join(folder, 'overloaded.csv'));
  const whole = shoal('analyze', '--profiles', '.', '--network', 'config.csv', '--json');
  assert.equal(whole.status, 0, whole.stderr);
  assert.deepEqual(JSON.parse(whole.stdout), JSON.parse(shoal('analyze', ...files, '--json').stdout));
  profile('overloaded.csv', 'provided', '1', [800e3, 870e3, 940e3, 1000e3, 900e3, 1100e3, 1200e3]);
});

test('network calculus adds a bound to every hop', () => {
  const report = JSON.parse(shoal('analyze', ...files, '--network-calculus', '--json').stdout);
  for (const hop of report.flows[0].hops) {
    assert.ok(hop.networkCalculus.buffer.bits >= hop.buffer.bits);
    assert.ok(hop.networkCalculus.delay.seconds >= hop.delay.seconds);
  }
  const unstable = JSON.parse(shoal('analyze', ...overloaded, '--network-calculus', '--json').stdout);
  assert.equal(unstable.flows[0].hops[0].networkCalculus, null);
});

test('plots are written as SVG and HTML with the figures in them', () => {
  assert.equal(shoal('analyze', ...files, '--plot', 'plot.svg').status, 0);
  const svg = readFileSync(path.join(folder, 'plot.svg'), 'utf8');
  assert.match(svg, /^<svg xmlns=/);
  for (const text of ['topic1 at node 1 (transmitter)', 'buffer 189,000 bits', 'delay 3.043333 s']) {
    assert.ok(svg.includes(text), text);
  }
  assert.equal(shoal('analyze', ...overloaded, '--plot', 'plot.html').status, 2);
  assert.match(
    readFileSync(path.join(folder, 'plot.html'), 'utf8'),
    /^<!doctype html>[\s\S]*grows by 19,000 bits[\s\S]*<svg/,
  );
  const refused = shoal('analyze', ...files, '--plot', 'plot.png');
  assert.deepEqual(
    [refused.status, refused.stderr],
    [1, 'plot.png: a plot is written as .svg or .html: change the file name.\n'],
  );
});

test('what is wrong in several files is listed in one go and ends with 1, without a stack trace', () => {
  write('bad.csv', '# period = 10\n0, 5, 0, 0\n2, -5, 0, 0\n');
  const { status, stdout, stderr } = shoal(
    'analyze',
    '--required',
    'bad.csv',
    'gone.csv',
    '--provided',
    'required.csv',
    '--network',
    'bad.csv',
  );
  assert.deepEqual([status, stdout], [1, '']);
  assert.deepEqual(stderr.split('\n'), [
    'bad.csv:3: the mean rate is -5: it must not be negative.',
    'gone.csv: cannot be read: there is no such file or folder.',
    'required.csv:3: the kind is required, but it is used as a provided profile: change the header or where it is used.',
    'bad.csv:2: cannot read `0, 5, 0, 0`: write `topology: node : direct, …` or `route: from, hop, to`.',
    'bad.csv:3: cannot read `2, -5, 0, 0`: write `topology: node : direct, …` or `route: from, hop, to`.',
    '',
  ]);
  for (const periods of ['0', 'x']) {
    const refused = shoal('analyze', ...files, '--periods', periods);
    assert.equal(refused.status, 1);
    assert.equal(refused.stderr, `--periods: is \`${periods}\`: write a whole number from 1 to 10000.\n`);
  }
});

test('without any profile it says how to name them', () => {
  const { status, stderr } = shoal('analyze');
  assert.equal(status, 1);
  assert.match(
    stderr,
    /^--required: no profiles are named: give files of what is sent, or a folder with --profiles\.\n$/,
  );
});

test('with --json what is wrong is JSON as well, each problem with its place', () => {
  write('bad.csv', '# period = 10\n0, 5, 0, 0\n2, -5, 0, 0\n');
  const { status, stdout, stderr } = shoal('analyze', '--required', 'bad.csv', '--json');
  assert.deepEqual([status, stdout], [1, '']);
  const message = 'the mean rate is -5: it must not be negative.';
  assert.deepEqual(JSON.parse(stderr), {
    code: 'SHOAL_PROFILE_INVALID',
    message: `bad.csv:3: ${message}`,
    facts: { problems: [{ source: 'bad.csv', line: 3, message }] },
  });
  const slots = ['--slots', '4', '--active-slot', '0', '--period', '1', '--json'];
  const tdma = shoal('tdma', '--profile', 'bad.csv', ...slots);
  assert.deepEqual(
    [tdma.status, tdma.stdout, JSON.parse(tdma.stderr).facts],
    [1, '', JSON.parse(stderr).facts],
  );
});

test('two flows of one priority on a link are told with the file and line to change', () => {
  profile('second.csv', 'required', '1', [1], '# name = second\n# priority = 1\n');
  const { status, stderr } = shoal('analyze', ...files, '--required', 'second.csv');
  assert.equal(status, 1);
  assert.match(
    stderr,
    /^second\.csv:6: topic1 \(required\.csv\) and second of flow topic1 both have priority 1 on the link of node 1: give each/,
  );
});

test('files that cannot be read or written are named with the reason', () => {
  const { stderr } = shoal(
    'analyze',
    '--required',
    '.',
    '--profiles',
    'required.csv',
    '--allot',
    'none.yaml',
  );
  assert.equal(
    stderr,
    '.: cannot be read: it is a folder.\nrequired.csv: cannot be read: it is not a folder.\nnone.yaml: cannot be read: there is no such file or folder.\n',
  );
  const slots = ['--profile', 'provided.csv', '--slots', '4', '--active-slot', '1', '--period', '0.5'];
  for (const args of [
    ['analyze', ...files, '--plot', 'none/x.svg'],
    ['tdma', ...slots, '--out', 'none/x.svg'],
  ]) {
    const refused = shoal(...args);
    assert.deepEqual(
      [refused.status, refused.stderr],
      [1, 'none/x.svg: cannot be written: there is no such file or folder.\n'],
    );
  }
});

test('a wrong command line ends with 1: 2 is for what does not fit', () => {
  for (const args of [
    ['analyze', '--bogus'],
    ['analyze', 'required.csv'],
    ['analyze', ...files, '--delay-rule', 'middle'],
    ['tdma'],
    ['analize'],
  ]) {
    const { status, stderr } = run([main, ...args]);
    assert.deepEqual(
      [status, /^error: /.test(stderr), /\n\s+at /.test(stderr)],
      [1, true, false],
      args.join(' '),
    );
  }
});

test('without --periods it goes on until nothing changes any more; with it, it warns that it was too short', () => {
  const header = '# period = 0.02\n# flow type = far\n';
  write('far.csv', `${header}# node ID = 1\n0, 1000, 0\n0.01, 0, 0\n`);
  write('orbit.csv', '# period = 0.02\n# node ID = 1\n0, 1000, 0.1\n');
  write('dish.csv', `${header}# node ID = 2\n0, 500, 0\n`);
  const far = [
    'analyze',
    '--required',
    'far.csv',
    '--provided',
    'orbit.csv',
    '--receiver',
    'dish.csv',
    '--json',
  ];
  const whole = JSON.parse(shoal(...far).stdout);
  assert.deepEqual([whole.periods, whole.warnings, whole.flows[0].hops[1].buffer.bits], [6, [], 5]);
  const short = JSON.parse(shoal(...far, '--periods', '2', '--network-calculus').stdout);
  assert.deepEqual([short.periods, short.flows[0].hops[1].buffer.bits], [2, 0]);
  assert.match(short.warnings.join(), /had not settled/);
  assert.equal(short.flows[0].hops[1].networkCalculus.buffer.bits, 5);
});

test('tdma --json prints the profile, warnings and cost as one object, and nothing else', () => {
  const slots = ['--slots', '4', '--active-slot', '0', '--period', '1'];
  const plain = shoal('tdma', '--profile', 'provided.csv', ...slots);
  const { status, stdout, stderr } = shoal('tdma', '--profile', 'provided.csv', ...slots, '--json');
  assert.deepEqual([status, stderr], [0, '']);
  const { profile: text, warnings, cost } = JSON.parse(stdout);
  assert.equal(text, plain.stdout);
  assert.equal([...warnings, ...cost, ''].join('\n'), plain.stderr);
});

test('tdma says where its bounds hold, and warns of slots that rates cut', () => {
  write('even.csv', '# period = 10\n# kind = provided\n0, 1000, 0\n');
  const tdma = (file: string, period: string): string =>
    shoal('tdma', '--profile', file, '--slots', '4', '--active-slot', '0', '--period', period).stderr;
  assert.equal(
    tdma('even.csv', '0.5'),
    'A slot of 0.125 s in every 0.5 s: at most 0.375 s more delay, and at most 375 bits more buffer at 1000 bit/s.\n',
  );
  assert.match(
    tdma('provided.csv', '0.5'),
    /as long as the rate of the profile does not change.*\nWhere it changes, analyse/,
  );
  assert.match(tdma('provided.csv', '0.7'), /\nWarning: TDMA periods of 0\.7 s do not end where/);
});

test('tdma writes a profile that reads back, and says what the slots cost', () => {
  const { status, stdout, stderr } = shoal(
    'tdma',
    '--profile',
    'provided.csv',
    '--slots',
    '4',
    '--active-slot',
    '1',
    '--period',
    '0.5',
  );
  assert.equal(status, 0);
  assert.match(stdout, /\n0\.125, 3600000, 3600000, 0\n0\.25, 0, 0, 0\n/);
  assert.match(stderr, /at most 0\.375 s more delay, and at most 450,000 bits more buffer at 1200000 bit\/s/);
  write('slots.csv', stdout);
  const report = JSON.parse(shoal('analyze', ...files, '--provided', 'slots.csv', '--json').stdout);
  assert.equal(report.stable, true);
  const refused = shoal(
    'tdma',
    '--profile',
    'provided.csv',
    '--slots',
    '4',
    '--active-slot',
    '4',
    '--period',
    '0.5',
  );
  assert.deepEqual(
    [refused.status, refused.stderr],
    [1, 'tdma: the active slot must be a whole number from 0 to 3.\n'],
  );
});

test('the guide "Will it fit?" shows what its commands print and draw', () => {
  const guides = path.join(import.meta.dirname, '../../../../docs/guides');
  const guide = readFileSync(path.join(guides, 'will-it-fit.md'), 'utf8');
  const examples = [...guide.matchAll(/```console\n\$ shoal ((?:.*\\\n)*.*)\n([\s\S]*?)\n```/g)];
  assert.ok(examples.length >= 4);
  cpSync(path.join(guides, 'will-it-fit'), folder, { recursive: true });
  for (const [, command = '', printed] of examples) {
    const { stdout, stderr } = shoal(...command.replaceAll('\\\n', ' ').trim().split(/\s+/));
    assert.equal(`${stdout}${stderr}`.trimEnd(), printed);
  }
  for (const [, example = ''] of guide.matchAll(/```(?:yaml)?\n([%#][\s\S]*?)\n```/g)) {
    const files = readdirSync(path.join(guides, 'will-it-fit')).map((name) =>
      readFileSync(path.join(folder, name), 'utf8'),
    );
    assert.ok(
      files.some((text) => text.trimEnd() === example),
      `a file of the guide says:\n${example}`,
    );
  }
  for (const picture of ['overload.svg', 'fits.svg']) {
    const kept = readFileSync(path.join(guides, 'will-it-fit', picture), 'utf8');
    assert.equal(
      readFileSync(path.join(folder, picture), 'utf8'),
      kept,
      `${picture} is what the command draws`,
    );
  }
});
