/** The demo in a terminal: progress while it runs, a timeline and a table at the end. Pure text. */

import { deploymentNames, type Plan, phaseNames, phaseSpans } from './plan.ts';
import type { Requirement } from './requirements.ts';
import type { DemoResult, DeploymentFigures, SecondFigures, SecondKind } from './result.ts';
import type { Progress } from './trial.ts';

/** From nothing to everything, an eighth at a time. */
const bars = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

function bar(ratio: number): string {
  return bars[Math.max(0, Math.min(8, Math.floor(ratio * 8 + 1e-9)))]!;
}

function share(kind: SecondKind | undefined): string {
  if (kind === undefined || kind.sent === 0) return '–';
  return `${((100 * kind.ok) / kind.sent).toFixed(0)} %`;
}

/** One line on what is going on. */
export function progressLine(name: string, progress: Progress): string {
  const kind = (second: Progress['objects']): string =>
    second === undefined
      ? '–'
      : `${share({ ...second.total, p50Ms: 0, p99Ms: 0 })} ok, p99 ${second.total.latency.p99Ms.toFixed(0)} ms`;
  const regex = progress.instances.regex;
  const instances = regex === undefined ? '' : `  regex instances ${regex}`;
  return `${name.padEnd(9)} ${progress.phase.padEnd(10)} ${String(progress.second).padStart(3)} s  objects ${kind(progress.objects)}  regex ${kind(progress.regex)}${instances}`;
}

/** One column a second: what was served, and how many regex instances there were. */
export function timeline(name: string, seconds: readonly SecondFigures[], plan: Plan): string {
  const spans = phaseSpans(plan);
  const mark = (second: number): string => {
    const phase = spans.find(
      ({ startMs, endMs }) => second * 1_000 >= startMs && second * 1_000 < endMs,
    )?.name;
    return phase === 'attack-1.3' ? '░' : phase === 'attack-3' ? '▓' : '·';
  };
  const row = (title: string, cell: (second: SecondFigures) => string): string =>
    `  ${title.padEnd(16)} ${seconds.map(cell).join('')}`;
  const served = (kind: SecondKind): string => (kind.sent === 0 ? ' ' : bar(kind.ok / kind.sent));
  const rows = [
    row(name, ({ second }) => mark(second)),
    row('objects served', ({ objects }) => served(objects)),
    row('regex served', ({ regex }) => served(regex)),
  ];
  if (seconds.some(({ instances }) => 'regex' in instances)) {
    rows.push(
      row('regex instances', ({ instances }) =>
        instances.regex === undefined ? ' ' : Math.min(35, instances.regex).toString(36),
      ),
    );
  }
  return rows.join('\n');
}

function phaseRows(figures: DeploymentFigures, name: string): string[] {
  return phaseNames.flatMap((phase, index) => {
    const found = figures.phases.find((candidate) => candidate.name === phase);
    if (found === undefined) return [];
    const cells = [found.objects, found.regex].flatMap((kind) => [
      `${(100 * kind.successRatio).toFixed(1)} %`.padStart(8),
      `${kind.p50Ms.toFixed(1)}`.padStart(7),
      `${kind.p99Ms.toFixed(1)}`.padStart(7),
      `${((100 * kind.refused) / Math.max(1, kind.sent)).toFixed(1)} %`.padStart(8),
    ]);
    return [`  ${(index === 0 ? name : '').padEnd(9)} ${phase.padEnd(10)} ${cells.join(' ')}`];
  });
}

/** Success and latency of every deployment in every phase. */
export function table(result: DemoResult): string {
  const head = [
    `  ${''.padEnd(20)} ${'objects'.padEnd(33)} regex`,
    `  ${'deployment'.padEnd(9)} ${'phase'.padEnd(9)} ${'served  p50 ms  p99 ms  refused'.padStart(33)} ${'served  p50 ms  p99 ms  refused'.padStart(33)}`,
  ];
  const rows = deploymentNames.flatMap((name) => {
    const figures = result.deployments[name];
    return figures === undefined ? [] : phaseRows(figures, name);
  });
  return [...head, ...rows].join('\n');
}

export function requirementLines(requirements: readonly Requirement[]): string {
  return requirements
    .map(({ text, measured, isMet }) => `  ${isMet ? 'pass' : 'FAIL'}  ${text.padEnd(62)} ${measured}`)
    .join('\n');
}
