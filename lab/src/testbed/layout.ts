// Names and places of a testbed, all derived from its id, so that whoever knows the id can take it down.
import path from 'node:path';
import type { MachineSpec, TestbedSpec } from './spec.ts';

/** Folder of the state files, one a testbed. */
export const STATE_FOLDER = '/run/shoal-lab';
/** Where `ip netns` keeps named namespaces. */
export const NETNS_FOLDER = '/run/netns';
/** Control group that holds those of all testbeds. */
export const ROOT_GROUP = 'shoal-lab';
/** Every testbed has this network to itself: its switch is in a namespace of its own. */
const NETWORK_PREFIX = '10.77.0';
export const NETWORK_BITS = 24;

/** A machine with its place in a testbed. */
export interface PlacedMachine extends MachineSpec {
  readonly address: string;
  /** Name of its network namespace. */
  readonly namespace: string;
  /** Its control group. */
  readonly group: string;
}

export const stateFile = (id: string): string => path.join(STATE_FOLDER, `${id}.json`);
export const namespacePrefix = (id: string): string => `shoal-${id}.`;
export const switchNamespace = (id: string): string => `${namespacePrefix(id)}switch`;
export const testbedGroup = (id: string): string => `${ROOT_GROUP}/${id}`;
export const namespaceFile = (namespace: string): string => path.join(NETNS_FOLDER, namespace);

/** The id in the name of a testbed's namespace; null for namespaces that are not ours. */
export function idOfNamespace(namespace: string): string | null {
  return /^shoal-([0-9a-f]{6})\./.exec(namespace)?.[1] ?? null;
}

/** Gives every machine its address, namespace and group. */
export function placeMachines(id: string, spec: TestbedSpec): PlacedMachine[] {
  return spec.machines.map((machine, index) => ({
    ...machine,
    address: `${NETWORK_PREFIX}.${index + 1}`,
    namespace: `${namespacePrefix(id)}${machine.name}`,
    group: `${testbedGroup(id)}/${machine.name}`,
  }));
}
