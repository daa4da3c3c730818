import { add, type Exact, multiply, toNumber } from '../exact.ts';
import { formatBits, formatSeconds } from '../format.ts';
import type { AnalysisResult, FlowResult, HopCurves, HopResult } from '../result.ts';
import { integrate, type Steps, subtractSteps, valueAt } from '../steps.ts';
import { type Chart, drawChart, escapeXml, type Line, type LineStyle } from './chart.ts';

/** Most places that one picture shows; further ones are left out, and the picture says so. */
export const plotMaxHops = 40;
/** Most points of one line; a function with more is drawn through every n-th of its break points. */
const lineMaxPoints = 20_000;

/** Sizes in pixels. */
const width = 1064;
const chartWidth = 520;
const chartHeight = 300;
const stripHeight = 150;
const headHeight = 84;

const styleSheet = `
  .plot { background: #fff; font: 12px system-ui, "DejaVu Sans", Verdana, sans-serif; }
  .plot text { fill: #1f2937; }
  .plot .tick { fill: #64748b; font-size: 11px; }
  .plot .title { font-weight: 600; font-size: 12.5px; }
  .plot .heading { font-weight: 700; font-size: 15px; }
  .plot .note { fill: #64748b; }
  .plot .grid { stroke: #e5e7eb; } .plot .axis { stroke: #94a3b8; } .plot .rule { stroke: #e2e8f0; }
  .plot polyline { fill: none; stroke-width: 2; stroke-linejoin: round; }
  .plot .required { stroke: #2563eb; } .plot .output { stroke: #ea7a0c; stroke-dasharray: 7 3; }
  .plot .provided { stroke: #94a3b8; stroke-width: 1.5; } .plot .remaining { stroke: #10b981; stroke-width: 1.2; }
  .plot .backlog { stroke: #dc2626; stroke-width: 1.5; }
  .plot .waiting { fill: #fecaca; opacity: 0.75; }
  .plot .buffer { stroke: #b91c1c; stroke-width: 2; fill: none; } .plot .delay { stroke: #6d28d9; stroke-width: 2; fill: none; }
  .plot .label { font-weight: 600; paint-order: stroke; stroke: #fff; stroke-width: 4px; stroke-linejoin: round; }
  .plot .buffer-label { fill: #b91c1c; } .plot .delay-label { fill: #6d28d9; }
  .plot .bad { fill: #b91c1c; font-weight: 600; }`;

/**
 * The picture of an analysis made with `curves: true`: for every place the rates on the left, and on the right the
 * cumulative data with what waits, the greatest buffer (a vertical distance) and the greatest delay (a horizontal
 * one). Throws a RangeError for a result without curves.
 */
export function plotSvg(result: AnalysisResult): string {
  const hops = result.flows.flatMap((flow) => flow.hops.map((hop): [FlowResult, HopResult] => [flow, hop]));
  const shown = distinctHops(hops).slice(0, plotMaxHops);
  const left = distinctHops(hops).length - shown.length;
  const rows = shown.map(([, hop]) => chartHeight + 62 + (waits(hop) ? stripHeight : 0));
  const height = headHeight + rows.reduce((sum, row) => sum + row, 0) + (left > 0 ? 24 : 0);
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" class="plot" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img">`,
    `<title>${escapeXml(summaryOf(result))}</title>`,
    `<style>${styleSheet}</style>`,
    `<rect width="${width}" height="${height}" fill="#fff"/>`,
    `<text class="heading" x="16" y="26">${escapeXml(headingOf(result))}</text>`,
    `<text class="${result.stable ? 'note' : 'bad'}" x="16" y="46">${escapeXml(summaryOf(result))}</text>`,
    drawLegend(16, 70),
  ];
  let y = headHeight;
  for (const [row, [flow, hop]] of shown.entries()) {
    parts.push(drawHop(flow, hop, y));
    y += rows[row]!;
  }
  if (left > 0)
    parts.push(`<text class="note" x="16" y="${height - 10}">${left} more places are not shown.</text>`);
  parts.push('</svg>');
  return `${parts.join('\n')}\n`;
}

/** A page with the picture, for a browser. `violations` are shown above it. */
export function plotHtml(result: AnalysisResult, violations: readonly string[] = []): string {
  const list = [...violations, ...result.warnings]
    .map((sentence) => `<li>${escapeXml(sentence)}</li>`)
    .join('');
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${escapeXml(headingOf(result))}</title>
<style>body { margin: 2rem auto; max-width: ${width}px; font: 15px/1.5 system-ui, sans-serif; color: #1f2937; background: #fff; } svg { max-width: 100%; height: auto; } li { color: #b91c1c; }</style>
${list === '' ? '' : `<ul>${list}</ul>`}
${plotSvg(result)}</html>
`;
}

