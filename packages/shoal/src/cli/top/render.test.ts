import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { Decision, InstanceFigures, TypeFigures } from '../../controller/index.ts';
import { instanceId, machineId, processId } from '../../model/index.ts';
import type { ControlSnapshot, DecisionWithText } from '../api/control-source.ts';
import { formatCount, formatMs, formatShare, wrapWords } from './figures.ts';
import { renderTop } from './render.ts';

const amount = fc.oneof(
  fc.double({ min: 0, max: 1e13, noNaN: true }),
  fc.integer({ min: 0, max: 2_000 }),
  fc.constantFrom(0, 0.04, 9.94, 9.96, 99.9, 999.4, 999.5, 9_949, 9_951, 999_499, 999_500),
);
const share = fc.double({ min: 0, max: 64, noNaN: true });
const duration = fc.option(fc.double({ min: 0, max: 1e9, noNaN: true }), { nil: null });
const name = fc
  .tuple(fc.constantFrom(...'abcdefgh'), fc.string({ unit: fc.constantFrom(...'abc-XYZ019'), maxLength: 63 }))
  .map(([first, rest]) => first + rest);

const instances: fc.Arbitrary<InstanceFigures> = fc
  .record({
    id: fc.integer({ min: 1, max: 99_999 }),
    machine: name,
    process: name,
    threadId: fc.integer({ min: 1, max: 4_096 }),
    phase: fc.constantFrom('starting' as const, 'serving' as const, 'draining' as const, 'lost' as const),
    isClone: fc.boolean(),
    isDraining: fc.boolean(),
    queueLength: amount,
    rate: amount,
    utilization: share,
    p50: duration,
    p99: duration,
  })
  .map(({ id, machine, process, rate, p50, p99, ...rest }) => ({
    ...rest,
    instanceId: instanceId(id),
    machine: machineId(machine),
    process: processId(process),
    inService: 1,
    acceptedPerSecond: rate,
    completedPerSecond: rate,
    shedPerSecond: rate,
    cores: rest.utilization,
    serviceP50Ms: p50,
    serviceP99Ms: p99,
    sojournP50Ms: p50,
    sojournP99Ms: p99,
    states: 0,
    counters: {},
    weight: 1,
  }));

const types: fc.Arbitrary<TypeFigures> = fc
  .record({
    msu: name,
    serving: fc.nat(2_000),
    arrivals: amount,
    backlog: amount,
    utilization: share,
    isOverloaded: fc.boolean(),
    blockedBy: fc.constantFrom('', 'no free core'),
    instances: fc.array(instances, { maxLength: 8 }),
  })
  .map(({ arrivals, ...rest }) => ({
    ...rest,
    pending: 0,
    floor: 1,
    committed: 1,
    demand: arrivals,
    smoothedDemand: arrivals,
    arrivalsPerSecond: arrivals,
    completionsPerSecond: arrivals,
    refusedPerSecond: arrivals,
    trueRatePerSecond: arrivals,
    isCpuBound: true,
    calmForMs: null,
    keptForLoad: null,
    calmNeededMs: 20_000,
  }));

const decisions: fc.Arbitrary<DecisionWithText> = fc
  .record({ id: fc.nat(9_999), msu: name, atMs: fc.nat(1_000_000), words: fc.array(name, { maxLength: 40 }) })
  .map(({ id, msu, atMs, words }) => {
    const decision: Decision = {
      id,
      epoch: 1,
      atMs,
      operator: 'clone',
      msu,
      cause: { kind: 'person' },
      placements: [],
      removes: [],
      rejected: [],
      steps: [],
      outcome: 'done',
      detail: '',
      servingAtMs: null,
      endedAtMs: null,
    };
    return { ...decision, text: `12.345 s [${id}] clone ${msu}, because ${words.join(' ')}` };
  });

const snapshots: fc.Arbitrary<ControlSnapshot> = fc
  .record({
    app: name,
    types: fc.array(types, { maxLength: 30 }),
    recentDecisions: fc.array(decisions, { maxLength: 20 }),
    p50Ms: fc.double({ min: 0, max: 1e9, noNaN: true }),
    isActive: fc.boolean(),
  })
  .map(({ app, types: list, recentDecisions, p50Ms, isActive }) => ({
    view: {
      app,
      atMs: 1_000_000,
      epoch: 1,
      isDeposed: false,
      isActive,
      clones: 3,
      clonesMax: 64,
      types: list,
      processes: [],
      machines: [
        { machine: machineId('local'), cores: 2, freeCores: 0.35, memoryBytes: 1e9, memoryFreeBytes: 5e8 },
      ],
      tables: [],
      entryWeights: [],
    },
    sojourn: Object.fromEntries(list.map(({ msu }) => [msu, { p50Ms, p99Ms: 2 * p50Ms }])),
    recentDecisions,
  }));

/** Figures as they may stand in the rows of types and instances. */
const figure =
  /^(-|>999x|>999kh|>999G|\d+(\.\d)?[kMG]?|\d+%|\d+us|\d+(\.\d\d?)?ms|\d+(\.\d)?s|\d+m|\d+(\.\d)?k?h)$/;

