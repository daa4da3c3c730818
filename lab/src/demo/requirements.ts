/** What Shoal must show, judged by what was measured. Pure. */
import type { DeploymentFigures, KindFigures, PhaseFigures } from './result.ts';

export interface Requirement {
  readonly text: string;
  readonly measured: string;
  readonly isMet: boolean;
}

const percent = (ratio: number): string => `${(100 * ratio).toFixed(2)} %`;
const ms = (value: number | null): string => (value === null ? 'never' : `${value.toFixed(0)} ms`);

function phase(figures: DeploymentFigures, name: PhaseFigures['name']): PhaseFigures {
  const found = figures.phases.find((candidate) => candidate.name === name);
  if (found === undefined) throw new Error(`phase ${name} was not measured`);
  return found;
}

/** Requests that were neither answered nor refused: left to time out, or broken. */
const lost = (kind: KindFigures): number => kind.timedOut + kind.failed;

export function judge(figures: DeploymentFigures): readonly Requirement[] {
  const before = phase(figures, 'before');
  const medium = phase(figures, 'attack-1.3');
  const strong = phase(figures, 'attack-3');
  const requirements: Requirement[] = [];
  for (const attack of [medium, strong]) {
    requirements.push(
      {
        text: `${attack.name}: objects ≥ 99.5 % success`,
        measured: percent(attack.objects.successRatio),
        isMet: attack.objects.successRatio >= 0.995,
      },
      {
        text: `${attack.name}: objects p99 ≤ 3 × before (${ms(before.objects.p99Ms)})`,
        measured: ms(attack.objects.p99Ms),
        isMet: attack.objects.p99Ms <= 3 * before.objects.p99Ms,
      },
    );
  }
  const first = figures.firstCloneServingMs;
  requirements.push(
    {
      text: 'attack-1.3: honest regex ≥ 99 % success',
      measured: percent(medium.regex.successRatio),
      isMet: medium.regex.successRatio >= 0.99,
    },
    {
      text: 'attack-3: p99 of a refusal ≤ 200 ms',
      measured: strong.regex.refused === 0 ? 'none refused' : ms(strong.regex.refusedP99Ms),
      isMet: strong.regex.refusedP99Ms <= 200,
    },
    {
      text: 'attack-3: no honest regex request left to time out',
      measured: `${lost(strong.regex)} of ${strong.regex.sent} lost, ${percent(strong.regex.successRatio)} served`,
      isMet: lost(strong.regex) === 0,
    },
    {
      text: `first clone serving ≤ 1,200 ms at 1.3 cores (median of ${figures.onsetsMs['attack-1.3'].length})`,
      measured: ms(first['attack-1.3']),
      isMet: first['attack-1.3'] !== null && first['attack-1.3'] <= 1_200,
    },
    {
      text: `first clone serving ≤ 500 ms at 3 cores (median of ${figures.onsetsMs['attack-3'].length})`,
      measured: ms(first['attack-3']),
      isMet: first['attack-3'] !== null && first['attack-3'] <= 500,
    },
    {
      text: 'clones reclaimed after calm',
      measured:
        figures.reclaimedMs === null
          ? 'not'
          : `${(figures.reclaimedMs / 1_000).toFixed(1)} s after the attack`,
      isMet: figures.reclaimedMs !== null,
    },
    {
      text: 'no request failed by the reclaim',
      measured: figures.failedByReclaim === null ? 'no reclaim seen' : `${figures.failedByReclaim} failed`,
      isMet: figures.failedByReclaim === 0,
    },
  );
  return requirements;
}
