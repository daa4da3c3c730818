/**
 * How long after its run limit code that runs away is stopped: the time from the limit until its thread is gone, or
 * until its process is told to end, where the thread cannot be. In each kind one message runs away and another waits
 * behind it: the first must end `failed: run-limit` and the second be served by the replacement.
 *
 * Not measured: how long a supervisor takes to start a process again, and what the kinds cost other threads.
 */
import { type Benchmark, printTable, reportOthers, watchOthers, writeRows } from './report.ts';

/** What test support of the package tells of its app of runaways; it is not part of what the package ships. */
interface Runaways {
  readonly names: readonly string[];
  end(name: string): Promise<{
    readonly outcome: unknown;
    readonly behind: unknown;
    readonly overrunMs: number;
    readonly endedWith: string;
  }>;
  close(): Promise<void>;
}

const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
const support = new URL(`runtime/test-apps/runaways.${extension}`, import.meta.resolve('shoal'));

/** What is promised, on a machine that is not overloaded. */
const overrunMaxMs = 500;

export const runaways: Benchmark = async ({ jsonFile, tiny }) => {
  const othersShareSince = watchOthers();
  const { startRunaways } = (await import(support.href)) as {
    startRunaways(few: boolean): Promise<Runaways>;
  };
  const runs = await startRunaways(tiny === true);
  const rows = [];
  try {
    for (const name of runs.names) {
      const { outcome, behind, overrunMs, endedWith } = await runs.end(name);
      if (outcome !== 'failed: run-limit' || behind !== 'done' || !(overrunMs >= 0))
        throw new Error(
          `${name}: ended as ${outcome}, the next as ${behind}, ${overrunMs} ms after its limit`,
        );
      rows.push({ code: name, overrunMs: Math.round(overrunMs), endedWith });
    }
  } finally {
    await runs.close();
  }
  printTable(rows);
  const [worst] = rows.toSorted((a, b) => b.overrunMs - a.overrunMs);
  const late = rows.filter((row) => row.overrunMs > overrunMaxMs).length;
  process.stdout.write(
    `${rows.length} kinds; the last to be stopped was "${worst?.code}", ${worst?.overrunMs} ms after its limit; ` +
      `${late} took more than ${overrunMaxMs} ms.\n`,
  );
  writeRows(jsonFile, 'runaways', rows, reportOthers(othersShareSince()));
};
