// What every routing policy owes, and then what each promises of its own.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { instanceId, machineId, type RoutingPolicy } from '../../model/index.ts';
import { createRouter, type RouterContext, type RouterEndpoint } from './index.ts';

const policies: readonly RoutingPolicy[] = [
  'shortest-queue',
  'keyed',
  'round-robin',
  'same-process',
  'same-machine-as-origin',
  'same-instance',
  'explicit',
  'all',
];

type Draft = {
  -readonly [K in keyof RouterEndpoint]?: RouterEndpoint[K];
} & { length?: number };

function endpoint(id: number, draft: Draft = {}): RouterEndpoint {
  const { length = 0, ...rest } = draft;
  return {
    instanceId: instanceId(id),
    machine: machineId('a'),
    isLocalProcess: true,
    weight: 1,
    isDraining: false,
    queueLength: () => length,
    ...rest,
  };
}

/** mulberry32: runs repeat. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 0x1_0000_0000;
  };
}

const nowhere: RouterContext = { originMachine: machineId('a'), provenance: [], provenanceLength: 0 };

/** How often each endpoint is chosen over many keys. */
function shares(
  policy: RoutingPolicy,
  endpoints: readonly RouterEndpoint[],
  rounds: number,
  context: RouterContext = nowhere,
): number[] {
  const router = createRouter(policy, endpoints, seeded(1), context);
  const counts = endpoints.map(() => 0);
  for (let key = 1; key <= rounds; key++) {
    const index = router.choose(key);
    if (index >= 0) counts[index] = (counts[index] ?? 0) + 1;
  }
  return counts.map((count) => count / rounds);
}

const anyEndpoints = fc
  .uniqueArray(
    fc.record({
      id: fc.integer({ min: 1, max: 100_000 }),
      machine: fc.constantFrom('a', 'b'),
      isLocalProcess: fc.boolean(),
      weight: fc.double({ min: 0.01, max: 100, noNaN: true }),
      isDraining: fc.boolean(),
      length: fc.nat(5),
    }),
    { selector: ({ id }) => id, maxLength: 12 },
  )
  .map((drafts) =>
    drafts.map(({ id, machine, ...draft }) => endpoint(id, { ...draft, machine: machineId(machine) })),
  );

for (const policy of policies) {
  test(`${policy}: without endpoints there is nothing to choose`, () => {
    const router = createRouter(policy, [], seeded(1), nowhere);
    assert.equal(router.choose(1), -1);
    assert.equal(router.active.length, 0);
    assert.equal(router.indexOf(5), -1);
  });

  test(`${policy}: a choice is an endpoint that may get it, and whenever there is one there is a choice`, () => {
    fc.assert(
      fc.property(anyEndpoints, fc.maxSafeNat(), fc.integer(), (endpoints, key, seed) => {
        const router = createRouter(policy, endpoints, seeded(seed), nowhere);
        const active = endpoints.filter(({ isDraining }) => !isDraining);
        assert.deepEqual(
          Array.from(router.active, (index) => endpoints[index]),
          active,
        );
        const eligible = active.filter(
          ({ isLocalProcess, machine }) =>
            policy !== 'explicit' &&
            policy !== 'all' &&
            (policy !== 'same-process' || isLocalProcess) &&
            (policy !== 'same-machine-as-origin' || machine === nowhere.originMachine),
        );
        for (let i = 0; i < 5; i++) {
          const index = router.choose(key + i > Number.MAX_SAFE_INTEGER ? key : key + i);
          const chosen = endpoints[index];
          if (eligible.length === 0) assert.equal(index, -1);
          else assert.ok(chosen !== undefined && eligible.includes(chosen), `index ${index}`);
        }
      }),
    );
  });

  test(`${policy}: an instance is found by its id, draining or not`, () => {
    const router = createRouter(policy, [endpoint(7), endpoint(9, { isDraining: true })], seeded(1), nowhere);
    assert.deepEqual([router.indexOf(7), router.indexOf(9), router.indexOf(8)], [0, 1, -1]);
  });
}

for (const policy of [
  'shortest-queue',
  'keyed',
  'round-robin',
  'same-process',
  'same-machine-as-origin',
] as const) {
  test(`${policy}: shares follow the weights among equals`, () => {
    const weights = [1, 2, 5];
    const got = shares(
      policy,
      weights.map((weight, i) => endpoint(i + 1, { weight })),
      40_000,
    );
    for (const [i, weight] of weights.entries()) {
      // Five standard errors of the bucket table or of 40,000 draws, whichever is larger.
      const p = weight / 8;
      const error = 5 * Math.sqrt((p * (1 - p)) / 40_000);
      assert.ok(Math.abs((got[i] ?? 0) - p) < error, `${got[i]} instead of ${p}`);
    }
  });
}

