import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { figureOf } from './figure.ts';
import type { Cell, ExperimentResults, PhaseName } from './results.ts';
import { bestDeployments, type RowFigure, rowsOf, type Spread, spreadOf, spreadOfRows } from './summary.ts';

/** One column of the table of an attack. */
interface Column {
  readonly title: string;
  readonly phase: PhaseName;
  readonly figure: RowFigure;
  readonly format: (value: number) => string;
}

const percent = (ratio: number): string => `${(100 * ratio).toFixed(1)} %`;
const milliseconds = (ms: number): string => (ms < 10 ? ms.toFixed(1) : ms.toFixed(0));
const whole = (value: number): string => value.toFixed(0);

const columns: readonly Column[] = [
  { title: 'success before', phase: 'before', figure: 'successRatio', format: percent },
  { title: 'success', phase: 'attack', figure: 'successRatio', format: percent },
  { title: 'p50, ms', phase: 'attack', figure: 'p50Ms', format: milliseconds },
  { title: 'p99, ms', phase: 'attack', figure: 'p99Ms', format: milliseconds },
  { title: 'seconds below 99 %', phase: 'attack', figure: 'secondsBelow99', format: whole },
  { title: 'CPU·s', phase: 'attack', figure: 'cpuSeconds', format: (value) => value.toFixed(2) },
  { title: 'peak MiB', phase: 'attack', figure: 'peakMemoryMiB', format: whole },
  { title: 'wire KiB', phase: 'attack', figure: 'wireBytes', format: (value) => whole(value / 1024) },
  { title: 'throttled', phase: 'attack', figure: 'throttled', format: whole },
  { title: 'success after', phase: 'after', figure: 'successRatio', format: percent },
];

const escapeHtml = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');

function formatSpread(spread: Spread | null, format: (value: number) => string): string {
  if (spread === null) return '–';
  const [median, min, max] = [spread.median, spread.min, spread.max].map(format);
  const range = min === max ? '' : `<small>${min} … ${max}</small>`;
  return `${median}${range}`;
}

/** The names in an experiment, in the order in which they were run. */
export function namesOf(cells: readonly Cell[], key: 'attack' | 'deployment'): string[] {
  return [...new Set(cells.map((cell) => cell[key]))];
}

function attackTable(cells: readonly Cell[], attack: string, deployments: readonly string[]): string {
  const best = bestDeployments(cells, attack, 'attack');
  const titles = [...columns.map(({ title }) => title), 'killed for memory', 'restarted'];
  const head = titles.map((title) => `<th>${title}</th>`).join('');
  const body = deployments.map((deployment) => {
    const figures = columns.map(({ phase, figure, format }) => {
      const spread = spreadOfRows(rowsOf(cells, attack, deployment, phase), figure);
      return `<td>${formatSpread(spread, format)}</td>`;
    });
    const runs = cells.filter((cell) => cell.attack === attack && cell.deployment === deployment);
    for (const counts of [runs.map(({ oomKills }) => oomKills), runs.map(({ restarts }) => restarts)])
      figures.push(`<td>${formatSpread(spreadOf(counts), whole)}</td>`);
    const mark = best.has(deployment);
    return `<tr${mark ? ' class="best"' : ''}><th>${escapeHtml(deployment)}${mark ? ' ★' : ''}</th>${figures.join('')}</tr>`;
  });
  return `<table><thead><tr><th></th>${head}</tr></thead><tbody>${body.join('')}</tbody></table>`;
}

function overviewTable(
  cells: readonly Cell[],
  attacks: readonly string[],
  deployments: readonly string[],
): string {
  const head = deployments.map((name) => `<th>${escapeHtml(name)}</th>`).join('');
  const body = attacks.map((attack) => {
    const best = bestDeployments(cells, attack, 'attack');
    const figures = deployments.map((deployment) => {
      const rows = rowsOf(cells, attack, deployment, 'attack');
      const success = spreadOfRows(rows, 'successRatio');
      const p99 = spreadOfRows(rows, 'p99Ms');
      const text = success === null ? '–' : percent(success.median);
      const second = p99 === null ? '' : `<small>p99 ${milliseconds(p99.median)} ms</small>`;
      return `<td${best.has(deployment) ? ' class="best"' : ''}>${text}${best.has(deployment) ? ' ★' : ''}${second}</td>`;
    });
    return `<tr><th><a href="#${attack}">${attack}</a></th>${figures.join('')}</tr>`;
  });
  return `<table><thead><tr><th>success during the attack</th>${head}</tr></thead><tbody>${body.join('')}</tbody></table>`;
}

const style = `
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 1080px; padding: 0 1rem; color: #222; }
table { border-collapse: collapse; margin: 0.5rem 0 1rem; font-size: 13px; }
th, td { border: 1px solid #ccc; padding: 3px 8px; text-align: right; vertical-align: top; }
th:first-child { text-align: left; }
td small { display: block; color: #666; }
.best { background: #dff3e4; font-weight: 600; }
pre { background: #f5f5f5; padding: 0.6rem; overflow-x: auto; font-size: 12px; }
svg { max-width: 100%; height: auto; }
`;

/** The report of an experiment as one HTML page that needs nothing else. */
export function reportHtml(results: ExperimentResults): string {
  const { cells, settings, machine } = results;
  const attacks = namesOf(cells, 'attack');
  const deployments = namesOf(cells, 'deployment');
  const { warmMs, beforeMs, attackMs, afterMs } = settings.timing;
  const late = cells.filter(({ generator }) => generator.late).length;
  const sections = attacks.map(
    (attack) =>
      `<h2 id="${attack}">${attack}</h2>${figureOf(attack, cells, deployments, settings.timing)}${attackTable(cells, attack, deployments)}`,
  );
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Rivals under attack</title><style>${style}</style></head><body>
<h1>Rivals under attack</h1>
<p>Honest requests while an attack is under way: medians over runs, with their range. Latency is that of successful
requests, from the intended send time. ★ marks the highest success during the attack; within half a percent of it, the lowest p99.
Attack strength: ${settings.attackCores === 1 ? "one core's worth" : `${settings.attackCores} cores' worth`} at a plain server. A cell is ${warmMs / 1000} s to warm up, ${beforeMs / 1000} s before,
${attackMs / 1000} s of attack, ${afterMs / 1000} s after. ${late === 0 ? 'The load generator was on time in every cell.' : `The load generator was late in ${late} of ${cells.length} cells.`}</p>
${overviewTable(cells, attacks, deployments)}
${sections.join('\n')}
<h2>Where this comes from</h2>
<pre>${escapeHtml(JSON.stringify({ command: results.command, startedAt: results.startedAt, machine, settings, cpuSecondsPerRequest: results.cpuSecondsPerRequest, calibration: results.calibration }, null, 2))}</pre>
</body></html>
`;
}

/** Writes `index.html` and one SVG an attack into a folder. */
export function writeReport(folder: string, results: ExperimentResults): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(path.join(folder, 'index.html'), reportHtml(results));
  const deployments = namesOf(results.cells, 'deployment');
  for (const attack of namesOf(results.cells, 'attack')) {
    const svg = figureOf(attack, results.cells, deployments, results.settings.timing);
    writeFileSync(path.join(folder, `${attack}.svg`), svg);
  }
}
