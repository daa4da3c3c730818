/** What Shoal must show, judged by what was measured. Pure. */
import type { DeploymentFigures, KindFigures, PhaseFigures, SearchCores } from './result.ts';

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

/**
 * Of all searches so many can be served, where the cores do not suffice for all and honest and hostile ones have the same
 * chance: the cores that there were for searches divided by those that all of them together asked for. (Here they are of
 * different lengths, and Shoal serves those first that are known to take less; where they are not, that is what it can do.)
 */
const fairShare = ({ available, asked }: SearchCores): number => Math.max(0, Math.min(1, available / asked));
/**
 * So much of the fair share must be served. Not all: a search costs more beside others than when it was calibrated alone.
 * A server that uses one core of two has half, one that refuses everything nothing.
 */
const fairShareRatioMin = 2 / 3;

/** The least ratio of served searches, less two standard errors: who is refused is a matter of chance, and a quick run has some 110. */
function leastServed(cores: SearchCores, sent: number): number {
  const ratio = fairShareRatioMin * fairShare(cores);
  return ratio - 2 * Math.sqrt((ratio * (1 - ratio)) / sent);
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
  const { 'attack-1.3': weak, 'attack-3': cores } = figures.searchCores;
  const { available, asked } = cores;
  const least = leastServed(cores, strong.regex.sent);
  requirements.push(
    {
      text: 'attack-1.3: honest regex ≥ 99 % success',
      measured: `${percent(medium.regex.successRatio)}; searches used ${weak.used.toFixed(2)} of ${weak.available.toFixed(2)} cores`,
      isMet: medium.regex.successRatio >= 0.99,
    },
    {
      text: `attack-3: honest regex ≥ ⅔ of its share of the cores, less 2 standard errors (${(100 * least).toFixed(1)} %)`,
      measured: `${percent(strong.regex.successRatio)}; cores for searches ${available.toFixed(2)}, asked ${asked.toFixed(2)}`,
      isMet: strong.regex.successRatio >= least,
    },
    {
      text: 'attack-3: p99 of a refusal ≤ 200 ms',
      measured: strong.regex.refused === 0 ? 'none refused' : ms(strong.regex.refusedP99Ms),
      isMet: strong.regex.refusedP99Ms <= 200,
    },
    {
      text: 'attack-3: no honest regex request left to time out',
      measured: `${lost(strong.regex)} of ${strong.regex.sent} lost`,
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
