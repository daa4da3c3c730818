// The keeper of a testbed: a process that makes it, holds it and takes it down again. It lives in a session of its
// own, so that no Ctrl-C reaches it, and knows that its runner is gone, in whatever way, by its standard input
// closing. `node keeper.js '<KeeperOrder as JSON>'`; answers on standard output with KeeperMessages.
import { LabError } from '../lab-error.ts';
import type { Precedence } from './cgroup.ts';
import { hostCgroups } from './host.ts';
import { placeMachines, ROOT_GROUP, testbedGroup } from './layout.ts';
import { createNetwork } from './network.ts';
import { processStartTicks, type TestbedState, writeState } from './registry.ts';
import type { TestbedSpec } from './spec.ts';
import { teardown } from './teardown.ts';

/** What the runner orders. */
export interface KeeperOrder {
  readonly id: string;
  readonly runnerPid: number;
  readonly logFolder: string;
  readonly spec: TestbedSpec;
  readonly precedence: Precedence;
}

export type KeeperMessage =
  | { readonly kind: 'ready'; readonly state: TestbedState }
  | { readonly kind: 'failed'; readonly reason: string };

function say(message: KeeperMessage): void {
  process.stdout.write(`${JSON.stringify(message)}\n`);
}

/** Resolves when the runner is gone or wants the testbed gone. */
function dismissed(): Promise<void> {
  return new Promise((resolve) => {
    process.stdin.on('end', resolve).on('error', resolve).resume();
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => resolve());
  });
}

async function keep(order: KeeperOrder): Promise<void> {
  const over = dismissed();
  // The runner may be gone before we speak.
  process.stdout.on('error', () => {});
  const cgroups = hostCgroups();
  const state: TestbedState = {
    id: order.id,
    keeperPid: process.pid,
    keeperStartTicks: processStartTicks(process.pid) ?? 0,
    runnerPid: order.runnerPid,
    startedAt: new Date().toISOString(),
    logFolder: order.logFolder,
    machines: placeMachines(order.id, order.spec),
  };
  writeState(state);
  try {
    for (const { group, cores, memoryMiB } of state.machines) cgroups.create(group, { cores, memoryMiB });
    // Testbeds share a group on the host; should there be several at a time, the newest decides for all.
    for (const group of [ROOT_GROUP, testbedGroup(order.id)]) cgroups.setPrecedence(group, order.precedence);
    createNetwork(order.id, state.machines);
    say({ kind: 'ready', state });
    await over;
  } catch (error) {
    const stderr = (error as { stderr?: Buffer }).stderr?.toString().trim();
    say({
      kind: 'failed',
      reason: stderr === undefined || stderr === '' ? (error as Error).message : stderr,
    });
  } finally {
    await teardown(order.id, cgroups);
  }
}

try {
  await keep(JSON.parse(process.argv[2] ?? '') as KeeperOrder);
} catch (error) {
  say({ kind: 'failed', reason: error instanceof LabError ? error.message : String(error) });
  process.exitCode = 1;
}
process.stdin.destroy();
