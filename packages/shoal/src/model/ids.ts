/** Branded ids: a number or string of one kind does not pass for another. */

declare const brand: unique symbol;
type Branded<T, Name extends string> = T & { readonly [brand]: Name };

/** Names an MSU instance, unique within an app for the life of a controller epoch: a small positive integer. */
export type InstanceId = Branded<number, 'InstanceId'>;
/** Names a thread within its process: a small non-negative integer. 0 is the agent. */
export type ThreadId = Branded<number, 'ThreadId'>;
/** Name of a machine. */
export type MachineId = Branded<string, 'MachineId'>;
/** Name of a runtime process, unique on its machine. */
export type ProcessId = Branded<string, 'ProcessId'>;

/** A number as {@link InstanceId}; it is not checked. */
export const instanceId = (id: number): InstanceId => id as InstanceId;
/** A number as {@link ThreadId}; it is not checked. */
export const threadId = (id: number): ThreadId => id as ThreadId;
/** A name as {@link MachineId}; it is not checked. */
export const machineId = (name: string): MachineId => name as MachineId;
/** A name as {@link ProcessId}; it is not checked. */
export const processId = (name: string): ProcessId => name as ProcessId;

/**
 * A key of a message: a non-negative safe integer (53 bits, carried in a 64-bit slot).
 * Use {@link hashKey} to make one from text. 0 means "no key".
 */
export type Key = number;

/** FNV-1a over the UTF-16 code units in two lanes, folded to 53 bits; never 0. Not for hostile tables. */
export function hashKey(text: string): Key {
  let low = 0x811c9dc5;
  let high = 0x050c5d1f;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    low = Math.imul(low ^ unit, 0x01000193);
    high = Math.imul(high ^ unit ^ (low >>> 15), 0x85ebca6b);
  }
  const folded = (low >>> 0) + ((high ^ (high >>> 13)) & 0x1fffff) * 0x1_0000_0000;
  return folded === 0 ? 1 : folded;
}
