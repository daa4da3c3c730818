import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, describe, test } from 'node:test';
import { ShoalError } from '../model/index.ts';
import { checkApp, defaultLoadMaxMs } from './check-app.ts';
import { command, fixtures, killCommands } from './test-command.ts';

const folder = mkdtempSync(path.join(os.tmpdir(), 'shoal-check-'));
after(() => rmSync(folder, { recursive: true }));
after(killCommands);
const app = (name: string): string => path.join(fixtures, 'apps', name);

describe('an app that cannot be checked is refused in a sentence', { timeout: 120_000 }, () => {
  const cases: readonly [string, string, RegExp][] = [
    [
      'a module that loops for ever',
      app('loops.mjs'),
      /loops\.mjs did not load within 1\.5 s \(does it start/,
    ],
    [
      'a module that throws',
      app('throws.mjs'),
      /threw while it was loaded: TypeError: .*throws\.mjs:3:\d+\)\.$/,
    ],
    [
      'a module that throws what is no error',
      app('rejects.mjs'),
      /threw a plain string while it was loaded\.$/,
    ],
    ['a module that ends its process', app('exits.mjs'), /called process\.exit\(3\) while it was loaded\.$/],
    [
      'a module without a default export',
      app('no-default.mjs'),
      /has no default export: write `export default/,
    ],
    ['a default export that is no app', app('not-an-app.mjs'), /a default export that is not an app: write/],
    ['an import of what is not installed', app('imports-nothing.mjs'), /Cannot find package 'a-package-that/],
    ['a file that does not exist', 'no/such/app.mjs', /^There is no app module .*no\/such\/app\.mjs\.$/],
    ['a folder', fixtures, /is not a file: name the app module itself\.$/],
    [
      'a file of another kind',
      path.join(fixtures, 'many/deployment.yaml'),
      /The app module \S+\.yaml is not a JavaScript or TypeScript file/,
    ],
    [
      'a file of JSON',
      path.resolve(fixtures, '../package.json'),
      /The app module \S+\/package\.json is not a JavaScript or TypeScript file/,
    ],
    ['a module that throws an object', app('throws-object.mjs'), /threw an object while it was loaded\.$/],
    [
      'an import of a file of another kind, which is named',
      app('imports-style.mjs'),
      /imports-style\.mjs imports \S+\/style\.css, which is not a JavaScript or TypeScript file/,
    ],
    [
      'an import of what is not exported',
      app('imports-wrong-name.mjs'),
      /does not provide an export named 'stedy' \(.*imports-wrong-name\.mjs:1\)\.$/,
    ],
    [
      'a module that waits for what never comes',
      app('waits.mjs'),
      /waits at its top level \(await\) for what never comes\.$/,
    ],
    [
      'a module that kills its process',
      app('kills.mjs'),
      /kills\.mjs ended its process, by SIGABRT, while it was loaded \(it may have taken too much memory\)\.$/,
    ],
    [
      'a module in native code, which nothing interrupts',
      app('native.mjs'),
      /native\.mjs did not load within 1\.5 s \(does it start/,
    ],
  ];
  for (const [name, file, expected] of cases) {
    test(name, async () => {
      const loadMaxMs = /(loops|native)\.mjs$/.test(file) ? 1_500 : defaultLoadMaxMs;
      await assert.rejects(checkApp(file, undefined, loadMaxMs), (error) => {
        assert.ok(error instanceof ShoalError);
        assert.equal(error.code, 'SHOAL_APP_LOAD');
        assert.match(error.message, expected);
        assert.equal(error.message.split('\n').length, 1);
        return true;
      });
    });
  }

  test('a module that takes more memory than it may', async () => {
    await assert.rejects(
      checkApp(app('grows.mjs'), undefined, 60_000),
      /took more than 512 MiB of memory to load\.$/,
    );
  });

  test('a file that is not JavaScript, with the line', async () => {
    const file = path.join(folder, 'broken.mjs');
    writeFileSync(file, '\nexport default defineApp({ name: });\n');
    await assert.rejects(
      checkApp(file, undefined),
      /is not understood: Unexpected token '}' \(.*broken\.mjs:2\)\.$/,
    );
    const importing = path.join(folder, 'importing.mjs');
    writeFileSync(importing, "import './broken.mjs';\n");
    await assert.rejects(
      checkApp(importing, undefined),
      /importing\.mjs is not understood, or a module that it imports is not: Unexpected token '}'\.$/,
    );
  });

  test('a file that cannot be read', async () => {
    // Whoever asks, root too: reading the memory of a process from address 0 is an error.
    await assert.rejects(checkApp(app('steady.mjs'), '/proc/self/mem'), (error) => {
      assert.ok(error instanceof ShoalError);
      assert.equal(error.code, 'SHOAL_APP_LOAD');
      assert.match(error.message, /^\/proc\/self\/mem cannot be read: EIO/);
      return true;
    });
  });

  test('a deployment file that does not exist', async () => {
    await assert.rejects(
      checkApp(app('steady.mjs'), 'none.yaml'),
      /^ShoalError: There is no deployment file .*none\.yaml/,
    );
  });
});

describe('shoal check, of what is wrong, says so on standard error, without a stack trace, and ends with 2, or 1 for a wrong command line', {
  timeout: 120_000,
}, () => {
  const cases: readonly [string, readonly string[], number, RegExp][] = [
    ['a module that throws', [app('throws.mjs')], 2, /^shoal: The app module .*throws\.mjs:3:\d+\)\.\n$/],
    ['a duration that is none', [app('steady.mjs'), '--load-max', 'soon'], 1, /Give milliseconds from 1/],
    [
      'an unknown option',
      [app('steady.mjs'), '--deplyment', 'x'],
      1,
      /unknown option '--deplyment'[\s\S]*--deployment/,
    ],
  ];
  for (const [name, args, ending, expected] of cases) {
    test(name, async () => {
      const { status, stdout, stderr } = await command(['check', ...args]);
      assert.match(stderr, expected);
      assert.equal(status, ending, stderr);
      assert.equal(stdout, '');
      assert.doesNotMatch(stderr, /^\s+at /m);
    });
  }
});

test('shoal check ends when it has said that the module takes too long, though nothing interrupts the module', {
  timeout: 60_000,
}, async () => {
  const { status, stderr } = await command(['check', app('native.mjs'), '--load-max', '200']);
  assert.equal(status, 2);
  assert.match(stderr, /^shoal: The app module \S+ did not load within 0\.2 s /);
});

test('shoal check lists every mistake of app and deployment file, with places, and as JSON', async () => {
  const args = [
    'check',
    path.join(fixtures, 'many/app.mjs'),
    '-d',
    path.join(fixtures, 'many/deployment.yaml'),
  ];
  const text = await command(args);
  assert.equal(text.status, 2);
  assert.match(text.stderr, /has 2\d mistakes:/);
  assert.match(text.stderr, /many\/app\.mjs:26:14: Type "read": deadlineMs is -1\. Give/);
  assert.match(
    text.stderr,
    /many\/deployment\.yaml:2:1: Unknown option "sparethreads"\. Did you mean "spareThreads"\?/,
  );
  const json = await command([...args, '--json']);
  assert.deepEqual([json.status, json.stdout], [2, '']);
  const error = JSON.parse(json.stderr) as {
    code: string;
    facts: { problems: { where: { line: number } }[] };
  };
  assert.equal(error.code, 'SHOAL_INVALID_APP');
  assert.ok(error.facts.problems.length > 20);
  assert.ok(error.facts.problems.every((problem) => problem.where.line > 0));
});

test('with --json a wrong command line is one line of JSON on standard error, whatever the command', {
  timeout: 120_000,
}, async () => {
  const cases: readonly [readonly string[], RegExp][] = [
    [['frobnicate'], /^unknown command 'frobnicate'/],
    [['run', 'app.mjs', '--control-port', '70000'], /Give a port from 0 to 65535\./],
    [['check'], /^missing required argument 'app'/],
    [
      ['check', 'app.mjs', '--deplyment', 'x'],
      /^unknown option '--deplyment'\n\(Did you mean --deployment\?\)/,
    ],
    [['top', '--interval', '1'], /Give milliseconds from 100 to 2147483647\./],
    [['decisions', 'now'], /^too many arguments/],
    [['explain'], /^missing required argument 'name'/],
    [['clone', 'work', '--count', 'many'], /Give a whole number from 1 to 64\./],
    [['remove'], /^missing required argument 'instance'/],
    [['reassign', '1'], /^missing required argument 'place'/],
    [['analyze', '--rate', 'top'], /Allowed choices are mean, max\./],
    [['tdma'], /^required option '--profile <file>' not specified/],
  ];
  for (const [args, expected] of cases) {
    const { status, stdout, stderr } = await command([...args, '--json']);
    assert.deepEqual([status, stdout, stderr.split('\n').length], [1, '', 2], stderr);
    const error = JSON.parse(stderr) as { code: string; message: string };
    assert.equal(error.code, 'SHOAL_COMMAND_LINE');
    assert.match(error.message, expected);
  }
});

test('shoal check tells how a right app would run; what its module prints does not disturb the JSON', async () => {
  const { status, stdout } = await command(['check', app('steady.mjs')]);
  assert.equal(status, 0);
  assert.match(stdout, /App "steady" is right: 2 MSU types, 1 edge\.[\s\S]*work, nice 10: work/);
  assert.match(stdout, /Messages enter at ask and leave at work\./);
  const json = await command(['check', app('prints.mjs'), '--json']);
  assert.equal((JSON.parse(json.stdout) as { isValid: boolean }).isValid, true);
  assert.match(json.stderr, /hello from the module/);
});

test('app modules in TypeScript are read as well', async () => {
  assert.equal((await checkApp(app('typed.ts'), undefined)).graph.name, 'typed');
});

test('the app of docs/guides/first-app.md is the file beside it, and is right', async () => {
  const folder = path.resolve(fixtures, '../../../docs/guides');
  const guide = readFileSync(path.join(folder, 'first-app.md'), 'utf8');
  const file = path.join(folder, 'first-app/app.mjs');
  assert.ok(guide.includes(`\`\`\`js\n${readFileSync(file, 'utf8')}\`\`\`\n`));
  const { graph, deployment } = await checkApp(file, undefined);
  assert.equal(graph.name, 'first-app');
  const threads = deployment.machines[0]?.processes[0]?.threads.map((thread) => thread.name);
  assert.deepEqual(threads, ['door', 'matcher']);
});
