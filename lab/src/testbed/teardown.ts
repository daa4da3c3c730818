import { setTimeout as wait } from 'node:timers/promises';
import { LabError } from '../lab-error.ts';
import type { Cgroups } from './cgroup.ts';
import { idOfNamespace, ROOT_GROUP, testbedGroup } from './layout.ts';
import { deleteNetwork, listNamespaces } from './network.ts';
import { isKept, listStates, readState, removeState } from './registry.ts';

/** Processes die at once when killed, but the kernel may take a moment to let go of them. */
const PATIENCE_MS = 10_000;
const RETRY_MS = 10;

/** Repeats until `attempt` is true; false when patience ends. */
async function until(attempt: () => boolean): Promise<boolean> {
  for (const deadline = Date.now() + PATIENCE_MS; Date.now() < deadline; await wait(RETRY_MS)) {
    if (attempt()) return true;
  }
  return false;
}

/** Kills whatever is still in a group; true once nothing is. */
function killMembers(cgroups: Cgroups, group: string): boolean {
  const members = cgroups.members(group);
  for (const pid of members) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It ended by itself.
    }
  }
  return members.length === 0;
}

/**
 * Removes a testbed: processes, namespaces, control groups, state file, in this order. It needs nothing but the
 * id, may be called by anyone, and more than once. Throws `LabError` if something cannot be removed.
 */
export async function teardown(id: string, cgroups: Cgroups): Promise<void> {
  const group = testbedGroup(id);
  if (!(await until(() => killMembers(cgroups, group))))
    throw new LabError(
      `Testbed ${id}: processes ${cgroups.members(group).join(', ')} do not die; try "npm run lab -- down" again.`,
    );
  deleteNetwork(id);
  const removed = await until(() => {
    // A program that was just being started may have joined its group only now.
    killMembers(cgroups, group);
    try {
      cgroups.remove(group);
      return true;
    } catch {
      return false;
    }
  });
  if (!removed)
    throw new LabError(
      `Testbed ${id}: its control groups are still in use; try "npm run lab -- down" again.`,
    );
  removeState(id);
}

/**
 * Takes down every testbed whose keeper is dead: what a SIGKILL of runner and keeper at once, or a crash of the
 * host's service manager, may leave behind. Returns their ids.
 */
export async function reapAbandoned(cgroups: Cgroups): Promise<string[]> {
  const ids = new Set<string>([
    ...listStates().map((state) => state.id),
    ...listNamespaces('shoal-')
      .map(idOfNamespace)
      .filter((id) => id !== null),
    ...cgroups.children(ROOT_GROUP),
  ]);
  const reaped: string[] = [];
  for (const id of ids) {
    const state = readState(id);
    if (state !== null && isKept(state)) continue;
    await teardown(id, cgroups);
    reaped.push(id);
  }
  return reaped;
}
