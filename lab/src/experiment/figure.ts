import type { Cell, SecondPoint, Timing } from './results.ts';
import { medianSeconds } from './summary.ts';

/** Colours that stay apart for colour-blind readers (Okabe and Ito), with dashes for print. */
const strokes = [
  { colour: '#555555', dash: '' },
  { colour: '#0072B2', dash: '7 3' },
  { colour: '#E69F00', dash: '' },
  { colour: '#D55E00', dash: '3 3' },
  { colour: '#009E73', dash: '' },
  { colour: '#CC79A7', dash: '9 3 2 3' },
  { colour: '#56B4E9', dash: '' },
  { colour: '#000000', dash: '' },
] as const;

export function strokeOf(index: number): { readonly colour: string; readonly dash: string } {
  return strokes[index % strokes.length]!;
}

const layout = { width: 760, left: 64, right: 16, top: 34, panel: 150, gap: 26, legend: 46 } as const;

interface Axis {
  readonly label: string;
  readonly ticks: readonly number[];
  readonly format: (tick: number) => string;
  /** Height above the panel's bottom, 0 to 1. */
  readonly place: (value: number) => number;
  readonly read: (point: SecondPoint) => number | null;
}

const escapeXml = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');

/** Response times lie between these on a logarithmic axis; what is faster or slower sits on the edge. */
const [fastestMs, slowestMs] = [1, 1_000];

const responseAxis: Axis = {
  label: 'response time, ms',
  ticks: [1, 10, 100, 1_000],
  format: String,
  place: (ms) =>
    Math.log(Math.min(slowestMs, Math.max(fastestMs, ms)) / fastestMs) / Math.log(slowestMs / fastestMs),
  read: ({ meanMs }) => meanMs,
};

const successAxis: Axis = {
  label: 'success, %',
  ticks: [0, 25, 50, 75, 100],
  format: String,
  place: (percent) => percent / 100,
  read: ({ sent, ok }) => (sent === 0 ? null : (100 * ok) / sent),
};

function instancesAxis(most: number): Axis {
  const top = Math.max(4, Math.ceil((most + 1) / 4) * 4);
  return {
    label: 'instances',
    ticks: [0, top / 4, top / 2, (3 * top) / 4, top],
    format: String,
    place: (count) => count / top,
    read: ({ instances }) => instances,
  };
}

export interface FigureLine {
  readonly name: string;
  readonly points: readonly SecondPoint[];
}

/**
 * The published figure for one attack: response time of successful requests, success ratio and instances, second
 * by second, all deployments overlaid, the attack shaded. An SVG text.
 */
export function drawFigure(title: string, timing: Timing, lines: readonly FigureLine[]): string {
  const { width, left, right, top, panel, gap, legend } = layout;
  const attackFrom = (timing.warmMs + timing.beforeMs) / 1000;
  const attackTo = attackFrom + timing.attackMs / 1000;
  const end = attackTo + timing.afterMs / 1000;
  const x = (second: number): number => left + ((width - left - right) * second) / end;
  const most = Math.max(0, ...lines.flatMap(({ points }) => points.map(({ instances }) => instances)));
  const axes = [responseAxis, successAxis, instancesAxis(most)];
  const height = top + 3 * panel + 2 * gap + 34 + legend;
  const parts = axes.map((axis, i) => {
    const y = top + i * (panel + gap);
    return drawPanel(axis, y, lines, { x, end, attackFrom, attackTo, last: i === axes.length - 1 });
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}"`,
    ` font-family="system-ui, sans-serif" font-size="11" role="img" aria-label="${escapeXml(title)}">`,
    `<rect width="${width}" height="${height}" fill="#fff"/>`,
    `<text x="${left}" y="20" font-size="14" font-weight="600">${escapeXml(title)}</text>`,
    ...parts,
    drawLegend(lines, height - legend + 18),
    '</svg>',
  ].join('');
}

