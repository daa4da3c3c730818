/** The demo in a terminal: progress while it runs, a timeline, and a table at the end. Pure text. */
import {
  type AttackPhase,
  type DeploymentName,
  deploymentNames,
  type Plan,
  phaseLabels,
  phaseNames,
  phaseSpans,
} from './plan.ts';
import type { Requirement } from './requirements.ts';
import type { DemoResult, DeploymentFigures, KindFigures, SecondFigures, SecondKind } from './result.ts';
import type { Progress } from './trial.ts';

/** From nothing to everything, an eighth at a time. */
const bars = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

const seconds = (ms: number): string => {
  const whole = Math.round(ms / 1_000);
  return whole < 60 ? `${whole} s` : `${Math.floor(whole / 60)} min ${whole % 60} s`;
};

function bar(ratio: number): string {
  return bars[Math.max(0, Math.min(8, Math.floor(ratio * 8 + 1e-9)))]!;
}

/** What is going to happen. */
export function introduction(plan: Plan): string {
  const { before, after } = plan.durations;
  const more =
    plan.onsets > 1
      ? `\nThen ${2 * (plan.onsets - 1)} more onsets of attacks on fresh processes of Shoal.`
      : '';
  return `The same HTTPS service three times, one after the other, on the same cores:
as one Node process (monolith), as two under node:cluster, and as Shoal. Each
serves the same honest clients: ${seconds(plan.warmMs + before)} of calm, ${seconds(plan.durations['attack-1.3'])} under an attack of searches
worth 1.3 cores, ${seconds(plan.durations['attack-3'])} under one of 3 cores, ${seconds(after)} of calm;
Shoal until it has taken its clones back.${more}
All of it takes less than ${plan.durationMaxMs / 60_000} minutes.`;
}

const stepOf = (name: DeploymentName): string =>
  `[${deploymentNames.indexOf(name) + 1}/${deploymentNames.length}] ${name.padEnd(8)}`;

const progressLabels = {
  ...phaseLabels,
  'warm-up': 'warm-up',
  reclaim: 'until the clones are gone',
} as const;

/** One line on what is going on. */
export function progressLine(name: DeploymentName, progress: Progress): string {
  const kind = (second: Progress['objects']): string =>
    second === undefined || second.total.sent === 0
      ? '–'
      : `${((100 * second.total.ok) / second.total.sent).toFixed(0)} %, p99 ${second.total.latency.p99Ms.toFixed(0)} ms`;
  const regex = progress.instances.regex;
  const instances = regex === undefined ? '' : `  regex × ${regex}`;
  const place = `${String(progress.second).padStart(3)}/${progress.endSecond} s`;
  return `${stepOf(name)} ${place} ${progressLabels[progress.phase].padEnd(17)}  objects ${kind(progress.objects)}  regex ${kind(progress.regex)}${instances}`;
}

/** One line on an onset that is being measured. */
export function onsetLine(attack: AttackPhase, number: number, of: number): string {
  return `${stepOf('shoal')} onset ${number} of ${of}: ${phaseLabels[attack]}, on a fresh process`;
}

const titleWidth = 18;

/** Seconds put together in a column, so that all of them fit in a line. */
function columnsOf(all: readonly SecondFigures[], columns: number): SecondFigures[][] {
  const perColumn = Math.max(1, Math.ceil(all.length / Math.max(1, columns - titleWidth - 1)));
  return all.flatMap((_, at) => (at % perColumn === 0 ? [all.slice(at, at + perColumn)] : []));
}

/** What was served, second by second, and how many regex instances there were; no line longer than `columns`. */
export function timeline(name: string, all: readonly SecondFigures[], plan: Plan, columns: number): string {
  const spans = phaseSpans(plan);
  const cells = columnsOf(all, columns);
  const mark = ([first]: readonly SecondFigures[]): string => {
    const atMs = (first?.second ?? 0) * 1_000;
    const phase = spans.find(({ startMs, endMs }) => atMs >= startMs && atMs < endMs)?.name;
    return phase === 'attack-1.3' ? '░' : phase === 'attack-3' ? '▓' : '·';
  };
  const row = (title: string, cell: (group: readonly SecondFigures[]) => string): string =>
    `${title.padEnd(titleWidth)}${cells.map(cell).join('')}`;
  const served = (kinds: readonly SecondKind[]): string => {
    const sent = kinds.reduce((sum, kind) => sum + kind.sent, 0);
    return sent === 0 ? ' ' : bar(kinds.reduce((sum, kind) => sum + kind.ok, 0) / sent);
  };
  const rows = [
    row(name, mark),
    row('  objects served', (group) => served(group.map(({ objects }) => objects))),
    row('  regex served', (group) => served(group.map(({ regex }) => regex))),
  ];
  if (all.some(({ instances }) => 'regex' in instances)) {
    rows.push(
      row('  regex instances', (group) => {
        const counts = group.flatMap(({ instances }) => instances.regex ?? []);
        return counts.length === 0 ? ' ' : Math.min(35, Math.max(...counts)).toString(36);
      }),
    );
  }
  const scale = cells.length === all.length ? 'a column a second' : `${seconds(all.length * 1_000)} in all`;
  rows.push(`  · calm  ░ ${phaseLabels['attack-1.3']}  ▓ ${phaseLabels['attack-3']}  (${scale})`);
  return rows.join('\n');
}

function cellsOf(kind: KindFigures): string {
  // Where nothing was served there is no latency.
  const latency = (ms: number): string => (kind.successRatio === 0 ? '–' : ms.toFixed(1));
  return [
    `${(100 * kind.successRatio).toFixed(1)} %`.padStart(7),
    latency(kind.p50Ms).padStart(6),
    latency(kind.p99Ms).padStart(6),
    `${((100 * kind.refused) / Math.max(1, kind.sent)).toFixed(1)} %`.padStart(7),
  ].join(' ');
}

function phaseRows(figures: DeploymentFigures, name: string): string[] {
  return phaseNames.flatMap((phase, index) => {
    const found = figures.phases.find((candidate) => candidate.name === phase);
    if (found === undefined) return [];
    return [
      `${(index === 0 ? name : '').padEnd(8)} ${phase.padEnd(10)} ${cellsOf(found.objects)}  ${cellsOf(found.regex)}`,
    ];
  });
}

/** Success and latency of every deployment in every phase, in 80 columns. */
export function table(result: DemoResult): string {
  const kind = ' served p50 ms p99 ms refused';
  const head = [
    `${''.padEnd(20)}${'objects'.padEnd(kind.length + 2)}regex`,
    `${''.padEnd(8)} ${'phase'.padEnd(10)} ${kind}  ${kind}`,
  ];
  const rows = deploymentNames.flatMap((name) => {
    const figures = result.deployments[name];
    return figures === undefined ? [] : phaseRows(figures, name);
  });
  return [...head, ...rows].join('\n');
}

/** The run in a sentence. */
export function verdict(result: DemoResult): string {
  const served = deploymentNames.flatMap((name) => {
    const strong = result.deployments[name]?.phases.find((phase) => phase.name === 'attack-3');
    return strong === undefined ? [] : [`${name} ${(100 * strong.objects.successRatio).toFixed(1)} %`];
  });
  return `Objects served under the attack of 3 cores: ${served.join(', ')}. The run took ${seconds(result.durationMs)}.`;
}

export function requirementLines(requirements: readonly Requirement[]): string {
  return requirements
    .map(({ text, measured, isMet }) => `  ${isMet ? 'pass' : 'FAIL'}  ${text.padEnd(62)} ${measured}`)
    .join('\n');
}