/** With several flows into one receiver or multicast a place belongs to more than one flow; it is drawn once. */
function distinctHops(hops: readonly [FlowResult, HopResult][]): [FlowResult, HopResult][] {
  const seen = new Set<unknown>();
  return hops.filter(([, hop]) => {
    const key = hop.curves?.required ?? hop;
    if (seen.has(key)) return false;
    seen.add(key);
    return true;
  });
}

/** Where nothing ever waits there is no backlog to draw. */
function waits(hop: HopResult): boolean {
  return toNumber(hop.buffer.bits) > 0;
}

function headingOf(result: AnalysisResult): string {
  const horizon = formatSeconds(multiply(result.hyperperiodSeconds, result.periods));
  return `Traffic over ${horizon} (${result.periods} × ${formatSeconds(result.hyperperiodSeconds)})`;
}

function summaryOf(result: AnalysisResult): string {
  return result.stable
    ? 'Stable: no backlog grows from one hyperperiod to the next.'
    : `Unstable: the backlog grows by ${formatBits(result.growthBitsPerHyperperiod)} in every hyperperiod.`;
}

function drawLegend(x: number, y: number): string {
  const entries: readonly [LineStyle | 'waiting', string][] = [
    ['required', 'arrives'],
    ['output', 'is sent'],
    ['provided', 'could be sent'],
    ['remaining', 'capacity left over'],
    ['waiting', 'waits'],
  ];
  let at = x;
  const parts: string[] = [];
  for (const [style, text] of entries) {
    parts.push(
      style === 'waiting'
        ? `<rect class="waiting" x="${at}" y="${y - 10}" width="26" height="12"/>`
        : `<polyline class="${style}" points="${at},${y - 4} ${at + 26},${y - 4}"/>`,
      `<text x="${at + 33}" y="${y}">${text}</text>`,
    );
    at += 33 + text.length * 7 + 26;
  }
  return parts.join('\n');
}

function drawHop(flow: FlowResult, hop: HopResult, y: number): string {
  if (hop.curves === undefined) throw new RangeError('a plot needs an analysis with `curves: true`');
  const who = [flow.name, ...hop.sharedWith].join(', ');
  const grows = toNumber(hop.growthBitsPerHyperperiod) > 0;
  const note = grows ? ` — grows by ${formatBits(hop.growthBitsPerHyperperiod)} in every hyperperiod` : '';
  return [
    `<line class="rule" x1="16" x2="${width - 16}" y1="${y + 6}" y2="${y + 6}"/>`,
    `<text class="heading" x="16" y="${y + 32}">${escapeXml(`${who} at node ${hop.node} (${hop.role})`)}<tspan class="bad">${escapeXml(note)}</tspan></text>`,
    drawChart(rateChart(hop.curves), 0, y + 44),
    drawChart(dataChart(hop, hop.curves), chartWidth + 16, y + 44),
    ...(waits(hop) ? [drawChart(backlogChart(hop, hop.curves), 0, y + 44 + chartHeight)] : []),
  ].join('\n');
}

