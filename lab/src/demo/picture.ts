/** The picture of a run as SVG: success and latency per second of each deployment, instances, decisions, attacks. */
import { deploymentNames, type Plan, phaseLabels, phaseSpans } from './plan.ts';
import type { DemoResult, DeploymentFigures, SecondFigures, SecondKind } from './result.ts';

const width = 1_080;
const left = 110;
const right = 20;
const panelHeight = 92;
const gap = 26;
/** Above the largest value, so that its line is not hidden by the frame. */
const headroom = 7;
const colors = {
  objects: '#1668a8',
  regex: '#c2571a',
  instances: '#2e7d32',
  refused: '#b07d00',
  attack: '#d32f2f',
} as const;
/** Latency axis: 1 ms to the clients' timeout of 1 s, logarithmic. */
const latencyMaxMs = 1_000;

interface Frame {
  readonly top: number;
  readonly x: (second: number) => number;
  readonly seconds: number;
}

const escapeText = (text: string): string =>
  text.replace(/[&<>"]/g, (char) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[char]!);

function label(x: number, y: number, text: string, attributes = ''): string {
  return `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" ${attributes}>${escapeText(text)}</text>`;
}

type Point = readonly [x: number, y: number];

/** A line through points; none where there is no point. */
function line(points: readonly (Point | null)[], color: string, isDashed = false): string {
  let path = '';
  let isDown = false;
  for (const point of points) {
    if (point !== null) {
      const place = `${point[0].toFixed(1)} ${point[1].toFixed(1)}`;
      // A point alone is a dot: a line of no length, with round ends.
      path += isDown ? `L${place}` : `M${place}L${place}`;
    }
    isDown = point !== null;
  }
  if (path === '') return '';
  return `<path d="${path}" fill="none" stroke="${color}" stroke-width="1.8" stroke-linejoin="round" stroke-linecap="round"${isDashed ? ' stroke-dasharray="5 3"' : ''}/>`;
}

/** What is between two lines that have their points at the same places. */
function area(upper: readonly (Point | null)[], lower: readonly (Point | null)[], color: string): string {
  const around = [...upper, ...[...lower].reverse()].filter((point) => point !== null);
  const path = around.map(([x, y]) => `${x.toFixed(1)},${y.toFixed(1)}`).join(' ');
  return `<polygon points="${path}" fill="${color}" opacity="0.25"/>`;
}

/** Panel background: the attacks shaded, a frame, and grid lines with their values. */
function panel(
  frame: Frame,
  title: string,
  plan: Plan,
  grid: readonly (readonly [number, string])[],
): string {
  const parts: string[] = [];
  for (const { name, startMs, endMs } of phaseSpans(plan)) {
    if (!name.startsWith('attack')) continue;
    const x = frame.x(startMs / 1_000);
    parts.push(
      `<rect x="${x.toFixed(1)}" y="${frame.top}" width="${(frame.x(endMs / 1_000) - x).toFixed(1)}" height="${panelHeight}" fill="${colors.attack}" opacity="${name === 'attack-3' ? 0.16 : 0.08}"/>`,
    );
  }
  for (const [y, text] of grid) {
    parts.push(
      `<line x1="${left}" x2="${width - right}" y1="${y}" y2="${y}" stroke="#ccc" stroke-width="0.6"/>`,
    );
    parts.push(label(left - 6, y + 4, text, 'text-anchor="end" fill="#555"'));
  }
  parts.push(
    `<rect x="${left}" y="${frame.top}" width="${width - left - right}" height="${panelHeight}" fill="none" stroke="#888"/>`,
  );
  parts.push(label(left, frame.top - 6, title, 'fill="#222" font-weight="600"'));
  return parts.join('');
}

const middle = ({ second }: SecondFigures): number => second + 0.5;

function successPanel(frame: Frame, name: string, figures: DeploymentFigures, plan: Plan): string {
  const y = (ratio: number): number => frame.top + headroom + (panelHeight - headroom) * (1 - ratio);
  const points = (kind: 'objects' | 'regex', count: (of: SecondKind) => number): (Point | null)[] =>
    figures.seconds.map((second) =>
      second[kind].sent === 0 ? null : [frame.x(middle(second)), y(count(second[kind]) / second[kind].sent)],
    );
  const served = ({ ok }: SecondKind): number => ok;
  const answered = ({ ok, refused }: SecondKind): number => ok + refused;
  const grid = [0, 0.5, 1].map((ratio) => [y(ratio), `${ratio * 100} %`] as const);
  return (
    panel(frame, `${name}: honest requests served, per second`, plan, grid) +
    area(points('regex', answered), points('regex', served), colors.regex) +
    line(points('regex', served), colors.regex) +
    line(points('objects', served), colors.objects)
  );
}

function latencyPanel(frame: Frame, name: string, figures: DeploymentFigures, plan: Plan): string {
  const y = (ms: number): number =>
    frame.top +
    headroom +
    (panelHeight - headroom) *
      (1 - Math.log10(Math.min(latencyMaxMs, Math.max(1, ms))) / Math.log10(latencyMaxMs));
  const points = (kind: 'objects' | 'regex', of: 'p50Ms' | 'p99Ms'): (Point | null)[] =>
    figures.seconds.map((second) =>
      second[kind].ok === 0 ? null : [frame.x(middle(second)), y(second[kind][of])],
    );
  const grid = [1, 10, 100, 1_000].map((ms) => [y(ms), `${ms} ms`] as const);
  return (
    panel(frame, `${name}: latency of what was served (logarithmic): p99, and p50 dashed`, plan, grid) +
    line(points('regex', 'p50Ms'), colors.regex, true) +
    line(points('regex', 'p99Ms'), colors.regex) +
    line(points('objects', 'p50Ms'), colors.objects, true) +
    line(points('objects', 'p99Ms'), colors.objects)
  );
}

function instancesPanel(frame: Frame, figures: DeploymentFigures, plan: Plan): string {
  const types = [...new Set(figures.seconds.flatMap(({ instances }) => Object.keys(instances)))];
  const most = Math.max(2, ...figures.seconds.flatMap(({ instances }) => Object.values(instances)));
  const y = (count: number): number => frame.top + panelHeight * (1 - count / (most + 0.5));
  const stairs = (type: string) =>
    figures.seconds.flatMap(({ second, instances }) => {
      const count = instances[type];
      return count === undefined
        ? []
        : ([
            [frame.x(second), y(count)],
            [frame.x(second + 1), y(count)],
          ] as const);
    });
  const grid = [0, Math.ceil(most / 2), most].map((count) => [y(count), String(count)] as const);
  const marks = figures.decisions.map(({ atMs, operator, msu, outcome }) => {
    const x = frame.x(atMs / 1_000);
    const isDone = outcome === 'done';
    const color = !isDone ? colors.refused : operator === 'remove' ? '#777' : colors.instances;
    const title = escapeText(`${(atMs / 1_000).toFixed(1)} s: ${operator} ${msu} (${outcome})`);
    return `<g><title>${title}</title><line x1="${x.toFixed(1)}" x2="${x.toFixed(1)}" y1="${frame.top}" y2="${frame.top + panelHeight}" stroke="${color}" stroke-dasharray="2 2"/><path d="M${(x - 4).toFixed(1)} ${frame.top}l8 0l-4 7z" fill="${isDone ? color : '#fff'}" stroke="${color}"/></g>`;
  });
  const others = types.filter((type) => type !== 'regex').map((type) => line(stairs(type), '#9aa'));
  return (
    panel(
      frame,
      'shoal: instances of regex (green), of the other types (grey); ▼ clone, grey ▼ reclaim, ▽ decision not carried out',
      plan,
      grid,
    ) +
    others.join('') +
    line(stairs('regex'), colors.instances) +
    marks.join('')
  );
}

/** Draws what was measured. */
export function drawPicture(result: DemoResult, plan: Plan): string {
  const all = deploymentNames.flatMap((name) => {
    const figures = result.deployments[name];
    return figures === undefined ? [] : [{ name, figures }];
  });
  const seconds = Math.max(
    1,
    ...all.flatMap(({ figures }) => figures.seconds.map(({ second }) => second + 1)),
  );
  const x = (second: number): number => left + ((width - left - right) * second) / seconds;
  const panels = all.flatMap(({ name, figures }) => [
    (frame: Frame) => successPanel(frame, name, figures, plan),
    (frame: Frame) => latencyPanel(frame, name, figures, plan),
    ...(figures.decisions.length > 0 ||
    figures.seconds.some(({ instances }) => Object.keys(instances).length > 0)
      ? [(frame: Frame) => instancesPanel(frame, figures, plan)]
      : []),
  ]);
  const headHeight = 54;
  const height = headHeight + panels.length * (panelHeight + gap) + 30;
  const body = panels.map((draw, i) => draw({ top: headHeight + i * (panelHeight + gap), x, seconds }));
  const axisY = height - 26;
  const ticks: string[] = [];
  for (let second = 0; second <= seconds; second += seconds > 60 ? 10 : 5) {
    ticks.push(label(x(second), axisY, `${second} s`, 'text-anchor="middle" fill="#555"'));
  }
  const phases = phaseSpans(plan).map(({ name, startMs, endMs }) =>
    label(
      (x(startMs / 1_000) + x(endMs / 1_000)) / 2,
      34,
      phaseLabels[name],
      'text-anchor="middle" fill="#a33"',
    ),
  );
  const legend =
    `<rect x="${left}" y="8" width="12" height="4" fill="${colors.objects}"/>` +
    label(left + 18, 14, 'objects') +
    `<rect x="${left + 90}" y="8" width="12" height="4" fill="${colors.regex}"/>` +
    label(left + 108, 14, 'regex (honest searches); light: refused at once');
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="system-ui, sans-serif" font-size="11.5"><title>Monolith, cluster and Shoal under the same attack: success and latency per second</title><rect width="${width}" height="${height}" fill="#fff"/>${legend}${phases.join('')}${body.join('')}${ticks.join('')}</svg>`;
}
