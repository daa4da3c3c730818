import type { AttackName } from '../attacks/attack.ts';
import { startAttack } from '../attacks/start.ts';
import { standalone } from '../rivals/standalone.ts';
import { machineLauncher } from '../testbed/attack-launcher.ts';
import { type Laboratory, liftQuotas, type RunningService } from './laboratory.ts';
import type { CalibrationSample } from './results.ts';
import { attackSettings, type CalibratedAttack, calibratedAttacks } from './settings.ts';

/**
 * How many requests each attack is measured by, and how fast they are sent: about half a CPU second at the
 * target, slowly enough that they do not wait for each other. As many go before, so that every server has
 * compiled what it will run.
 */
const samples: Readonly<Record<CalibratedAttack, { readonly requests: number; readonly perSecond: number }>> =
  {
    'tls-renegotiation': { requests: 4, perSecond: 4 },
    'tls-handshake': { requests: 160, perSecond: 160 },
    redos: { requests: 6, perSecond: 4 },
    'hash-collision': { requests: 16, perSecond: 12 },
    'decompression-bomb': { requests: 12, perSecond: 8 },
  };

/**
 * Measures what one request of each attack costs a plain server of the service, in CPU seconds of the web
 * machines. An attack of one core's worth is then one over this, a second.
 */
export async function calibrateAttacks(
  laboratory: Laboratory,
  onAttack: (attack: AttackName) => void,
): Promise<Partial<Record<AttackName, CalibrationSample>>> {
  const service = await laboratory.start(standalone);
  // CPU time is CPU time; without quotas the samples are through sooner.
  liftQuotas(laboratory.testbed);
  try {
    const taken: Partial<Record<AttackName, CalibrationSample>> = {};
    for (const attack of calibratedAttacks) {
      onAttack(attack);
      await send(laboratory, service, attack);
      taken[attack] = await send(laboratory, service, attack);
    }
    return taken;
  } finally {
    await service.close();
  }
}

/** Sends a sample of an attack and returns what it cost the web machines. */
async function send(
  { testbed }: Laboratory,
  service: RunningService,
  attack: CalibratedAttack,
): Promise<CalibrationSample> {
  const { requests, perSecond } = samples[attack];
  const cpuSeconds = async (): Promise<number> => {
    const accounts = await Promise.all(testbed.withRole('web').map((machine) => machine.accounting()));
    return accounts.reduce((total, account) => total + account.cpuSeconds, 0);
  };
  const before = await cpuSeconds();
  const handle = await startAttack(
    {
      ...attackSettings[attack],
      host: service.host,
      port: service.port,
      // A little longer than needed, because arrivals are random within it; `maxRequests` ends it.
      phases: [{ shape: 'steady', rate: perSecond, durationMs: (1000 * (requests + 1)) / perSecond }],
      maxRequests: requests,
    },
    machineLauncher(testbed.machine('attacker')),
  );
  const { sent } = await handle.done;
  return { requests: sent, cpuSeconds: (await cpuSeconds()) - before };
}
