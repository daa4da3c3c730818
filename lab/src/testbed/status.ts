import type { MachineAccounting } from './accounting.ts';
import type { TestbedState } from './registry.ts';

/** A testbed with what its machines have used; null when its keeper is dead and it waits to be removed. */
export interface TestbedStatus {
  readonly state: TestbedState;
  readonly accounting: readonly MachineAccounting[] | null;
}

const MIB = 1024 * 1024;

/** Lays rows out in columns: the first two aligned left, figures right. */
function layOut(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? [];
  return rows
    .map((row) =>
      row
        .map((cell, column) =>
          column < 2 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0),
        )
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

function machineRows({ state, accounting }: TestbedStatus): string[][] {
  return state.machines.map((machine) => {
    const used = accounting?.find((one) => one.machine === machine.name);
    const figures =
      used === undefined
        ? Array<string>(7).fill('-')
        : [
            used.cpuSeconds.toFixed(2),
            String(used.throttledCount),
            (used.peakMemoryBytes / MIB).toFixed(0),
            (used.receivedBytes / MIB).toFixed(2),
            (used.sentBytes / MIB).toFixed(2),
            String(used.oomKills),
            String(used.processes),
          ];
    return [
      machine.name,
      machine.role,
      machine.address,
      machine.cores.toFixed(2),
      String(machine.memoryMiB),
      ...figures,
    ];
  });
}

/** What `lab status` prints for people. */
export function renderStatus(testbeds: readonly TestbedStatus[]): string {
  if (testbeds.length === 0) return 'No testbed is up. "npm run lab -- up" makes one.';
  const header = [
    ...['machine', 'role', 'address', 'cores', 'MiB', 'CPU s', 'throttled', 'peak MiB', 'in MiB', 'out MiB'],
    ...['OOM kills', 'processes'],
  ];
  return testbeds
    .map((testbed) => {
      const { id, startedAt, runnerPid, logFolder } = testbed.state;
      const title =
        testbed.accounting === null
          ? `Testbed ${id}: abandoned; "npm run lab -- down ${id}" removes what is left of it.`
          : `Testbed ${id}: up since ${startedAt}, run by process ${runnerPid}, logs in ${logFolder}`;
      return `${title}\n${layOut([header, ...machineRows(testbed)])}`;
    })
    .join('\n\n');
}
