import assert from 'node:assert/strict';
import { test } from 'node:test';
import { drawPicture } from './picture.ts';
import { fullPlan, quickPlan } from './plan.ts';
import { renderReport } from './report.ts';
import { judge } from './requirements.ts';
import type { DemoResult, DeploymentFigures, KindFigures, SecondFigures } from './result.ts';
import { introduction, table, timeline, verdict } from './terminal.ts';

const kind: KindFigures = {
  successRatio: 0.875,
  p50Ms: 1,
  p99Ms: 5,
  sent: 80,
  refused: 8,
  refusedP99Ms: 190,
  timedOut: 1,
  failed: 1,
};
const seconds: SecondFigures[] = Array.from({ length: 20 }, (_, second) => ({
  second,
  objects: { sent: 10, ok: 10, refused: 0, p50Ms: 1, p99Ms: 2 },
  regex: { sent: 10, ok: second < 10 ? 10 : 5, refused: 5, p50Ms: 3, p99Ms: 200 },
  instances: { io: 1, regex: second < 10 ? 1 : 3 },
}));
const figures: DeploymentFigures = {
  phases: (['before', 'attack-1.3', 'attack-3', 'after'] as const).map((name) => ({
    name,
    objects: kind,
    regex: kind,
  })),
  firstCloneServingMs: { 'attack-1.3': 900, 'attack-3': null },
  onsetsMs: { 'attack-1.3': [900], 'attack-3': [null] },
  instancesPeak: 7,
  reclaimedMs: null,
  failedByReclaim: null,
  searchCores: {
    'attack-1.3': { used: 1.3, available: 1.7, asked: 1.3 },
    'attack-3': { used: 1.7, available: 1.7, asked: 3 },
  },
  decisions: [
    {
      atMs: 9_800,
      servingAtMs: 9_900,
      operator: 'clone',
      msu: 'regex',
      outcome: 'done',
      text: 'clone <regex> & more',
    },
  ],
  seconds,
  generatorLagP99Ms: 1,
};
const result: DemoResult = {
  durationMs: 105_000,
  hostileRequest: { costMs: 101, costAtEndMs: 99, characters: 3_000 },
  honestRatePerSecond: 150,
  machine: { cores: 2, cpu: 'test', node: 'v20' },
  deployments: { monolith: { ...figures, decisions: [], seconds }, shoal: figures },
};

test('the picture has panels for each deployment, both attacks shaded, and a mark for each decision', () => {
  const svg = drawPicture(result, quickPlan);
  assert.match(svg, /^<svg [^>]*viewBox/);
  assert.match(svg, /monolith: honest requests served/);
  assert.match(svg, /shoal: latency of what was served/);
  assert.ok((svg.match(/opacity="0.16"/g) ?? []).length >= 4, 'the strong attack in every panel');
  assert.match(svg, /<title>9\.8 s: clone regex \(done\)<\/title>/);
  assert.doesNotMatch(svg, /NaN|undefined|Infinity/);
});

test('the report holds picture, figures, verdicts and decisions, and no text can break out of it', () => {
  const html = renderReport(result, quickPlan, judge(figures));
  assert.match(html, /<svg /);
  assert.match(html, /clone &lt;regex&gt; &amp; more/);
  assert.match(html, /FAIL/);
  assert.doesNotMatch(html, /NaN|undefined|<script/);
});

test('nothing served is a gap in the lines, and what is not carried out is no clone', () => {
  const silent = { ...seconds[0]!.objects, ok: 0, p50Ms: 0, p99Ms: 0 };
  const broken = seconds.map((second) => (second.second === 7 ? { ...second, objects: silent } : second));
  const linesOf = (all: SecondFigures[]): number =>
    (
      drawPicture({ ...result, deployments: { monolith: { ...figures, seconds: all } } }, quickPlan).match(
        /M[\d.]+ [\d.]+L/g,
      ) ?? []
    ).length;
  // Of the latencies of objects: p50 and p99.
  assert.equal(linesOf(broken), linesOf(seconds) + 2);

  const refused = { ...figures.decisions[0]!, outcome: 'refused' };
  const marks = (decisions: DeploymentFigures['decisions']): string =>
    /<path d="M[^"]*l8 0l-4 7z" fill="[^"]*"/.exec(
      drawPicture({ ...result, deployments: { shoal: { ...figures, decisions } } }, quickPlan),
    )![0];
  assert.notEqual(marks([refused]), marks(figures.decisions));
});

test('the terminal shows a column a second, and every phase of every deployment', () => {
  const rows = timeline('shoal', seconds, quickPlan, 80).split('\n');
  assert.equal(rows.length, 5);
  assert.ok(rows[3]?.endsWith('11111111113333333333'));
  assert.ok(rows[2]?.endsWith('██████████▄▄▄▄▄▄▄▄▄▄'));
  const lines = table(result).split('\n');
  assert.equal(lines.length, 2 + 8);
  assert.match(lines[2] ?? '', /monolith +before +87\.5 % +1\.0 +5\.0 +10\.0 %/);
  assert.match(verdict(result), /monolith 87\.5 %, shoal 87\.5 %\. The run took 1 min 45 s/);
});

test('a newcomer is told what is going to happen, and how long it takes', () => {
  assert.match(introduction(quickPlan), /less than 2 minutes/);
  assert.doesNotMatch(introduction(quickPlan), /more onsets/);
  assert.match(introduction(fullPlan), /Then 8 more onsets[\s\S]*less than 7 minutes/);
  for (const line of introduction(fullPlan).split('\n')) assert.ok(line.length <= 80, line);
});

test('no line of timeline and table is longer than the terminal', () => {
  const long: SecondFigures[] = Array.from({ length: 143 }, (_, second) => ({
    ...seconds[0]!,
    second,
    instances: { io: 1, regex: second === 100 ? 3 : 1 },
  }));
  const rows = timeline('shoal', long, fullPlan, 80).split('\n');
  for (const row of [...rows, ...table(result).split('\n')]) assert.ok(row.length <= 80, row);
  assert.match(rows[3] ?? '', /1+31+$/, 'a clone of one second is seen');
  assert.match(rows[0] ?? '', /·+░+▓+·+$/);
});

test('a phase in which nothing was served has no latency', () => {
  const dead = { ...kind, successRatio: 0, p50Ms: 0, p99Ms: 0 };
  const phases = figures.phases.map((phase) => ({ ...phase, objects: dead }));
  const lines = table({ ...result, deployments: { monolith: { ...figures, phases } } }).split('\n');
  assert.match(lines[2] ?? '', /0\.0 % +– +– /);
});
