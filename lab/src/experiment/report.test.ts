import assert from 'node:assert/strict';
import { test } from 'node:test';
import { drawFigure } from './figure.ts';
import { reportHtml } from './report.ts';
import type { SecondPoint } from './results.ts';
import { quickTiming } from './settings.ts';
import { cell, results } from './testing/example-cells.ts';

test('the report marks the best deployment of each attack and shows every one', () => {
  const html = reportHtml(
    results([
      cell({ deployment: 'standalone', successRatio: 0.25, p99Ms: 990 }),
      cell({ deployment: 'hardened', successRatio: 0.9, p99Ms: 240 }),
      cell({ attack: 'slowloris', deployment: 'standalone', successRatio: 0, p99Ms: null }),
    ]),
  );
  assert.match(html, /<tr class="best"><th>hardened ★<\/th>/);
  assert.match(html, /<tr><th>standalone<\/th>/);
  assert.match(html, /<h2 id="slowloris">/);
  assert.match(html, /25\.0 %/);
  assert.match(html, /–/);
});

test('the report counts what the kernel killed and what was started again, over runs', () => {
  const html = reportHtml(
    results([
      { ...cell({ deployment: 'watt', run: 1 }), oomKills: 7, restarts: 3 },
      { ...cell({ deployment: 'watt', run: 2 }), oomKills: 9, restarts: 3 },
    ]),
  );
  assert.match(html, /<th>killed for memory<\/th><th>restarted<\/th>/);
  assert.match(html, /<td>8<small>7 … 9<\/small><\/td><td>3<\/td><\/tr>/);
});

const point = (second: number, meanMs: number | null): SecondPoint => ({
  second,
  sent: 100,
  ok: meanMs === null ? 0 : 100,
  refused: 0,
  meanMs,
  p99Ms: meanMs,
  instances: 3,
  oomKills: 0,
});

test('a second without a successful request breaks the line of response times, and a lone one is a dot', () => {
  const svg = drawFigure('x', quickTiming, [
    { name: 'a', points: [point(0, 5), point(1, 5), point(2, null), point(3, 5), point(4, null)] },
  ]);
  const [responses] = [...svg.matchAll(/<path d="([^"]*)"/g)].map((match) => match[1]!);
  assert.equal(responses!.match(/M/g)?.length, 2);
  assert.equal(responses!.match(/L/g)?.length, 1);
  assert.equal(svg.match(/<circle/g)?.length, 1);
});

test('names in a figure cannot break its XML', () => {
  assert.match(drawFigure('<a & "b">', quickTiming, []), /&lt;a &amp; &quot;b&quot;>/);
});
