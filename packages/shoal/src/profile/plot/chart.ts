import { type Axis, amountPrefixes, createAxis, place, secondPrefixes, tickText } from './axis.ts';

/** A line through points, in data units. */
export interface Line {
  readonly points: readonly (readonly [x: number, y: number])[];
  readonly style: LineStyle;
}

/** Class of a line in the style sheet of the plot. */
export type LineStyle = 'required' | 'provided' | 'output' | 'remaining' | 'backlog';

/** A distance drawn into a chart with its label. */
export interface Marker {
  readonly kind: 'buffer' | 'delay';
  readonly from: readonly [x: number, y: number];
  readonly to: readonly [x: number, y: number];
  readonly label: string;
}

export interface Chart {
  readonly title: string;
  /** Without SI prefix, such as `bit/s`. */
  readonly yUnit: string;
  /** Seconds. */
  readonly xMost: number;
  readonly lines: readonly Line[];
  /** Filled between the two lines of these styles, or between the one line and 0. */
  readonly fill?: readonly [LineStyle, LineStyle?];
  /** Outer size, in pixels. */
  readonly width: number;
  readonly height: number;
  readonly markers: readonly Marker[];
}

const left = 62;
const right = 16;
const top = 34;
const bottom = 44;

/** The chart as an SVG group whose top left corner is at `(x, y)`. */
export function drawChart(chart: Chart, x: number, y: number): string {
  const yMost = Math.max(0, ...chart.lines.flatMap((line) => line.points.map(([, value]) => value)));
  const xAxis = createAxis(
    chart.xMost,
    left,
    chart.width - right,
    Math.round(chart.width / 65),
    secondPrefixes,
  );
  const yAxis = createAxis(
    yMost * 1.06,
    chart.height - bottom,
    top,
    Math.max(2, Math.round(chart.height / 60)),
    amountPrefixes,
  );
  const parts = [
    `<g transform="translate(${x} ${y})">`,
    `<text class="title" x="${left}" y="18">${escapeXml(chart.title)}</text>`,
  ];
  parts.push(drawGrid(xAxis, yAxis, chart));
  if (chart.fill !== undefined) parts.push(drawFill(chart, chart.fill, xAxis, yAxis));
  for (const line of chart.lines) {
    parts.push(`<polyline class="${line.style}" points="${pixels(line.points, xAxis, yAxis).join(' ')}"/>`);
  }
  // Labels come after all lines, each with a halo, so that nothing crosses out a figure.
  for (const marker of chart.markers) parts.push(drawMarkerLine(marker, xAxis, yAxis));
  for (const marker of chart.markers) parts.push(drawMarkerLabel(marker, xAxis, yAxis));
  parts.push('</g>');
  return parts.join('\n');
}

function drawGrid(xAxis: Axis, yAxis: Axis, chart: Chart): string {
  const parts: string[] = [];
  for (const tick of yAxis.ticks) {
    const y = round(place(yAxis, tick));
    parts.push(`<line class="grid" x1="${xAxis.from}" x2="${xAxis.to}" y1="${y}" y2="${y}"/>`);
    parts.push(
      `<text class="tick" x="${xAxis.from - 8}" y="${y + 4}" text-anchor="end">${tickText(yAxis, tick)}</text>`,
    );
  }
  for (const tick of xAxis.ticks) {
    const x = round(place(xAxis, tick));
    parts.push(`<line class="axis" x1="${x}" x2="${x}" y1="${yAxis.from}" y2="${yAxis.from + 5}"/>`);
    parts.push(
      `<text class="tick" x="${x}" y="${yAxis.from + 18}" text-anchor="middle">${tickText(xAxis, tick)}</text>`,
    );
  }
  parts.push(
    `<line class="axis" x1="${xAxis.from}" x2="${xAxis.to}" y1="${yAxis.from}" y2="${yAxis.from}"/>`,
  );
  const middle = (xAxis.from + xAxis.to) / 2;
  parts.push(
    `<text class="tick" x="${middle}" y="${chart.height - 8}" text-anchor="middle">time (${xAxis.prefix}s)</text>`,
  );
  parts.push(
    `<text class="tick" x="${xAxis.from - 8}" y="${yAxis.to - 8}" text-anchor="end">${yAxis.prefix}${chart.yUnit}</text>`,
  );
  return parts.join('\n');
}

function pixels(points: Line['points'], xAxis: Axis, yAxis: Axis): string[] {
  return points.map(([x, y]) => `${round(place(xAxis, x))},${round(place(yAxis, y))}`);
}

function drawFill(
  chart: Chart,
  [upper, lower]: readonly [LineStyle, LineStyle?],
  xAxis: Axis,
  yAxis: Axis,
): string {
  const find = (style: LineStyle): Line['points'] =>
    chart.lines.find((line) => line.style === style)?.points ?? [];
  const top = find(upper);
  const base =
    lower === undefined
      ? [top[0], top[top.length - 1]].map((end) => [end?.[0] ?? 0, 0] as const)
      : find(lower);
  const outline = [...pixels(top, xAxis, yAxis), ...pixels(base, xAxis, yAxis).reverse()];
  return `<polygon class="waiting" points="${outline.join(' ')}"/>`;
}

function drawMarkerLine({ kind, from, to }: Marker, xAxis: Axis, yAxis: Axis): string {
  const [x1, y1] = [place(xAxis, from[0]), place(yAxis, from[1])].map(round) as [number, number];
  const [x2, y2] = [place(xAxis, to[0]), place(yAxis, to[1])].map(round) as [number, number];
  const ends =
    kind === 'buffer' ? `M${x1 - 4} ${y1}h8M${x2 - 4} ${y2}h8` : `M${x1} ${y1 - 4}v8M${x2} ${y2 - 4}v8`;
  return `<path class="${kind}" d="M${x1} ${y1}L${x2} ${y2}${ends}"/>`;
}

/** A buffer's label stands to the right of its foot, a delay's above its left end: cumulative lines leave room there. */
function drawMarkerLabel({ kind, from, to, label }: Marker, xAxis: Axis, yAxis: Axis): string {
  // About 7.2 pixels a character: a label that would leave the chart stands on the other side.
  const length = label.length * 7.2;
  const isBuffer = kind === 'buffer';
  const foot = place(xAxis, from[0]);
  const wanted = isBuffer && foot + 8 + length < xAxis.to ? foot + 8 : foot - length - 6;
  const x = Math.max(xAxis.from + 6, wanted);
  const y = isBuffer ? place(yAxis, Math.min(from[1], to[1])) + 16 : place(yAxis, to[1]) - 9;
  const inside = Math.max(yAxis.to + 10, Math.min(y, yAxis.from - 6));
  return `<text class="label ${kind}-label" x="${round(x)}" y="${round(inside)}">${escapeXml(label)}</text>`;
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}

/** Text as XML character data. */
export function escapeXml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
