// What tests of keyed types share: the instances of one type, and the table that leads to them.
import assert from 'node:assert/strict';
import { machineId, processId, type ThreadId } from '../../model/index.ts';
import type { InstanceSample } from '../../wire/index.ts';
import type { InitialThread } from '../agent-threads.ts';
import { id, type TestRuntime } from './start.ts';

/** A thread that exists from the start. */
export const thread = (name: string, ...instances: string[]): InitialThread => ({
  name,
  core: -1,
  nice: 0,
  scheduling: 'fifo',
  instances,
});

export class KeyedType {
  readonly #app: TestRuntime;
  readonly #msu: string;
  readonly #edgeId: number;
  /** By instance id: whether it is draining. */
  readonly #endpoints = new Map<number, boolean>();
  #version = 1;

  constructor(app: TestRuntime, msu: string, edgeId: number, first: number) {
    this.#app = app;
    this.#msu = msu;
    this.#edgeId = edgeId;
    this.#endpoints.set(first, false);
  }

  /** Of the last report. */
  sample(instance: number): InstanceSample | undefined {
    return this.#app.instances(this.#msu).find(({ instanceId }) => instanceId === instance);
  }

  async #setTable(): Promise<void> {
    const endpoints = [...this.#endpoints].map(([instance, isDraining]) => ({
      instanceId: id(instance),
      machine: machineId('local'),
      process: processId('main'),
      weight: 1,
      isDraining,
    }));
    const table = { edgeId: this.#edgeId, version: ++this.#version, endpoints };
    const set = await this.#app.command({ kind: 'set-tables', tables: [table] });
    assert.ok(set.isOk, JSON.stringify(set));
  }

  async add(instance: number, on?: ThreadId): Promise<void> {
    const added = await this.#app.command({
      kind: 'add-instance',
      instanceId: id(instance),
      msu: this.#msu,
      target: on === undefined ? { kind: 'own' } : { kind: 'thread', threadId: on },
      nice: 0,
    });
    assert.ok(added.isOk, JSON.stringify(added));
    this.#endpoints.set(instance, false);
    await this.#setTable();
  }

  /** It gets nothing new. */
  async drain(instance: number): Promise<void> {
    this.#endpoints.set(instance, true);
    await this.#setTable();
  }

  async remove(instance: number): Promise<void> {
    this.#endpoints.delete(instance);
    await this.#setTable();
    const removed = await this.#app.command({ kind: 'remove-instance', instanceId: id(instance) });
    assert.ok(removed.isOk, JSON.stringify(removed));
  }
}
