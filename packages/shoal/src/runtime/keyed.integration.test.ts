import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ThreadId } from '../model/index.ts';
import type { InstanceSample } from '../wire/index.ts';
import { exitChannel } from './test-apps/keyed.ts';
import { KeyedType, thread } from './test-apps/keyed-type.ts';
import { id, startApp, type TestRuntime, unaccounted } from './test-apps/start.ts';

/** Edge ids, in the order in which the app connects. */
const edgeTo = { sessions: 0, counters: 1 } as const;

/** Instances of one type under load. */
class Type extends KeyedType {
  readonly #app: TestRuntime;
  readonly #msu: string;

  constructor(app: TestRuntime, msu: keyof typeof edgeTo, first: number) {
    super(app, msu, edgeTo[msu], first);
    this.#app = app;
    this.#msu = msu;
  }

  async clone(instance: number, on?: ThreadId): Promise<void> {
    await this.add(instance, on);
    await this.#app.until(`work of ${this.#msu} ${instance}`, () => {
      const sample = this.sample(instance);
      return sample !== undefined && sample.done > 30 && sample.states > 0;
    });
  }

  /** Answers its last sample, of when nothing was left there. */
  async takeBack(instance: number): Promise<InstanceSample> {
    await this.drain(instance);
    const drained = await this.#app.command({
      kind: 'drain-instance',
      instanceId: id(instance),
      drainMaxMs: 20_000,
    });
    assert.ok(drained.isOk, JSON.stringify(drained));
    const { sequence } = this.#app.last();
    const last = await this.#app.until('report', () => {
      return this.#app.last().sequence > sequence && this.sample(instance);
    });
    assert.equal(last.states, 0, `${this.#msu} ${instance} ends empty`);
    await this.remove(instance);
    return last;
  }
}

const sum = (samples: readonly InstanceSample[], name: string): number =>
  samples.reduce((total, sample) => total + (sample.counters[name] ?? 0), 0);

/** Feeders stop, what they have sent ends, and all of it is compared with what was sent. */
async function finish(
  app: TestRuntime,
  gone: readonly InstanceSample[],
  feeders: readonly number[],
): Promise<void> {
  for (const instance of feeders) {
    const drained = await app.command({
      kind: 'drain-instance',
      instanceId: id(instance),
      drainMaxMs: 20_000,
    });
    assert.ok(drained.isOk, JSON.stringify(drained));
  }
  await app.until('rest', () => {
    return app.last().instances.every(({ queueLength, inService }) => queueLength + inService === 0);
  });
  await app.runtime.close();
  assert.deepEqual(unaccounted(app.last()), []);
  const all = [...app.last().instances, ...gone];
  assert.equal(sum(all, 'disorder'), 0, 'numbers of a key follow each other');
  assert.equal(sum(all, 'fresh'), 0, 'no key begins in its middle');
  assert.equal(sum(all, 'partial'), 0);
  assert.equal(sum(all, 'twice'), 0, 'no state comes to where there is one');
  assert.equal(sum(all, 'imported'), sum(all, 'exported'));
  assert.ok(sum(all, 'whole') > 20);
  assert.equal(sum(all, 'taken'), sum(all, 'sent'), 'every message of a session was handled, once');
  assert.equal(sum(all, 'done'), sum(all, 'asked'), 'every request was answered');
  for (const reason of ['failed', 'shed'] as const)
    for (const sample of all) assert.deepEqual(sample[reason], {}, `${sample.msu} ${sample.instanceId}`);
  const totals = app.logged.filter(({ fields }) => String(fields.name).startsWith('counters '));
  const counted = totals.reduce((total, { fields }) => total + Number(fields.total), 0);
  assert.equal(counted, sum(all, 'asked'), 'the states add up to what was asked');
  const warned = app.logged.filter(({ level }) => level === 'warn' || level === 'error');
  assert.deepEqual(
    warned.map(({ text }) => text).filter((text) => !text.startsWith('thread-')),
    [],
  );
}

