import type { AttackName } from '../attacks/attack.ts';
import { calibrate } from '../attacks/calibrate.ts';
import { probeProcess, type TargetProbe } from '../attacks/target-probe.ts';
import { standalone } from '../rivals/standalone.ts';
import { readInstanceReports } from '../service/instance-report.ts';
import { machineLauncher } from '../testbed/attack-launcher.ts';
import type { Laboratory } from './laboratory.ts';
import { attackSettings, calibratedAttacks } from './settings.ts';

/** Measures what one request of each attack costs a plain server of the service, in CPU seconds. */
export async function calibrateAttacks(
  laboratory: Laboratory,
  onAttack: (attack: AttackName) => void,
): Promise<Partial<Record<AttackName, number>>> {
  const service = await laboratory.start(standalone);
  try {
    const probe = probeAll(readInstanceReports(service.reportFolder).map(({ pid }) => pid));
    const costs: Partial<Record<AttackName, number>> = {};
    for (const attack of calibratedAttacks) {
      onAttack(attack);
      const { cpuSecondsPerRequest } = await calibrate(
        { ...attackSettings[attack], host: service.host, port: service.port },
        probe,
        { batches: 1, batchCpuSeconds: 0.5, launch: machineLauncher(laboratory.testbed.machine('attacker')) },
      );
      costs[attack] = cpuSecondsPerRequest.median;
    }
    return costs;
  } finally {
    await service.close();
  }
}

function probeAll(pids: readonly number[]): TargetProbe {
  const probes = pids.map(probeProcess);
  const sum = (read: (probe: TargetProbe) => number): number =>
    probes.reduce((total, probe) => total + read(probe), 0);
  return {
    cpuSeconds: () => sum((probe) => probe.cpuSeconds()),
    descriptors: () => sum((probe) => probe.descriptors()),
    memoryBytes: () => sum((probe) => probe.memoryBytes()),
  };
}
