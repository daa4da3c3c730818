import { LabError } from '../lab-error.ts';
import type { TestbedMachine } from '../testbed/testbed.ts';

/** The testbed's network holds this many addresses; machines take the low ones. */
const firstExtra = 100;

/**
 * Gives a machine more addresses, so that it stands for many visitors (or many attackers): defences that count
 * by source address would otherwise see one enormous client.
 * @param offset where the machine's range begins, from 0; ranges must not overlap.
 * @returns all addresses of the machine.
 */
export async function addSourceAddresses(
  machine: TestbedMachine,
  offset: number,
  count: number,
): Promise<string[]> {
  const network = machine.address.slice(0, machine.address.lastIndexOf('.'));
  const extra = Array.from({ length: count }, (_, i) => `${network}.${firstExtra + offset + i}`);
  const commands = extra.map((address) => `ip addr replace ${address}/24 dev eth0`).join(' && ');
  const program = await machine.run({ name: 'addresses', command: 'sh', args: ['-c', commands] });
  const { code } = await program.exited;
  if (code !== 0) throw new LabError(`${machine.name} got no further addresses: see ${program.logFile}`);
  return extra;
}