function drawPanel(
  axis: Axis,
  y: number,
  lines: readonly FigureLine[],
  time: {
    readonly x: (second: number) => number;
    readonly end: number;
    readonly attackFrom: number;
    readonly attackTo: number;
    readonly last: boolean;
  },
): string {
  const { width, left, right, panel } = layout;
  const { x, end, attackFrom, attackTo, last } = time;
  const height = (value: number): number => y + panel * (1 - axis.place(value));
  const shade = `<rect x="${x(attackFrom)}" y="${y}" width="${x(attackTo) - x(attackFrom)}" height="${panel}" fill="#fde4e1"/>`;
  const ticks = axis.ticks.map((tick) => {
    const at = height(tick).toFixed(1);
    return `<line x1="${left}" x2="${width - right}" y1="${at}" y2="${at}" stroke="#ddd"/><text x="${left - 6}" y="${Number(at) + 4}" text-anchor="end" fill="#444">${axis.format(tick)}</text>`;
  });
  const step = end <= 20 ? 1 : end <= 80 ? 10 : 30;
  const times = Array.from({ length: Math.floor(end / step) + 1 }, (_, i) => i * step).map(
    (second) =>
      `<line x1="${x(second)}" x2="${x(second)}" y1="${y + panel}" y2="${y + panel + 4}" stroke="#888"/>${
        last
          ? `<text x="${x(second)}" y="${y + panel + 16}" text-anchor="middle" fill="#444">${second}</text>`
          : ''
      }`,
  );
  const label = `<text transform="translate(14 ${y + panel / 2}) rotate(-90)" text-anchor="middle" fill="#222">${axis.label}</text>`;
  const frame = `<rect x="${left}" y="${y}" width="${width - left - right}" height="${panel}" fill="none" stroke="#888"/>`;
  const timeLabel = last
    ? `<text x="${(left + width - right) / 2}" y="${y + panel + 30}" text-anchor="middle" fill="#222">seconds (attack shaded)</text>`
    : '';
  return [shade, ...ticks, ...times, ...lines.map(drawLine), frame, label, timeLabel].join('');

  function drawLine({ points }: FigureLine, index: number): string {
    const { colour, dash } = strokeOf(index);
    const style = `fill="none" stroke="${colour}" stroke-width="1.8"${dash === '' ? '' : ` stroke-dasharray="${dash}"`}`;
    // A second without a successful request has no response time: the line breaks there.
    let path = '';
    let drawing = false;
    for (const point of points) {
      const value = axis.read(point);
      if (value !== null) {
        path += `${drawing ? 'L' : 'M'}${x(point.second + 0.5).toFixed(1)} ${height(value).toFixed(1)}`;
      }
      drawing = value !== null;
    }
    const dots = points
      .filter((point, i) => axis.read(point) !== null && isAlone(points, i))
      .map(
        (point) =>
          `<circle cx="${x(point.second + 0.5).toFixed(1)}" cy="${height(axis.read(point)!).toFixed(1)}" r="2" fill="${colour}"/>`,
      );
    return `<path d="${path}" ${style}/>${dots.join('')}`;
  }
  function isAlone(points: readonly SecondPoint[], i: number): boolean {
    return [points[i - 1], points[i + 1]].every((point) => point === undefined || axis.read(point) === null);
  }
}

function drawLegend(lines: readonly FigureLine[], y: number): string {
  const { width, left, right } = layout;
  const each = (width - left - right) / Math.min(lines.length, 6);
  return lines
    .map(({ name }, i) => {
      const { colour, dash } = strokeOf(i);
      const at = left + (i % 6) * each;
      const row = y + Math.floor(i / 6) * 16;
      return `<line x1="${at}" x2="${at + 26}" y1="${row}" y2="${row}" stroke="${colour}" stroke-width="2"${dash === '' ? '' : ` stroke-dasharray="${dash}"`}/><text x="${at + 31}" y="${row + 4}" fill="#222">${escapeXml(name)}</text>`;
    })
    .join('');
}

/** The figure of one attack from an experiment's cells. */
export function figureOf(
  attack: string,
  cells: readonly Cell[],
  deployments: readonly string[],
  timing: Timing,
): string {
  const runs = new Set(cells.filter((cell) => cell.attack === attack).map(({ run }) => run)).size;
  const lines = deployments.map((name) => ({ name, points: medianSeconds(cells, attack, name) }));
  return drawFigure(`${attack} (median of ${runs} ${runs === 1 ? 'run' : 'runs'})`, timing, lines);
}
