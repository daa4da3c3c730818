import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ShoalError } from '../model/index.ts';
import type { CommandResult } from '../wire/index.ts';
import { KeyedType, thread } from './test-apps/keyed-type.ts';
import { type Answer, fateOf, fates, movingChannel, type What } from './test-apps/moving.ts';
import { id, startApp, type TestRuntime } from './test-apps/start.ts';

const first = 2;
const clone = 50;
const keys = Array.from({ length: 200 }, (_, at) => at + 1);

class Keeper {
  readonly app: TestRuntime;
  readonly type: KeyedType;
  readonly #channel = new BroadcastChannel(movingChannel);
  readonly #waiting = new Map<number, (answer: Answer) => void>();
  #asked = 0;

  constructor(app: TestRuntime) {
    this.app = app;
    this.type = new KeyedType(app, 'keeper', 0, first);
    this.#channel.onmessage = (event) => {
      const answer = (event as { data: Answer }).data;
      this.#waiting.get(answer.answers)?.(answer);
    };
  }

  ask(key: number, what: What): Promise<Answer> {
    const question = { id: ++this.#asked, key, what };
    const answer = new Promise<Answer>((resolve) => this.#waiting.set(question.id, resolve));
    this.#channel.postMessage(question);
    return answer;
  }

  async all(of: readonly number[], what: What): Promise<Map<number, Answer>> {
    return new Map(await Promise.all(of.map(async (key) => [key, await this.ask(key, what)] as const)));
  }

  drain(instance: number, drainMaxMs: number): Promise<CommandResult> {
    return this.app.command({ kind: 'drain-instance', instanceId: id(instance), drainMaxMs });
  }

  close(): Promise<void> {
    this.#channel.close();
    return this.app.runtime.close();
  }
}

async function startKeeper(limits: { readonly statesMax?: number } = {}): Promise<Keeper> {
  const app = await startApp('moving', { threads: [thread('d', 'driver'), thread('k', 'keeper')], limits });
  await app.result('listening');
  return new Keeper(app);
}

test('a state that cannot be moved stays, served where it is; one that cannot be put in is lost, and both are said', async (t) => {
  const keeper = await startKeeper();
  t.after(() => keeper.close());
  await keeper.all(keys, 'put');
  await keeper.type.add(clone);
  const errors = (): string[] =>
    keeper.app.logged.filter(({ level }) => level === 'error').map(({ text }) => text);
  // Half of the keys belong to the clone now; those whose states can be moved are there.
  const moved = await keeper.app.until('states at the clone', () => {
    const samples = keeper.app.instances('keeper');
    const [there = 0, here = 0] = [clone, first].map(
      (instance) => samples.find(({ instanceId }) => instanceId === instance)?.states,
    );
    return there > 30 && here + there === keys.length - lost() && there;
  });
  function lost(): number {
    return errors().filter((text) => text.startsWith('import of the state of key')).length;
  }
  const answers = await keeper.all(keys, 'get');
  const at = (instance: number, fate: string): number[] =>
    keys.filter((key) => fateOf(key) === fate && answers.get(key)?.instance === instance);
  for (const fate of fates.filter((fate) => fate !== 'lost')) {
    for (const instance of [first, clone])
      for (const key of at(instance, fate)) assert.equal(answers.get(key)?.state, `state ${key}`, fate);
    const isMovable = fate === 'moves' || fate === 'taken';
    assert.equal(at(clone, fate).length > 0, isMovable, `${fate}: ${at(clone, fate).length} at the clone`);
  }
  assert.ok(moved > 0);
  for (const key of at(clone, 'lost')) {
    assert.equal(answers.get(key)?.state, null);
    assert.ok(
      errors().some((text) => text.startsWith(`import of the state of key ${key}: Error: on purpose`)),
    );
  }
  assert.ok(at(clone, 'lost').length > 0);
  const said: Record<string, RegExp> = {
    throws: /on purpose/,
    awaits: /must answer at once/,
    large: /larger than limits\.messageMaxBytes/,
    cyclic: /MessagePack cannot hold/,
  };
  for (const [fate, pattern] of Object.entries(said)) {
    const own = errors().filter((text) => {
      const key = /the state of key (\d+) stays where it is/.exec(text)?.[1];
      return key !== undefined && fateOf(Number(key)) === fate;
    });
    assert.ok(own.length > 0, fate);
    for (const text of own) assert.match(text, pattern);
  }
  // Draining waits for what stays, no longer than it may, and its end is logged.
  await keeper.type.drain(first);
  const drained = await keeper.drain(first, 300);
  assert.equal(!drained.isOk && drained.reason, 'not-drained');
  await keeper.type.remove(first);
  await keeper.app.until('warning', () =>
    keeper.app.logged.some(
      ({ level, text }) => level === 'warn' && /not handed over: they are lost/.test(text),
    ),
  );
});

test('keys that stay are found where they are when the thread of their owner is lost', async (t) => {
  const keeper = await startKeeper();
  t.after(() => keeper.close());
  const staying = keys.filter((key) => ['throws', 'awaits', 'cyclic'].includes(fateOf(key)));
  await keeper.all(staying, 'put');
  await keeper.type.add(clone);
  const places = async (): Promise<(number | undefined)[]> => {
    const answers = await keeper.all(staying, 'get');
    assert.deepEqual(
      staying.map((key) => answers.get(key)?.state),
      staying.map((key) => `state ${key}`),
    );
    return [...new Set([...answers.values()].map(({ instance }) => instance))];
  };
  assert.deepEqual(await places(), [first]);
  // Whoever owns a key that has no state anywhere takes it.
  const isAtClone = async (key: number): Promise<boolean> =>
    (await keeper.ask(key, 'get')).instance === clone;
  let free = 1_000;
  while (!(await isAtClone(free))) free++;
  const { outcome } = await keeper.ask(free, 'exit');
  assert.equal(outcome, 'failed');
  await keeper.app.until('replacement', () =>
    keeper.app.events.some(({ kind }) => kind === 'thread-replaced'),
  );
  assert.ok(await isAtClone(free));
  assert.deepEqual(await places(), [first]);
});

test('an instance that is full is not given more: the states stay where they are until there is room', async (t) => {
  const movable = keys.filter((key) => fateOf(key) === 'moves');
  const keeper = await startKeeper({ statesMax: movable.length });
  t.after(() => keeper.close());
  await keeper.all(movable, 'put');
  await keeper.type.add(clone);
  const states = (instance: number): number => keeper.type.sample(instance)?.states ?? -1;
  await keeper.app.until(
    'states at the clone',
    () => states(clone) > 20 && states(clone) + states(first) === movable.length,
  );
  const atClone = states(clone);
  // As many more as fit at the first one.
  const more: number[] = [];
  for (let key = 1_000; more.length < atClone; key += fates.length) {
    const { instance, outcome } = await keeper.ask(key, 'put');
    if (instance === first) more.push(key);
    else if (outcome === 'done') await keeper.ask(key, 'drop');
  }
  await keeper.type.drain(clone);
  assert.equal((await keeper.drain(clone, 300)).isOk, false);
  await keeper.app.until('report', () => states(first) === movable.length);
  assert.equal(states(clone), atClone, 'all of them are where they were');
  await keeper.all(more, 'drop');
  const drained = await keeper.drain(clone, 10_000);
  assert.ok(drained.isOk, JSON.stringify(drained));
  const answers = await keeper.all(movable, 'get');
  for (const [key, answer] of answers) {
    const { instance, state } = answer;
    assert.deepEqual({ instance, state }, { instance: first, state: `state ${key}` });
  }
  assert.deepEqual(
    keeper.app.logged.filter(({ level }) => level === 'error'),
    [],
  );
});

test('a type with one of exportState and importState, or with states that are not by key, is refused at start', async (t) => {
  t.after(() => {
    delete process.env.SHOAL_TEST_HALF;
  });
  const cases = [
    { state: 'keyed', handlers: ['exportState'], says: /returns exportState but no importState/ },
    { state: 'keyed', handlers: ['importState'], says: /returns importState but no exportState/ },
    { state: 'none', handlers: ['exportState', 'importState'], says: /only types with state: 'keyed'/ },
  ];
  for (const { says, ...half } of cases) {
    process.env.SHOAL_TEST_HALF = JSON.stringify(half);
    await assert.rejects(startApp('half-moving'), (error) => {
      assert.ok(error instanceof ShoalError && error.code === 'SHOAL_START_FAILED');
      assert.match(error.message, says);
      return true;
    });
  }
});
