import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  type AppGraph,
  bytes,
  defineApp,
  defineMsu,
  describeApp,
  type Edge,
  receives,
  requests,
  sends,
  serves,
} from '../model/index.ts';
import { createWiring } from './wiring.ts';

type Line = readonly [from: string, kind: 'send' | 'ask', to: string];

/** A graph of types with the given edges. Types without one into them are entries. */
function graphOf(names: readonly string[], lines: readonly Line[]): AppGraph {
  const msus = names.map((name) => {
    const own = lines.filter(([from]) => from === name);
    const isEntry = !lines.some(([, , to]) => to === name);
    return defineMsu({
      name,
      in: isEntry ? {} : { tell: receives(bytes()), ask: serves(bytes(), bytes()) },
      out: Object.fromEntries(
        own.map(([, kind, to]) => [
          `${kind}-${to}`,
          kind === 'send' ? sends(bytes()) : requests(bytes(), bytes()),
        ]),
      ),
      create: () => ({}) as never,
    });
  });
  const edges = lines.map(
    ([from, kind, to]): Edge => ({
      from: { msu: from, port: `${kind}-${to}` },
      to: { msu: to, port: kind === 'send' ? 'tell' : 'ask' },
      routing: 'default',
    }),
  );
  return describeApp(defineApp({ name: 'graph', msus, edges }));
}

test('edges, servers and what lies downstream are read off the graph', () => {
  const wiring = createWiring(
    graphOf(
      ['in', 'mid', 'db', 'out', 'lonely'],
      [
        ['in', 'send', 'mid'],
        ['mid', 'ask', 'db'],
        ['mid', 'send', 'out'],
      ],
    ),
  );
  assert.deepEqual(
    wiring.into('db').map(({ fromMsu }) => fromMsu),
    ['mid'],
  );
  assert.deepEqual(
    wiring.from('mid').map(({ toMsu }) => toMsu),
    ['db', 'out'],
  );
  assert.deepEqual([...wiring.serversOf('mid')], ['db']);
  assert.deepEqual([...wiring.serversOf('in')], []);
  assert.deepEqual([...wiring.downstreamOf('in')].sort(), ['db', 'mid', 'out']);
  assert.deepEqual([...wiring.downstreamOf('out')], []);
  assert.deepEqual(wiring.into('unknown'), []);
});

test('in a cycle everything is downstream of everything, itself included', () => {
  const wiring = createWiring(
    graphOf(
      ['in', 'a', 'b'],
      [
        ['in', 'send', 'a'],
        ['a', 'send', 'b'],
        ['b', 'send', 'a'],
      ],
    ),
  );
  assert.deepEqual([...wiring.downstreamOf('a')].sort(), ['a', 'b']);
  assert.equal(wiring.order[0], 'in');
});

test('the order has every type once, senders before receivers', () => {
  const names = ['a', 'b', 'c', 'd', 'e', 'f'];
  const line = fc
    .tuple(fc.nat(4), fc.nat(4), fc.constantFrom('send' as const, 'ask' as const))
    .map(([from, span, kind]): Line => {
      const to = Math.min(5, from + 1 + (span % (5 - from)));
      return [names[from] as string, kind, names[to] as string];
    });
  fc.assert(
    fc.property(
      fc.uniqueArray(line, { selector: (l) => l.join(), maxLength: 12 }),
      fc.shuffledSubarray(names, { minLength: 6 }),
      (lines, declared) => {
        const { order } = createWiring(graphOf(declared, lines));
        assert.deepEqual([...order].sort(), names);
        for (const [from, , to] of lines) {
          assert.ok(order.indexOf(from) < order.indexOf(to), `${from} → ${to} in ${order.join()}`);
        }
      },
    ),
  );
});
