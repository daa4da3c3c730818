// The code base tests itself: who may import whom, what pure modules must not call, no traces of one machine.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';

const root = path.resolve(import.meta.dirname, import.meta.dirname.endsWith('dist') ? '../..' : '..');
const tracked = execFileSync('git', ['ls-files', '-co', '--exclude-standard'], {
  cwd: root,
  encoding: 'utf8',
})
  .split('\n')
  .filter((file) => file !== '' && existsSync(path.join(root, file)));
const read = (file: string): string => readFileSync(path.join(root, file), 'utf8');
const shoalSources = tracked.filter((file) => /^packages\/shoal\/src\/.+\.ts$/.test(file));

/** The import table of ARCHITECTURE.md: module → the modules it may import. */
function importTable(): Map<string, string[]> {
  const rows = new Map<string, string[]>();
  const modules = [
    'model',
    'wire',
    'transport',
    'profile',
    'middleware',
    'runtime',
    'controller',
    'isolate',
    'testing',
    'cli',
  ];
  for (const line of read('ARCHITECTURE.md').split('\n')) {
    const cells = /^\| `(\w+)` \| (.+) \|$/.exec(line);
    if (cells === null) continue;
    const text = cells[2] ?? '';
    const named = [...text.matchAll(/`(\w+)`/g)].map((match) => match[1] ?? '');
    const allowed = text.startsWith('all but')
      ? modules.filter((name) => !named.includes(name))
      : text.startsWith('all')
        ? modules
        : named;
    rows.set(cells[1] ?? '', allowed);
  }
  return rows;
}

test('every module imports only what the table in ARCHITECTURE.md allows', () => {
  const table = importTable();
  assert.ok(table.size >= 9, 'ARCHITECTURE.md holds the import table');
  const wrong: string[] = [];
  for (const file of shoalSources) {
    const from = file.split('/')[3] ?? '';
    const isTest = file.endsWith('.test.ts');
    if (from === 'index.ts') continue;
    assert.ok(table.has(from), `${file} is in a module that ARCHITECTURE.md does not name`);
    // Types are erased: `import('node:net').Socket` imports nothing.
    const source = read(file).replaceAll(/import\('[^']+'\)\.[A-Z]\w*/g, '');
    for (const match of source.matchAll(/(?:from|import\()\s*'([^']+)'/g)) {
      const target = match[1] ?? '';
      if (target.startsWith('.')) {
        const to = path.normalize(path.join(path.dirname(file), target)).split('/')[3] ?? '';
        const allowed = to === from || table.get(from)?.includes(to) || (isTest && to === 'testing');
        if (!allowed) wrong.push(`${file} imports ${to}`);
      }
      if (target.startsWith('node:') && (from === 'model' || from === 'profile') && !isTest) {
        wrong.push(`${file} imports ${target}: ${from} is pure`);
      }
    }
  }
  assert.deepEqual(wrong, []);
});

test('pure modules read no clock, no randomness and set no timers', () => {
  const pure = shoalSources.filter(
    (file) =>
      !file.endsWith('.test.ts') && /src\/(model|profile|wire)\/|src\/controller\/(core)\//.test(file),
  );
  const wrong = pure.flatMap((file) =>
    read(file)
      .split('\n')
      .flatMap((line, index) =>
        /(Date\.now|Math\.random|performance\.now|process\.hrtime|setTimeout|setInterval)\(/.test(line)
          ? [`${file}:${index + 1}: ${line.trim()}`]
          : [],
      ),
  );
  assert.deepEqual(wrong, []);
});

test('no file names a development machine, a registry host or a file that the project does not ship', () => {
  const wrong = tracked
    .filter((file) => /\.(ts|mjs|md|json|ya?ml|svg|html)$/.test(file) && file !== 'test/tidy.test.ts')
    .filter((file) => /\/work\/|\.\.\/shared\/|registry\.npmjs|"resolved": "http/.test(read(file)));
  assert.deepEqual(wrong, []);
});

const declaration = '(?:abstract |async )?(?:function|class|interface|type|const)';

/** Names that a module exports, those of the modules that it exports whole included. */
function exportedNames(file: string): string[] {
  const text = read(file);
  const listed = [...text.matchAll(/^export (?:type )?\{([^}]*)\}/gm)].flatMap(([, names = '']) =>
    names.split(',').map((name) =>
      name
        .trim()
        .replace(/^type /, '')
        .replace(/^.* as /, ''),
    ),
  );
  const declared = [...text.matchAll(new RegExp(`^export ${declaration} (\\w+)`, 'gm'))].map(
    ([, name = '']) => name,
  );
  const whole = [...text.matchAll(/^export \* from '([^']+)'/gm)].map(([, from = '']) =>
    path.join(path.dirname(file), from),
  );
  return [...listed.filter((name) => name !== ''), ...declared, ...whole.flatMap(exportedNames)];
}

test('every name of the public entry points says what it is', () => {
  const names = ['index.ts', 'profile/index.ts', 'testing/index.ts'].flatMap((file) =>
    exportedNames(`packages/shoal/src/${file}`),
  );
  assert.ok(names.length > 200, `only ${names.length} names were found`);
  const sources = shoalSources.filter((file) => !file.endsWith('.test.ts')).map(read);
  const isDocumented = (name: string): boolean => {
    const pattern = new RegExp(`\\*/\\n(?://[^\\n]*\\n)?export ${declaration} ${name}\\b`);
    return sources.some((source) => pattern.test(source));
  };
  assert.deepEqual(
    names.filter((name) => !isDocumented(name)),
    [],
  );
});

test('every test runs: none is skipped, focused or left to do', () => {
  const wrong = tracked
    .filter((file) => file.endsWith('.test.ts') && file !== 'test/tidy.test.ts')
    .filter((file) =>
      /\b(test|it|describe)\.(skip|only|todo)\(|\btest\(.*\{[^\n]*\b(skip|only|todo): true/.test(read(file)),
    );
  assert.deepEqual(wrong, []);
});

test('every folder of the repository, and every package and app in it, has a row in the table of the README', () => {
  const named = [...read('README.md').matchAll(/^\| `([\w/-]+)` \| \S.* \|$/gm)].map(([, name = '']) => name);
  const folders = tracked
    .filter((file) => file.includes('/') && !file.startsWith('.'))
    .map((file) => {
      const [top = '', second = ''] = file.split('/');
      return top === 'packages' || top === 'apps' ? `${top}/${second}` : top;
    });
  assert.deepEqual([...named].sort(), [...new Set(folders)].sort());
});

test('every module of the package has a row in the import table of ARCHITECTURE.md, and every row a module', () => {
  const modules = shoalSources.map((file) => file.split('/')[3] ?? '').filter((name) => name !== 'index.ts');
  // Its rows are allowed to be ahead of the code.
  const planned = ['middleware'];
  assert.deepEqual([...importTable().keys()].sort(), [...new Set([...modules, ...planned])].sort());
});
