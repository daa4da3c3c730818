/** Watches a running Shoal process through its control endpoint: instances by type, and decisions. */
import { LabError } from '../lab-error.ts';
import type { DecisionFigures } from './result.ts';
import type { DemoServer } from './servers.ts';

/** What we read of `GET /v1/view` and `GET /v1/decisions`. */
interface View {
  readonly view: {
    readonly types: readonly {
      readonly msu: string;
      readonly instances: readonly { readonly phase: string; readonly isClone: boolean }[];
    }[];
  };
}
interface Decision {
  readonly id: number;
  readonly atMs: number;
  readonly operator: string;
  readonly msu: string;
  readonly outcome: string;
  readonly text: string;
  readonly servingAtMs: number | null;
  readonly endedAtMs: number | null;
}

export interface InstanceCount {
  readonly atMs: number;
  /** Instances that serve, by type. */
  readonly byType: Readonly<Record<string, number>>;
  readonly clones: number;
}

export interface Watch {
  readonly counts: readonly InstanceCount[];
  /** The last count. */
  latest(): InstanceCount | undefined;
  /** Stops looking, and answers every decision. */
  finish(): Promise<readonly DecisionFigures[]>;
}

const periodMs = 200;
/** The endpoint answers in so long, or it is gone. */
const askMaxMs = 5_000;

/** Wall-clock time of a moment on the machine's monotonic clock, which the decision log uses. */
function epochOf(monotonicMs: number): number {
  return Date.now() - (Number(process.hrtime.bigint()) / 1e6 - monotonicMs);
}

/** Begins to watch. Times count from `startAtEpochMs`. */
export function watchShoal(server: DemoServer, startAtEpochMs: number): Watch {
  const { control } = server;
  if (control === null) throw new LabError(`${server.name} has no control endpoint.`);
  const ask = async <T>(path: string): Promise<T> => {
    const response = await fetch(control.origin + path, {
      headers: { authorization: `Bearer ${control.token}` },
      signal: AbortSignal.timeout(askMaxMs),
    }).catch((error: Error) => {
      server.mustRun();
      const why = error.cause instanceof Error ? error.cause.message : error.message;
      // The supervisor has started the runtime again, and the next one has an endpoint and a log of its own.
      throw new LabError(
        `The control endpoint of ${server.name} is gone (${why}): its runtime must have ended during the run. ` +
          `Its last words:\n${server.lastWords()}`,
      );
    });
    if (!response.ok) throw new LabError(`The control endpoint answered ${response.status} to ${path}.`);
    return (await response.json()) as T;
  };
  const counts: InstanceCount[] = [];
  let isOver = false;
  const look = async (): Promise<void> => {
    const { view } = await ask<View>('/v1/view');
    const byType: Record<string, number> = {};
    let clones = 0;
    for (const { msu, instances } of view.types) {
      byType[msu] = instances.filter(({ phase }) => phase === 'serving').length;
      clones += instances.filter(({ isClone }) => isClone).length;
    }
    counts.push({ atMs: Date.now() - startAtEpochMs, byType, clones });
  };
  const looking = (async () => {
    while (!isOver) {
      // A look that fails leaves a gap in the picture; the decisions at the end must be there.
      await look().catch(() => undefined);
      await new Promise((resolve) => setTimeout(resolve, periodMs));
    }
  })();
  return {
    counts,
    latest: () => counts.at(-1),
    finish: async () => {
      isOver = true;
      await looking;
      const { decisions } = await ask<{ decisions: readonly Decision[] }>('/v1/decisions');
      return decisions.map((decision) => ({
        atMs: epochOf(decision.atMs) - startAtEpochMs,
        servingAtMs: decision.servingAtMs === null ? null : epochOf(decision.servingAtMs) - startAtEpochMs,
        operator: decision.operator,
        msu: decision.msu,
        outcome: decision.outcome,
        text: decision.text,
      }));
    },
  };
}
