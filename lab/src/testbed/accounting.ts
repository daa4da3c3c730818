import type { Cgroups } from './cgroup.ts';
import type { PlacedMachine } from './layout.ts';
import { portBytes } from './network.ts';

/** What a machine has used since the testbed was made. */
export interface MachineAccounting {
  readonly machine: string;
  readonly cpuSeconds: number;
  /** Quota periods (10 ms each) in which something wanted to run. */
  readonly periods: number;
  /** Periods in which the quota was used up (`nr_throttled`). */
  readonly throttledCount: number;
  readonly throttledSeconds: number;
  /** Memory charged now and at most, file cache included. */
  readonly memoryBytes: number;
  readonly peakMemoryBytes: number;
  readonly oomKills: number;
  /** Bytes on its cable, Ethernet headers included; what a machine sends to itself is not counted. */
  readonly receivedBytes: number;
  readonly sentBytes: number;
  /** Processes in it now. */
  readonly processes: number;
}

/** Reads the accounting of machines from their control groups and the switch. */
export async function readAccounting(
  id: string,
  machines: readonly PlacedMachine[],
  cgroups: Cgroups,
): Promise<MachineAccounting[]> {
  const bytes = await portBytes(id);
  return machines.map(({ name, group }) => ({
    machine: name,
    ...cgroups.usage(group),
    receivedBytes: bytes.get(name)?.receivedBytes ?? 0,
    sentBytes: bytes.get(name)?.sentBytes ?? 0,
    processes: cgroups.members(group).length,
  }));
}

/** What was used between two readings of the same machines; levels and peaks are those of the later one. */
export function accountingBetween(
  before: readonly MachineAccounting[],
  after: readonly MachineAccounting[],
): MachineAccounting[] {
  return after.map((later) => {
    const earlier = before.find(({ machine }) => machine === later.machine);
    if (earlier === undefined) return later;
    return {
      ...later,
      cpuSeconds: later.cpuSeconds - earlier.cpuSeconds,
      periods: later.periods - earlier.periods,
      throttledCount: later.throttledCount - earlier.throttledCount,
      throttledSeconds: later.throttledSeconds - earlier.throttledSeconds,
      oomKills: later.oomKills - earlier.oomKills,
      receivedBytes: later.receivedBytes - earlier.receivedBytes,
      sentBytes: later.sentBytes - earlier.sentBytes,
    };
  });
}
