import assert from 'node:assert/strict';
import { test } from 'node:test';
import { analyze } from '../analyze.ts';
import { createProfile } from '../profile.ts';
import { plotHtml, plotMaxHops, plotSvg } from './plot.ts';

const profile = (kind: 'required' | 'provided', rate: string, period: string, name: string, priority = 0) =>
  createProfile({
    kind,
    node: 'a',
    name,
    priority,
    periodSeconds: period,
    rows: [
      { timeSeconds: 0, meanBitsPerSecond: rate },
      { timeSeconds: `${period}/2`.replace('1/3000/2', '1/6000'), meanBitsPerSecond: 0 },
    ],
  });

const timesOf = (svg: string): string[] =>
  [...svg.matchAll(/text-anchor="middle">([^<]*)</g)].map(([, text = '']) => text);

test('the ticks of a time axis tell times apart, however short the period is', () => {
  const profiles = [
    profile('required', '1e12', '1/3000', 'fast'),
    profile('provided', '7e11', '1/3000', 'link'),
  ];
  const svg = plotSvg(analyze({ profiles }, { curves: true }));
  const texts = timesOf(svg);
  const first = texts.slice(0, texts.indexOf('time (µs)'));
  assert.deepEqual(first, ['0', '100', '200', '300', '400', '500', '600']);
  assert.ok(svg.includes('Traffic over 0.000667 s (2 × 0.000333 s)'));
});

test('names are text in the picture and in the page, whatever they contain', () => {
  const name = '<script>"&\'</script>';
  const result = analyze(
    { profiles: [profile('required', '10', '4', name), profile('provided', '3', '4', 'link')] },
    { curves: true },
  );
  assert.equal(result.stable, false);
  for (const text of [plotSvg(result), plotHtml(result, [`${name} is too much`])]) {
    assert.doesNotMatch(text, /<script/);
    assert.match(text, /&#60;script&#62;&#34;&#38;&#39;&#60;\/script&#62; at node a/);
  }
});

test('what a picture leaves out, it says', () => {
  const senders = Array.from({ length: plotMaxHops + 3 }, (_, k) =>
    profile('required', '1', '4', `f${k}`, k),
  );
  const result = analyze(
    { profiles: [...senders, profile('provided', '100', '4', 'link')] },
    { curves: true },
  );
  assert.match(plotSvg(result), />3 more places are not shown\.</);
  assert.throws(
    () => plotSvg(analyze({ profiles: [senders[0]!, profile('provided', '9', '4', 'link')] })),
    RangeError,
  );
});