const placements = {
  'another thread': [thread('f', 'feeder'), thread('k', 'sessions', 'counters')],
  'the thread of the instances and another': [
    thread('k', 'feeder', 'sessions', 'counters'),
    thread('f', 'feeder'),
  ],
};

for (const [where, threads] of Object.entries(placements)) {
  test(`keys move to clones and back under load from ${where}: in order, each handled once, none lost`, async (t) => {
    const app = await startApp('keyed', { threads });
    t.after(() => app.runtime.close());
    await app.until('load', () => app.instances('counters').some(({ states }) => states > 100));
    const ids = (msu: string): number[] => app.instances(msu).map(({ instanceId }) => instanceId);
    const [ofSessions = 0, ofCounters = 0] = [...ids('sessions'), ...ids('counters')] as number[];
    const sessions = new Type(app, 'sessions', ofSessions);
    const counters = new Type(app, 'counters', ofCounters);
    const gone: InstanceSample[] = [];
    const home = app.instances('counters')[0]?.threadId;

    await Promise.all([sessions.clone(101), counters.clone(201)]);
    await app.until('existing keys at the clone', () => (counters.sample(201)?.counters.imported ?? 0) > 50);
    // Beside the first on its thread, and once more before all has settled.
    await Promise.all([sessions.clone(102, home), counters.clone(202, home), counters.clone(203)]);
    gone.push(...(await Promise.all([sessions.takeBack(101), counters.takeBack(201)])));
    // The first ones may go as well: nothing is special about them.
    gone.push(...(await Promise.all([sessions.takeBack(ofSessions), counters.takeBack(ofCounters)])));
    gone.push(await counters.takeBack(203));
    await finish(app, gone, ids('feeder'));
  });
}

test('when a thread with keys is lost, the keys elsewhere do not notice, and those on it begin anew', async (t) => {
  const app = await startApp('keyed', {
    threads: [thread('f', 'feeder'), thread('g', 'feeder'), thread('k', 'sessions', 'counters')],
  });
  t.after(() => app.runtime.close());
  const exits = new BroadcastChannel(exitChannel);
  t.after(() => exits.close());
  await app.until('load', () => app.instances('counters').some(({ states }) => states > 100));
  const [first = 0] = app.instances('counters').map(({ instanceId }) => instanceId) as number[];
  const counters = new Type(app, 'counters', first);
  await counters.clone(201);
  // While keys move on to a third.
  const cloned = counters.clone(202);
  const states = app.instances('counters').reduce((total, sample) => total + sample.states, 0);
  exits.postMessage(201);
  await cloned;
  await app.until('replacement', () => app.events.some(({ kind }) => kind === 'thread-replaced'));
  const done = app.instances('counters').reduce((total, sample) => total + sample.done, 0);
  await app.until(
    'work',
    () => app.instances('counters').reduce((n, sample) => n + sample.done, 0) > done + 500,
  );
  // Removed keys go to those that are left, whatever has died before.
  const gone = [await counters.takeBack(202)];
  for (const { instanceId } of app.instances('feeder'))
    await app.command({ kind: 'drain-instance', instanceId, drainMaxMs: 20_000 });
  await app.runtime.close();
  assert.deepEqual(unaccounted(app.last()), []);
  const all = [...app.last().instances, ...gone];
  // The one message that was in service there failed, perhaps on its way to where its key is.
  const disorder = sum(all, 'disorder');
  assert.ok(disorder <= 1, `${disorder} gaps`);
  assert.equal(sum(all, 'twice'), 0);
  // Each of two feeders numbers the messages of a key; a good half of the keys was elsewhere.
  const fresh = sum(all, 'fresh');
  assert.ok(fresh > 0 && fresh < 2 * 0.75 * states, `${fresh} sequences of ${states} keys began anew`);
});
