import type { MachineAccounting } from '../testbed/accounting.ts';
import type { Testbed } from '../testbed/testbed.ts';

/** What the service's machines (and the wire) had used by one moment. */
export interface ServiceAccounting {
  readonly cpuSeconds: number;
  readonly throttled: number;
  readonly memoryMiB: number;
  readonly wireBytes: number;
  readonly oomKills: number;
}

const serviceRoles = new Set(['load-balancer', 'web', 'database']);
const mebibyte = 1_048_576;

/** Adds up the machines' accounts. */
export async function accountService(testbed: Testbed): Promise<ServiceAccounting> {
  const serving = new Set(
    testbed.machines.filter(({ role }) => serviceRoles.has(role)).map(({ name }) => name),
  );
  const all = await testbed.accounting();
  const own = all.filter(({ machine }) => serving.has(machine));
  const sum = (list: readonly MachineAccounting[], read: (account: MachineAccounting) => number): number =>
    list.reduce((total, account) => total + read(account), 0);
  return {
    cpuSeconds: sum(own, ({ cpuSeconds }) => cpuSeconds),
    throttled: sum(own, ({ throttledCount }) => throttledCount),
    memoryMiB: sum(own, ({ memoryBytes }) => memoryBytes) / mebibyte,
    wireBytes: sum(all, ({ sentBytes }) => sentBytes),
    oomKills: sum(own, ({ oomKills }) => oomKills),
  };
}
