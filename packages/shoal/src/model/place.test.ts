import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { bytes, connect, defineApp, defineMsu, parseStackPlace, placeOf, receives, sends } from './index.ts';

const here = fileURLToPath(import.meta.url);
const lineOf = (mark: string): number =>
  readFileSync(here, 'utf8')
    .split('\n')
    .findIndex((line) => line.includes(`/* ${mark} */`) && !line.includes('lineOf')) + 1;

test('what defineMsu, connect and defineApp made knows the line of the call, also within a function of the app', () => {
  const make = (): ReturnType<typeof source> => source();
  function source() {
    return defineMsu({ /* first */ name: 'source', out: { to: sends(bytes()) }, create: () => ({}) });
  }
  const first = make();
  const sink = defineMsu({
    name: 'sink',
    in: { take: receives(bytes()) },
    create: () => ({ take: () => {} }),
  });
  const edge = connect(/* edge */ first.out.to, sink.in.take);
  const app = defineApp({ /* app */ name: 'app', msus: [first, sink], edges: [edge] });
  assert.equal(placeOf(first).file, here);
  assert.equal(placeOf(first).line, lineOf('first'));
  assert.equal(placeOf(edge).line, lineOf('edge'));
  assert.equal(placeOf(app).line, lineOf('app'));
  assert.ok(placeOf(app).column > 1);
});

test('the note of a place does not show: not in keys, JSON, copies or comparisons', () => {
  const app = defineApp({ name: 'app', msus: [], edges: [] });
  assert.deepEqual(Object.keys(app), ['name', 'msus', 'edges']);
  assert.deepEqual(app, { name: 'app', msus: [], edges: [] });
  assert.deepEqual(Reflect.ownKeys(structuredClone(app)), ['name', 'msus', 'edges']);
});

test('a place is found in stack lines of every form, and node: frames are passed over', () => {
  const cases: [string, string][] = [
    ['Error\n    at file:///home/a%20b/app.ts:3:5', '/home/a b/app.ts:3:5'],
    ['Error\n    at Module.run (file:///home/app.ts?x=1:12:34)', '/home/app.ts:12:34'],
    ['Error\n    at async Promise.all (index 0)\n    at async main (/home/app.js:1:2)', '/home/app.js:1:2'],
    [
      'Error\n    at node:internal/x:1:1\n    at Object.<anonymous> (/srv/(odd) name/app.cjs:7:9)',
      '/srv/(odd) name/app.cjs:7:9',
    ],
    ['Error\n    at new Thing (C:\\app\\main.ts:4:2)', 'C:\\app\\main.ts:4:2'],
    ['Error\n    at file:///C:/app/main.ts:4:2', 'C:/app/main.ts:4:2'],
  ];
  for (const [stack, expected] of cases) {
    const place = parseStackPlace(stack);
    assert.equal(place && `${place.file}:${place.line}:${place.column}`, expected);
  }
  assert.equal(parseStackPlace('Error: no frames'), null);
});