function rateChart(curves: HopCurves): Chart {
  const line = (style: LineStyle, steps: Steps): Line => ({ style, points: stairs(steps) });
  return {
    width: chartWidth,
    height: chartHeight,
    title: 'Rate',
    yUnit: 'bit/s',
    xMost: toNumber(curves.required.end),
    lines: [
      line('provided', curves.provided),
      line('remaining', curves.remaining),
      line('required', curves.required),
      line('output', curves.output),
    ],
    markers: [],
  };
}

function dataChart(hop: HopResult, curves: HopCurves): Chart {
  const required = integrate(curves.required);
  const output = integrate(curves.output);
  const line = (style: LineStyle, data: ReturnType<typeof integrate>): Line => ({
    style,
    points: thin(data.times.map((time, k) => [toNumber(time), toNumber(data.values[k]!)] as const)),
  });
  const at = (data: ReturnType<typeof integrate>, time: Exact): number => toNumber(valueAt(data, time));
  const bufferTime = toNumber(hop.buffer.timeSeconds);
  const delayTime = toNumber(hop.delay.timeSeconds);
  const level = at(required, hop.delay.timeSeconds);
  const hasBuffer = toNumber(hop.buffer.bits) > 0;
  const hasDelay = toNumber(hop.delay.seconds) > 0;
  return {
    width: chartWidth,
    height: chartHeight,
    title: 'Cumulative data',
    yUnit: 'bit',
    xMost: toNumber(curves.required.end),
    lines: [line('required', required), line('output', output)],
    fill: ['required', 'output'],
    markers: [
      ...(hasBuffer
        ? [
            {
              kind: 'buffer' as const,
              from: [bufferTime, at(required, hop.buffer.timeSeconds)] as const,
              to: [bufferTime, at(output, hop.buffer.timeSeconds)] as const,
              label: `buffer ${formatBits(hop.buffer.bits)}`,
            },
          ]
        : []),
      ...(hasDelay
        ? [
            {
              kind: 'delay' as const,
              from: [delayTime, level] as const,
              to: [toNumber(add(hop.delay.timeSeconds, hop.delay.seconds)), level] as const,
              label: `delay ${formatSeconds(hop.delay.seconds)}`,
            },
          ]
        : []),
    ],
  };
}

function backlogChart(hop: HopResult, curves: HopCurves): Chart {
  const waiting = integrate(subtractSteps(curves.required, curves.output));
  const { timeSeconds, bits } = hop.buffer;
  const marker = {
    kind: 'buffer' as const,
    from: [toNumber(timeSeconds), toNumber(bits)] as const,
    to: [toNumber(timeSeconds), 0] as const,
    label: `buffer ${formatBits(bits)}, at ${formatSeconds(timeSeconds)}`,
  };
  return {
    width: width - 8,
    height: stripHeight,
    title: 'Data that waits',
    yUnit: 'bit',
    xMost: toNumber(curves.required.end),
    lines: [
      {
        style: 'backlog',
        points: thin(waiting.times.map((time, k) => [toNumber(time), toNumber(waiting.values[k]!)] as const)),
      },
    ],
    fill: ['backlog'],
    markers: [marker],
  };
}

function stairs(steps: Steps): (readonly [number, number])[] {
  const points: (readonly [number, number])[] = [];
  const every = Math.max(1, Math.ceil((2 * steps.times.length) / lineMaxPoints));
  for (let k = 0; k < steps.times.length; k += every) {
    const rate = toNumber(steps.rates[k]!);
    points.push([toNumber(steps.times[k]!), rate]);
    points.push([toNumber(k + every < steps.times.length ? steps.times[k + every]! : steps.end), rate]);
  }
  return points;
}

function thin(points: readonly (readonly [number, number])[]): (readonly [number, number])[] {
  const every = Math.max(1, Math.ceil(points.length / lineMaxPoints));
  return points.filter((_, k) => k % every === 0 || k === points.length - 1);
}
