import assert from 'node:assert/strict';
import { test } from 'node:test';
import { drawPicture } from './picture.ts';
import { quickPlan } from './plan.ts';
import { renderReport } from './report.ts';
import { judge } from './requirements.ts';
import type { DemoResult, DeploymentFigures, KindFigures, SecondFigures } from './result.ts';
import { table, timeline } from './terminal.ts';

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

test('the terminal shows a column a second, and every phase of every deployment', () => {
  const rows = timeline('shoal', seconds, quickPlan).split('\n');
  assert.equal(rows.length, 4);
  assert.ok(rows[3]?.endsWith('11111111113333333333'));
  assert.ok(rows[2]?.endsWith('██████████▄▄▄▄▄▄▄▄▄▄'));
  const lines = table(result).split('\n');
  assert.equal(lines.length, 2 + 8);
  assert.match(lines[2] ?? '', /monolith +before +87\.5 % +1\.0 +5\.0 +10\.0 %/);
});
