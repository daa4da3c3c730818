import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type App, connect, defineApp, defineMsu, formatProblem, validate } from '../index.ts';

test('validate never throws, whatever a plain JavaScript app holds, and every problem says what and how to mend it', () => {
  const names = [
    'name',
    'in',
    'out',
    'timers',
    'options',
    'create',
    'state',
    'instances',
    'dependencies',
    'machines',
  ];
  const portNames = [
    'kind',
    'message',
    'reply',
    'fields',
    'periodMs',
    'from',
    'to',
    'msu',
    'port',
    'routing',
    'min',
  ];
  const key = fc.oneof(fc.constantFrom(...names, ...portNames), fc.string({ maxLength: 3 }));
  const leaf = fc.oneof(
    fc.string({ maxLength: 5 }),
    fc.double(),
    fc.boolean(),
    fc.constantFrom(null, undefined, 'a', 'sends', 'receives', 'record', 'local', '__proto__', 'constructor'),
  );
  const { anything } = fc.letrec<{ anything: unknown }>((tie) => ({
    anything: fc.oneof(
      { depthSize: 'small' },
      leaf,
      fc.array(tie('anything'), { maxLength: 3 }),
      fc.dictionary(key, tie('anything'), { maxKeys: 6 }),
    ),
  }));
  const type = fc.record({
    options: fc.dictionary(key, anything, { maxKeys: 8 }),
    in: fc.dictionary(key, anything, { maxKeys: 3 }),
    out: fc.dictionary(key, anything, { maxKeys: 3 }),
    timers: fc.dictionary(key, anything, { maxKeys: 2 }),
    create: fc.constantFrom(undefined, () => ({})),
  });
  const end = fc.record({ msu: fc.constantFrom('a', 'b', ''), port: fc.string({ maxLength: 2 }) });
  const edge = fc.record({
    from: end,
    to: end,
    routing: fc.oneof(leaf, fc.constantFrom('default', 'keyed')),
  });
  const app = fc.record({
    name: anything,
    msus: fc.array(fc.oneof(type, anything), { maxLength: 4 }),
    edges: fc.array(fc.oneof(edge, anything), { maxLength: 4 }),
  });
  fc.assert(
    fc.property(fc.oneof(app, anything), (thing) => {
      for (const problem of validate(thing as App)) {
        assert.ok(problem.what.length > 5, formatProblem(problem));
        assert.ok(problem.mend.length > 3, formatProblem(problem));
      }
    }),
    { numRuns: 3_000 },
  );
});

test('an app of nonsense made with the functions of the package is reported, not thrown', () => {
  const nonsense = [undefined, null, 5, 'x', []] as never[];
  for (const thing of nonsense) {
    const app = defineApp({ name: 'app', msus: thing, edges: [connect(thing, thing)] });
    assert.ok(validate(app).length > 0);
    const other = defineApp({ name: 'app', msus: [defineMsu({ name: thing, create: thing })], edges: thing });
    assert.ok(validate(other).length > 0);
  }
});
