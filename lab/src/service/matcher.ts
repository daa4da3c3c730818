import { Piscina } from 'piscina';
import { isTitle, type TitlePattern } from './patterns.ts';

/** Matches texts against patterns. `undefined`: gave up, because it took too long or too many wait. */
export interface Matcher {
  match(text: string, pattern: TitlePattern): boolean | undefined | Promise<boolean | undefined>;
  close(): Promise<void>;
}

/** Matches on the event loop, as most services do. */
export function createInlineMatcher(): Matcher {
  return { match: isTitle, close: async () => undefined };
}

/** A match that takes longer, waiting for a thread included, is given up and its thread killed. */
const matchTimeoutMs = 200;
/** Matches that may wait for a thread. */
const matchQueueMax = 32;

/** Matches in a pool of threads, each match with a time limit, as a team that knows of ReDoS does. */
export async function createPooledMatcher(): Promise<Matcher> {
  const file = new URL(
    import.meta.url.endsWith('.ts') ? './match-worker.ts' : './match-worker.js',
    import.meta.url,
  );
  const pool = new Piscina({ filename: file.href, minThreads: 1, maxThreads: 2, maxQueue: matchQueueMax });
  // The first thread takes longer to start than a match may take.
  await pool.run({ text: 'warm', pattern: 'look-around' });
  return {
    async match(text, pattern) {
      try {
        return (await pool.run(
          { text, pattern },
          { signal: AbortSignal.timeout(matchTimeoutMs) },
        )) as boolean;
      } catch {
        // Aborted, or the queue is full: either way the caller hears that the service is busy.
        return undefined;
      }
    },
    close: () => pool.destroy(),
  };
}