for (const [columns, rows] of [
  [80, 24],
  [120, 40],
] as const) {
  describe(`the screen at ${columns} × ${rows}`, () => {
    test('has no line too long, none too many, and no figure cut', () => {
      fc.assert(
        fc.property(snapshots, (snapshot) => {
          const lines = renderTop(snapshot, { columns, rows });
          assert.ok(lines.length <= rows, `${lines.length} lines`);
          for (const line of lines) assert.ok(line.length <= columns, `${line.length}: ${line}`);
          const title = lines.findIndex((line) => line.startsWith('  TYPE'));
          const count = (lines[title] ?? '').trim().split(/ +/).length - 1;
          for (const line of lines.slice(title + 1)) {
            if (line === '' || line.startsWith('  INSTANCE')) break;
            if (line.startsWith('...')) continue;
            // The name is one word; what is after it are the figures, as many as there are titles.
            const cells = line.slice(2).trim().split(/ +/).slice(1);
            assert.equal(cells.length, count, line);
            for (const cell of cells) assert.match(cell, figure, line);
          }
        }),
        { numRuns: 300 },
      );
    });

    test('shows overloaded types first, every part, and says what is left out', () => {
      fc.assert(
        fc.property(snapshots, (snapshot) => {
          const lines = renderTop(snapshot, { columns, rows });
          for (const part of ['shoal top: ', '  TYPE', '  INSTANCE', 'LAST DECISIONS']) {
            assert.ok(
              lines.some((line) => line.startsWith(part)),
              part,
            );
          }
          const title = lines.findIndex((line) => line.startsWith('  TYPE'));
          const end = lines.findIndex((line) => line.startsWith('  INSTANCE'));
          const rowsOfTypes = lines.slice(title + 1, end).filter((line) => line !== '');
          const more = /^\.\.\. and (\d+) more types$/.exec(rowsOfTypes.at(-1) ?? '');
          const shown = more === null ? rowsOfTypes.length : rowsOfTypes.length - 1 + Number(more[1]);
          assert.equal(shown, snapshot.view.types.length);
          const marks = rowsOfTypes.map((line) => line.startsWith('!'));
          assert.deepEqual(
            marks,
            [...marks].sort((a, b) => Number(b) - Number(a)),
          );
        }),
        { numRuns: 200 },
      );
    });
  });
}

describe('figures', () => {
  test('fit into six characters, whatever the value', () => {
    fc.assert(
      fc.property(amount, share, duration, (count, part, ms) => {
        for (const text of [formatCount(count), formatMs(ms), formatShare(part)]) {
          assert.ok(text.length <= 6, text);
        }
      }),
      { numRuns: 2_000 },
    );
  });

  test('round as people read them', () => {
    const counts: [number, string][] = [
      [0, '0'],
      [0.04, '0'],
      [3.24, '3.2'],
      [9.96, '10'],
      [999.4, '999'],
      [999.6, '1k'],
      [1_234, '1.2k'],
      [12_345, '12k'],
      [999_600, '1M'],
      [3.4e6, '3.4M'],
      [1e15, '>999G'],
      [Number.NaN, '-'],
    ];
    for (const [value, text] of counts) assert.equal(formatCount(value), text);
    const times: [number | null, string][] = [
      [null, '-'],
      [0, '0us'],
      [0.0081, '8us'],
      [0.42, '0.42ms'],
      [3.14, '3.1ms'],
      [120.4, '120ms'],
      [999.6, '1s'],
      [4_500, '4.5s'],
      [130_000, '130s'],
      [2_700_000, '45m'],
      [32_400_000_000, '9kh'],
      [86_400_000, '24h'],
    ];
    for (const [value, text] of times) assert.equal(formatMs(value), text);
    assert.deepEqual([formatShare(0.066), formatShare(1), formatShare(12.5)], ['7%', '100%', '1250%']);
  });

  test('are never torn by wrapping: words stay whole, and what is left out is told', () => {
    fc.assert(
      fc.property(
        fc.array(fc.stringMatching(/^[a-z0-9.]{1,12}$/), { maxLength: 30 }),
        fc.integer({ min: 20, max: 90 }),
        (words, width) => {
          const lines = wrapWords(words.join(' '), width, 2);
          assert.ok(lines.length <= 2);
          const shown = lines
            .join(' ')
            .split(' ')
            .filter((word) => word !== '');
          for (const line of lines) assert.ok(line.length <= width, line);
          const isAll = shown.at(-1) !== '...';
          assert.deepEqual(
            isAll ? shown : shown.slice(0, -1),
            isAll ? words : words.slice(0, shown.length - 1),
          );
        },
      ),
    );
  });

  test('control characters of a name or reason do not reach the terminal', () => {
    const escapeCharacter = String.fromCharCode(27);
    assert.deepEqual(wrapWords(`a${escapeCharacter}[2Jb\u0007 c`, 40, 2), ['a?[2Jb? c']);
  });
});