test('shortest-queue: an idle endpoint is joined whatever the weights', () => {
  const endpoints = [1, 2, 3, 4, 5].map((id) => endpoint(id, { weight: 100, length: 1 }));
  endpoints.push(endpoint(6, { weight: 0.001, length: 0 }));
  assert.equal(shares('shortest-queue', endpoints, 500)[5], 1);
});

test('shortest-queue: among many, an idle endpoint is found if it is one of the eight looked at', () => {
  const endpoints = Array.from({ length: 20 }, (_, i) => endpoint(i + 1, { length: i === 6 ? 0 : 3 }));
  const got = shares('shortest-queue', endpoints, 40_000)[6] ?? 0;
  // 8 of 20 scans meet it; of the others, one in 20 draws it second.
  assert.ok(Math.abs(got - (0.4 + 0.6 / 20)) < 0.015, `${got}`);
});

test('shortest-queue: of up to eight busy endpoints it is the shortest', () => {
  const endpoints = [5, 4, 9, 2, 7, 8, 6, 3].map((length, i) => endpoint(i + 1, { length }));
  assert.equal(shares('shortest-queue', endpoints, 500)[3], 1);
});

test('shortest-queue: among many busy endpoints the longest never wins but the shortest takes not all', () => {
  const endpoints = Array.from({ length: 64 }, (_, i) => endpoint(i + 1, { length: i + 1 }));
  const got = shares('shortest-queue', endpoints, 64_000);
  // Of two drawn with return the shortest is among them with 1 - (63/64)².
  assert.ok(Math.abs((got[0] ?? 0) - (1 - (63 / 64) ** 2)) < 0.004, `${got[0]}`);
  assert.ok((got[63] ?? 1) < 0.001);
  assert.ok((got[31] ?? 0) > 0.01);
});

test('round-robin: equal weights take exact turns, and unequal ones are spread, not bunched', () => {
  const rounds = (weights: number[], turns: number): string => {
    const endpoints = weights.map((weight, i) => endpoint(i + 1, { weight }));
    const router = createRouter('round-robin', endpoints, () => 0, nowhere);
    return Array.from({ length: turns }, () => 'abcdef'[router.choose(0)]).join('');
  };
  assert.equal(rounds([1, 1, 1], 6), 'abcabc');
  assert.equal(rounds([5, 1, 1], 14), 'aabacaaaabacaa');
  assert.equal(rounds([0.5, 0.25], 6), 'abaaba');
});

test('round-robin: whatever the weights, every endpoint has its share of turns', () => {
  fc.assert(
    fc.property(
      fc.array(fc.double({ min: 0.05, max: 20, noNaN: true }), { minLength: 1, maxLength: 10 }),
      (weights) => {
        const got = shares(
          'round-robin',
          weights.map((weight, i) => endpoint(i + 1, { weight })),
          8_192,
        );
        const sum = weights.reduce((total, weight) => total + weight, 0);
        for (const [i, share] of got.entries()) {
          const wanted = (weights[i] ?? 0) / sum;
          assert.ok(Math.abs(share - wanted) < 0.003, `${share} instead of ${wanted}`);
          assert.ok(share > 0);
        }
      },
    ),
    { numRuns: 50 },
  );
});

test('same-machine-as-origin: the origin is looked up anew for each message', () => {
  const context = { ...nowhere, originMachine: machineId('b') };
  const endpoints = [endpoint(1), endpoint(2, { machine: machineId('b') })];
  const router = createRouter('same-machine-as-origin', endpoints, seeded(1), context);
  assert.equal(router.choose(1), 1);
  context.originMachine = machineId('a');
  assert.equal(router.choose(1), 0);
  context.originMachine = machineId('elsewhere');
  assert.equal(router.choose(1), -1);
});

test('same-instance: the instance that the chain met last gets it, even while it drains', () => {
  const context = { ...nowhere, provenance: [2, 77, 3, 1, 1], provenanceLength: 3 };
  const endpoints = [endpoint(1), endpoint(2), endpoint(3, { isDraining: true })];
  const router = createRouter('same-instance', endpoints, seeded(1), context);
  assert.equal(router.choose(1), 2);
  context.provenanceLength = 2;
  assert.equal(router.choose(1), 1);
  context.provenanceLength = 0;
  const byKey = createRouter('keyed', endpoints, seeded(1), context);
  for (let key = 1; key < 100; key++) assert.equal(router.choose(key), byKey.choose(key));
});
