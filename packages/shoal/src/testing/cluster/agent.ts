/** What a simulated agent does with a command: fencing, once per id, threads, drains, as real agents do. */
import type { AppGraph } from '../../model/index.ts';
import type { Command, CommandResult } from '../../wire/index.ts';
import { SimulatedInstance } from './instance.ts';
import type { SimulatedProcess } from './process.ts';

/** How long things take; milliseconds. */
export interface AgentTimes {
  /** A thread that was kept ready becomes an instance; a thread that has to be made first. */
  readonly spareThreadMs: number;
  readonly newThreadMs: number;
  readonly tablesMs: number;
}

export interface AgentWorld {
  readonly graph: AppGraph;
  readonly times: AgentTimes;
  now(): number;
  at(timeMs: number, action: () => void): void;
  /** Calls back at the next moment at which the instance holds nothing; at the latest at `timeMs`. */
  whenEmpty(instance: SimulatedInstance, timeMs: number, action: () => void): void;
  /** Ends an instance: what it still holds is lost. */
  end(instance: SimulatedInstance): void;
}

type Failure = Extract<CommandResult, { isOk: false }>['reason'];

/** Carries out a command and answers once; a command that came before is answered as it was. */
export function carryOut(
  world: AgentWorld,
  process: SimulatedProcess,
  command: Command,
  answer: (result: CommandResult) => void,
): void {
  const { commandId } = command;
  const startedAtMs = world.now();
  const known = process.answers.get(commandId);
  if (known !== undefined) {
    if (known !== null) answer(known);
    return;
  }
  process.answers.set(commandId, null);
  const finish = (result: CommandResult): void => {
    process.answers.set(commandId, result);
    answer(result);
  };
  const succeed = (): void => finish({ commandId, isOk: true, tookMs: world.now() - startedAtMs });
  const fail = (reason: Failure, detail: string): void => finish({ commandId, isOk: false, reason, detail });
  if (command.epoch < process.epoch) {
    fail('stale-epoch', `${command.epoch} is older than ${process.epoch}`);
    return;
  }
  if (command.epoch > process.epoch) {
    // Versions count within an epoch.
    process.epoch = command.epoch;
    for (const [index, table] of process.tables.entries()) process.tables[index] = { ...table, version: 0 };
  }
  const { body } = command;
  switch (body.kind) {
    case 'set-tables':
      world.at(startedAtMs + world.times.tablesMs, () => {
        for (const table of body.tables) {
          if (table.version > (process.tables[table.edgeId]?.version ?? -1))
            process.tables[table.edgeId] = table;
        }
        succeed();
      });
      return;
    case 'add-instance': {
      const msu = world.graph.msus.find(({ name }) => name === body.msu);
      if (msu === undefined) {
        fail('start-failed', `no type ${body.msu}`);
        return;
      }
      if (process.instances.has(body.instanceId)) {
        succeed();
        return;
      }
      const spare = process.threads.find((thread) => thread.isSpare);
      const thread =
        body.target.kind === 'thread'
          ? process.threads.find(
              ({ threadId }) => threadId === Number(body.target.kind === 'thread' && body.target.threadId),
            )
          : process.startThread(`own-${body.instanceId}`, body.nice);
      if (thread === undefined) {
        fail('no-thread', 'the thread is gone');
        return;
      }
      if (spare !== undefined && body.target.kind === 'own')
        process.threads.splice(process.threads.indexOf(spare), 1);
      const instance = new SimulatedInstance(body.instanceId, msu, process, thread);
      thread.instances.push(instance);
      process.instances.set(body.instanceId, instance);
      const { spareThreadMs, newThreadMs } = world.times;
      world.at(startedAtMs + (spare === undefined ? newThreadMs : spareThreadMs), () => {
        if (!process.isAlive || process.instances.get(body.instanceId) !== instance) return;
        instance.phase = 'serving';
        instance.servingSinceMs = world.now();
        succeed();
      });
      return;
    }
    case 'drain-instance': {
      const instance = process.instances.get(body.instanceId);
      if (instance === undefined) {
        fail('unknown-instance', `${body.instanceId}`);
        return;
      }
      instance.phase = 'draining';
      world.whenEmpty(instance, startedAtMs + body.drainMaxMs, succeed);
      return;
    }
    case 'remove-instance': {
      const instance = process.instances.get(body.instanceId);
      if (instance !== undefined) world.end(instance);
      // A removal that overtakes or follows the end of its instance has nothing left to do.
      succeed();
      return;
    }
  }
}
