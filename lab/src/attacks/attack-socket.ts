import net from 'node:net';
import type { AttackContext } from './attack.ts';

let connections = 0;

/** Opens a connection to the target, from the plan's local addresses in turn, and counts its bytes. */
export function connectToTarget({ plan, meter }: AttackContext): net.Socket {
  const { host, port, localAddresses } = plan;
  const localAddress = localAddresses[connections % Math.max(1, localAddresses.length)];
  connections += 1;
  return meter.track(
    net.connect({ host, port, noDelay: true, ...(localAddress === undefined ? {} : { localAddress }) }),
  );
}
