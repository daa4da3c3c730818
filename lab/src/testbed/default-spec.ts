import { availableParallelism } from 'node:os';
import { LabError } from '../lab-error.ts';
import { CORES_MIN, MACHINES_MAX, type MachineRole, type MachineSpec, type TestbedSpec } from './spec.ts';

/** Cores left to the host itself: the runner, the keeper, the kernel. */
const HOST_CORES = 0.1;
/** A testbed has as many machines as in the published experiments, and a load balancer of its own. */
export const MACHINES_DEFAULT = 9;

type Size = Pick<MachineSpec, 'cores' | 'memoryMiB'>;

/** What machines of each role get by default; nine of them add up to 1.9 cores and 2.5 GiB. */
const sizes: Readonly<Record<MachineRole, Size>> = {
  'load-balancer': { cores: 0.15, memoryMiB: 128 },
  web: { cores: 0.25, memoryMiB: 384 },
  database: { cores: 0.2, memoryMiB: 256 },
  client: { cores: 0.2, memoryMiB: 256 },
  attacker: { cores: 0.2, memoryMiB: 256 },
};

/** Who comes first when there are few machines; after these, web and database machines alternate. */
const first: readonly (readonly [name: string, role: MachineRole])[] = [
  ['web1', 'web'],
  ['client', 'client'],
  ['attacker', 'attacker'],
  ['db1', 'database'],
  ['lb', 'load-balancer'],
];
const order: readonly MachineRole[] = ['load-balancer', 'web', 'database', 'client', 'attacker'];

/**
 * The spec that is used when none is given: a load balancer, web machines, as many database machines, an honest
 * client and an attacker. With more machines than fit, or fewer cores than two, all quotas shrink alike; throws
 * `LabError` when that takes one below the least quota.
 */
export function defaultSpec(
  machines: number = MACHINES_DEFAULT,
  hostCores: number = availableParallelism(),
): TestbedSpec {
  if (!Number.isInteger(machines) || machines < 1 || machines > MACHINES_MAX)
    throw new LabError(`--machines: give a whole number from 1 to ${MACHINES_MAX}.`);
  const chosen = [...first.slice(0, machines)];
  for (let number = 2; chosen.length < machines; number += 1) {
    chosen.push([`web${number}`, 'web']);
    if (chosen.length < machines) chosen.push([`db${number}`, 'database']);
  }
  const wanted = chosen.reduce((sum, [, role]) => sum + sizes[role].cores, 0);
  const scale = Math.min(1, (hostCores - HOST_CORES) / wanted);
  const specs = chosen.map(([name, role]): MachineSpec => {
    const cores = Math.floor(sizes[role].cores * scale * 1000 + 1e-6) / 1000;
    return { name, role, cores, memoryMiB: sizes[role].memoryMiB, sysctls: {} };
  });
  if (specs.some(({ cores }) => cores < CORES_MIN))
    throw new LabError(
      `--machines: ${machines} machines do not fit ${hostCores} cores, for none can have less than ${CORES_MIN}: ` +
        'take fewer, or write a spec file with "overcommit: true".',
    );
  return { machines: specs.toSorted((a, b) => order.indexOf(a.role) - order.indexOf(b.role)) };
}
