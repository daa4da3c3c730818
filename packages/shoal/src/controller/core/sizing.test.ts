import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { defaultPolicy } from '../../model/index.ts';
import { deployment, graph, msu } from '../fixture.ts';
import type { Estimate } from './estimate.ts';
import { Monitor } from './monitor.ts';
import { size, sufficient } from './sizing.ts';
import type { TypeView } from './view.ts';

function typeOf(options: Parameters<typeof msu>[1] = {}): TypeView {
  const app = graph([msu('io', { isEntry: true }), msu('work', options)], ['io>work']);
  return new Monitor(app, deployment({ a: { main: [['io'], ['work']] } })).type('work');
}

/** Figures of many equal messages: what is measured is certain. */
function figures(options: Partial<Estimate> = {}): Estimate {
  return {
    spanMs: 1_000,
    serving: 1,
    capacity: 1,
    arrivalsPerSecond: 100,
    completionsPerSecond: 100,
    refusedPerSecond: 0,
    trueRatePerSecond: 100,
    demand: 1,
    inUse: 1,
    arrivedInSpan: 1e9,
    completedInSpan: 1e9,
    utilization: 1,
    backlog: 0,
    ...options,
  };
}

test('wanted is arriving work over target utilization, plus the backlog over the drain time', () => {
  const wanted = (options: Partial<Estimate>): number =>
    size(typeOf(), figures(options), null, defaultPolicy, 0, 0).wanted;
  assert.equal(wanted({ demand: 3 }), 5, '3 / 0.7 = 4.3');
  assert.equal(wanted({ demand: 3, backlog: 200 }), 7, 'and 200 messages of 10 ms in a second: 2 more');
  assert.equal(wanted({ demand: 0.2, inUse: 0.2 }), 1);
  assert.equal(wanted({ demand: 0.72, inUse: 0.72 }), 1, 'a tenth of an instance is noise');
  assert.equal(
    wanted({ serving: 2, capacity: 1, demand: 1.4, inUse: 1 }),
    3,
    'two that share a core are one',
  );
});

test('few messages, and messages that differ, are acted on only in part, and never below what is in use', () => {
  fc.assert(
    fc.property(
      fc.double({ min: 0.1, max: 50, noNaN: true }),
      fc.integer({ min: 0, max: 1_000 }),
      fc.integer({ min: 0, max: 1_000 }),
      (demand, arrived, completed) => {
        const options = {
          demand,
          inUse: Math.min(1, demand),
          arrivedInSpan: arrived,
          completedInSpan: completed,
        };
        const certain = size(
          typeOf(),
          figures({ demand, inUse: Math.min(1, demand) }),
          null,
          defaultPolicy,
          0,
          0,
        );
        const doubtful = size(typeOf(), figures(options), null, defaultPolicy, 0, 0);
        assert.ok(doubtful.wantedExact <= certain.wantedExact + 1e-3);
        assert.ok(doubtful.wantedExact >= Math.min(1, demand) / 0.7 - 1e-9);
      },
    ),
  );
});

test('wanted stays within the bounds of the type, whatever is measured', () => {
  fc.assert(
    fc.property(
      fc.double({ min: 0, max: 1e6, noNaN: true }),
      fc.double({ min: 0, max: 1e9, noNaN: true }),
      fc.integer({ min: 0, max: 5 }),
      fc.integer({ min: 5, max: 80 }),
      (demand, backlog, instancesMin, instancesMax) => {
        const type = typeOf({ instancesMin, instancesMax });
        const { wanted } = size(type, figures({ demand, backlog }), null, defaultPolicy, 0, 0);
        assert.ok(Number.isInteger(wanted) && wanted >= instancesMin && wanted <= instancesMax);
      },
    ),
  );
});

test('what is ordered counts as there', () => {
  const sizing = size(typeOf(), figures({ demand: 3 }), null, defaultPolicy, 4, 0);
  assert.equal(sizing.count, 5);
  assert.equal(sizing.wanted, 5);
});

test('a count that suffices leaves the target well behind, so that a reclaim does not overload what is left', () => {
  fc.assert(
    fc.property(fc.double({ min: 0, max: 1_000, noNaN: true }), (demand) => {
      const count = sufficient(demand);
      assert.ok(count >= 1);
      assert.ok(demand / count < defaultPolicy.targetUtilization);
    }),
  );
});

test('a resource that is used up asks for one more process at least', () => {
  const processes = [{ process: 'a/main', used: 450, limit: 1_000, ownUse: 400 }];
  const overload = { rule: 'limited-resource' as const, resource: 'sockets', processes };
  assert.equal(size(typeOf(), figures({ demand: 0.1 }), overload, defaultPolicy, 0, 0).wanted, 2);
  const full = { ...overload, processes: [{ process: 'a/main', used: 1_000, limit: 1_000, ownUse: 1_000 }] };
  assert.equal(size(typeOf(), figures({ demand: 0.1 }), full, defaultPolicy, 0, 0).wanted, 3);
});
