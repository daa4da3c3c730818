// The controller in a simulated cluster: the same core that runs live, in simulated time, the same run for the same seed.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ControllerPolicy, defaultPolicy, defaultRestart, type RestartPolicy } from '../model/index.ts';
import {
  type ClusterOptions,
  createSeededRandom,
  exponential,
  type LoadOutcomes,
  type Random,
  SimulatedCluster,
} from '../testing/index.ts';
import type { GiveUpReason } from '../wire/index.ts';
import { calmDoublingsMax, flapsFree } from './core/constants.ts';
import { deployment, graph, msu } from './fixture.ts';
import { ControllerCore, type Decision, renderDecision } from './index.ts';

const minuteMs = 60_000;

interface Run {
  readonly cluster: SimulatedCluster;
  readonly core: ControllerCore;
}

function control(options: ClusterOptions, epoch = 1): Run {
  const cluster = new SimulatedCluster(options);
  const core = new ControllerCore({ ...options, epoch, random: createSeededRandom(options.seed) });
  cluster.control(core);
  return { cluster, core };
}

/** An entry, and one type that does the work, on one machine. */
function oneType(
  seed: number,
  cores: number,
  options: {
    policy?: Partial<ControllerPolicy>;
    link?: ClusterOptions['link'];
    deadlineMs?: number;
    samplePeriodMs?: number;
  } = {},
): Run {
  const app = graph(
    [
      msu('io', { isEntry: true, execution: 'async', state: 'pinned' }),
      msu('work', { deadlineMs: options.deadlineMs ?? 0 }),
    ],
    ['io>work'],
  );
  return control({
    graph: app,
    deployment: deployment({ a: { main: [['io'], ['work']] } }, options),
    machines: { a: { cores } },
    seed,
    ...(options.link === undefined ? {} : { link: options.link }),
  });
}

function load(
  { cluster }: Run,
  name: string,
  ratePerSecond: (nowMs: number) => number,
  workMs: (random: Random) => number,
  via = 'work',
): LoadOutcomes {
  return cluster.addLoad({
    name,
    ratePerSecond,
    path: (random) => [
      { msu: 'io', workMs: 0.02 },
      { msu: via, workMs: workMs(random) },
    ],
  });
}

/** How often the controller cloned again what it had taken back. */
function reversals(decisions: readonly Decision[]): number {
  let count = 0;
  let isRemoved = false;
  for (const { operator, outcome } of decisions) {
    if (outcome === 'refused') continue;
    if (operator === 'remove') isRemoved = true;
    else if (isRemoved) {
      count++;
      isRemoved = false;
    }
  }
  return count;
}

const cloned = (decisions: readonly Decision[]): Decision[] =>
  decisions.filter(({ operator, outcome }) => operator === 'clone' && outcome !== 'refused');

function quantile(latencies: number[], q: number): number {
  const sorted = latencies.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? Number.NaN;
}

function assertAccounted(outcomes: LoadOutcomes, cluster: SimulatedCluster): void {
  const ended = outcomes.done + outcomes.expired + outcomes.refused + outcomes.lost;
  const held = ['io', 'work'].flatMap((name) => cluster.instances(name));
  const waiting = held.reduce((sum, instance) => sum + instance.queue.length + instance.inService, 0);
  assert.ok(
    outcomes.sent - ended >= 0 && outcomes.sent - ended <= waiting,
    `${outcomes.name}: every message ends once`,
  );
}

/** An honest load, and from `onsetMs` on an attack worth so many cores, in messages of about 100 ms. */
function runOnset(run: Run, onsetMs: number, cores: number): void {
  load(
    run,
    'honest',
    () => 50,
    () => 0.5,
  );
  load(
    run,
    'attack',
    (nowMs) => (nowMs > onsetMs ? cores * 10 : 0),
    (random) => 95 + 10 * random(),
  );
  run.cluster.run(onsetMs + 8_000);
}

for (const [cores, medianMaxMs] of [
  [1.3, 1_200],
  [3, 500],
] as const) {
  test(`at an onset worth ${cores} cores the first clone serves within ${medianMaxMs} ms (median of 31), never beyond two cores`, () => {
    const servingMs: number[] = [];
    for (let seed = 1; seed <= 31; seed++) {
      const run = oneType(seed, 2, { deadlineMs: 1_000 });
      const onsetMs = 8_000 + seed * 13;
      runOnset(run, onsetMs, cores);
      const first = cloned(run.core.decisions())[0];
      servingMs.push((first?.servingAtMs ?? Number.POSITIVE_INFINITY) - onsetMs);
      assert.ok(run.cluster.instances('work').length <= 2, 'one core is left, so there is one clone at most');
    }
    const medianMs = quantile(servingMs, 0.5);
    assert.ok(medianMs > 0 && medianMs <= medianMaxMs, `median ${Math.round(medianMs)} ms`);
  });
}

test('where samples are taken every half second, a clone serves within two seconds of an onset worth three cores, and no first one is refused', () => {
  for (let seed = 1; seed <= 31; seed++) {
    const samplePeriodMs = 500;
    const run = oneType(seed, 2, { samplePeriodMs, policy: { windowMs: samplePeriodMs } });
    const onsetMs = 20_000 + seed * 113;
    runOnset(run, onsetMs, 3);
    const [first] = run.core.decisions().filter(({ operator }) => operator === 'clone');
    assert.notEqual(first?.outcome, 'refused', renderDecision(first as Decision));
    const servingMs = (first?.servingAtMs ?? Number.POSITIVE_INFINITY) - onsetMs;
    assert.ok(servingMs <= 4 * samplePeriodMs, `seed ${seed}: ${Math.round(servingMs)} ms`);
  }
});

test('one slow message, with others waiting behind it, does not clone', () => {
  for (let seed = 1; seed <= 20; seed++) {
    const run = oneType(seed, 8);
    load(
      run,
      'honest',
      () => 60,
      () => 1,
    );
    // One message of 100 ms in two seconds.
    load(
      run,
      'slow',
      () => 0.5,
      () => 100,
    );
    run.cluster.run(30_000);
    assert.deepEqual(run.core.decisions().map(renderDecision), []);
  }
});

test('under steady load nothing that was taken back is cloned again in 20 minutes, whatever the load and the messages', () => {
  const kinds: Readonly<Record<string, readonly [number, number, (random: Random) => number]>> = {
    equal: [2, 10, () => 10],
    exponential: [5, 100, (random) => exponential(random, 100)],
    mixed: [5, 20.8, (random) => (random() < 0.2 ? 100 : 1)],
  };
  for (const [kind, [seeds, meanMs, workMs]] of Object.entries(kinds)) {
    for (const instancesWorth of [0.1, 0.35, 0.7, 1.3, 2.5, 6]) {
      for (let seed = 1; seed <= seeds; seed++) {
        const run = oneType(seed, 16);
        const outcomes = load(run, kind, () => (instancesWorth * 1_000) / meanMs, workMs);
        run.cluster.run(20 * minuteMs);
        const decisions = run.core.decisions();
        const what = `${kind} ${instancesWorth}, seed ${seed}: ${decisions.map(renderDecision).join('\n')}`;
        assert.equal(reversals(decisions), 0, what);
        // Bursts that come once in many minutes may ask for one more, and it stays.
        const late = decisions.filter(({ atMs, operator }) => atMs > 10 * minuteMs && operator === 'clone');
        assert.ok(late.length <= 1, what);
        assert.equal(outcomes.lost, 0, 'nobody loses a message by a reclaim');
        assertAccounted(outcomes, run.cluster);
      }
    }
  }
});

test('a new load gets within one of the best fixed count in at most two decisions', () => {
  const wrong: string[] = [];
  let runs = 0;
  for (const instancesWorth of [1.3, 2, 3, 4.5, 6]) {
    for (let seed = 1; seed <= 12; seed++) {
      const run = oneType(seed * 17, 24);
      load(
        run,
        'honest',
        () => 50,
        () => 1,
      );
      load(
        run,
        'more',
        (nowMs) => (nowMs > 5_000 ? instancesWorth * 100 : 0),
        () => 10,
      );
      run.cluster.run(10_000);
      const two = cloned(run.core.decisions()).slice(0, 2);
      const count = 1 + two.reduce((sum, { placements }) => sum + placements.length, 0);
      const best = Math.ceil((instancesWorth + 0.05) / 0.7);
      runs++;
      if (Math.abs(count - best) > 1) wrong.push(`seed ${seed}: ${count} instead of ${best}`);
    }
  }
  assert.equal(runs, 60);
  assert.deepEqual(wrong, []);
});

test('a quiet type whose short bursts come late is cloned, and far fewer are late', () => {
  const expiredShare = (isActive: boolean): number => {
    const run = oneType(3, 8, { deadlineMs: 100, policy: { isActive } });
    // About four messages of 40 ms at once, every half second: the queue is not there for a window, and some are late.
    const outcomes = load(
      run,
      'bursts',
      (nowMs) => (nowMs % 500 < 10 ? 400 : 0),
      () => 40,
    );
    run.cluster.run(minuteMs);
    const what = run.core.decisions().map(renderDecision).join('\n');
    assert.match(what, /against a deadline of 100 ms: \d+ of \d+ in [\d.]+ s were late/);
    return outcomes.expired / outcomes.sent;
  };
  const [without, withClones] = [expiredShare(false), expiredShare(true)];
  assert.ok(withClones < 0.3 * without, `${withClones} expire, and ${without} without clones`);
});

test('the count follows a load that rises, falls and rises, and no message is lost by it', () => {
  const run = oneType(5, 16);
  const steps = [0.3, 4, 1.2, 6, 0.3];
  const outcomes = load(
    run,
    'steps',
    (nowMs) => (steps[Math.floor(nowMs / (3 * minuteMs))] ?? 0.3) * 100,
    () => 10,
  );
  const counts = steps.map(() => {
    run.cluster.run(3 * minuteMs);
    return run.cluster.serving('work').length;
  });
  assert.equal(outcomes.lost, 0);
  const [first = 0, second = 0, third = 0, fourth = 0, fifth = 0] = counts;
  assert.equal(first, 1);
  assert.ok(second >= 5 && second <= 8, `${counts}`);
  assert.ok(third >= 2 && third <= 4, `${counts}`);
  assert.ok(fourth >= 8 && fourth <= 10, `${counts}`);
  assert.ok(fifth <= 2, `${counts}`);
  assertAccounted(outcomes, run.cluster);
});

test('nobody makes it flap: square waves of every period cause few reversals and bounded decisions', () => {
  for (const periodMs of [500, 1_000, 2_000, 5_000, 10_000, 20_000, 30_000, 45_000, 60_000]) {
    const run = oneType(3, 8, { deadlineMs: 1_000 });
    load(
      run,
      'honest',
      () => 50,
      () => 1,
    );
    load(
      run,
      'wave',
      (nowMs) => (nowMs % periodMs < periodMs / 2 ? 40 : 0),
      () => 100,
    );
    run.cluster.run(20 * minuteMs);
    const decisions = run.core.decisions();
    const what = `period ${periodMs} ms: ${decisions.map(renderDecision).join('\n')}`;
    assert.ok(reversals(decisions) <= 6, what);
    assert.ok(decisions.length <= 40, what);
    assert.ok(run.cluster.instances('work').length <= 8, what);
  }
});

/** Attacks that know the calm time: their rate over time, out of a seed. */
function evasiveAttack(seed: number): { readonly name: string; readonly rate: (nowMs: number) => number } {
  const random = createSeededRandom(seed);
  const { calmMs } = defaultPolicy;
  const pick = <T>(of: readonly T[]): T => of[Math.floor(random() * of.length)] as T;
  switch (seed % 3) {
    case 0: {
      const onMs = pick([1_000, 5_000, 20_000]);
      const offMs = calmMs + pick([-2_000, -100, 0, 100, 2_000, 5_000, 12_000]);
      return { name: `${onMs} on, ${offMs} off`, rate: (at) => (at % (onMs + offMs) < onMs ? 40 : 0) };
    }
    case 1: {
      const halfMs = pick([60_000, 150_000, 300_000]);
      return { name: `ramps of ${halfMs}`, rate: (at) => 40 * Math.abs(((at / halfMs) % 2) - 1) };
    }
    default: {
      let untilMs = 0;
      let isOn = false;
      const rate = (at: number): number => {
        for (; at >= untilMs; untilMs += 500 + (isOn ? 0.5 * calmMs : 2 * calmMs) * random()) isOn = !isOn;
        return isOn ? 40 : 0;
      };
      return { name: 'at random', rate };
    }
  }
}

test('whoever attacks in step with the calm time, or at random, gains little: few reversals, no harm to the honest', () => {
  for (let seed = 1; seed <= 15; seed++) {
    const under = (policy: Partial<ControllerPolicy>): { run: Run; failed: number; most: number } => {
      const run = oneType(seed, 8, { deadlineMs: 1_000, policy });
      const honest = load(
        run,
        'honest',
        () => 50,
        () => 1,
      );
      load(run, 'attack', evasiveAttack(seed).rate, () => 100);
      let most = 0;
      for (let minute = 0; minute < 20; minute++) {
        run.cluster.run(minuteMs);
        most = Math.max(most, run.cluster.instances('work').length);
      }
      assert.equal(honest.lost, 0);
      return { run, failed: (honest.expired + honest.refused) / honest.sent, most };
    };
    const { run, failed, most } = under({});
    const decisions = run.core.decisions();
    const what = `${evasiveAttack(seed).name}, seed ${seed}: ${decisions.map(renderDecision).join('\n')}`;
    assert.ok(most <= 8, `${most} instances on 8 cores; ${what}`);
    assert.ok(reversals(decisions) <= flapsFree + calmDoublingsMax, what);
    assert.ok(decisions.length <= 60, what);
    for (const { atMs } of decisions) {
      const minute = decisions.filter((other) => other.atMs >= atMs && other.atMs < atMs + minuteMs);
      assert.ok(minute.length <= 12, `${minute.length} decisions in a minute; ${what}`);
    }
    const kept = under({ calmMs: 20 * minuteMs });
    assert.ok(
      failed <= kept.failed + 0.001,
      `${failed} of the honest failed, ${kept.failed} without reclaims; ${what}`,
    );
  }
});

test('nobody makes it clone without bound: cores bound types that compute, the budget bounds the others', () => {
  const flooded = oneType(7, 4, { deadlineMs: 500 });
  load(
    flooded,
    'flood',
    () => 2_000,
    () => 20,
  );
  let most = 0;
  for (let second = 0; second < 120; second++) {
    flooded.cluster.run(1_000);
    most = Math.max(most, flooded.cluster.instances('work').length);
  }
  assert.ok(most >= 3 && most <= 4, `${most} on four cores`);
  const refusals = flooded.core.decisions().filter(({ outcome }) => outcome === 'refused');
  assert.ok(
    refusals.length >= 1 && refusals.length <= 2,
    'that it cannot be cloned further is said, and not at every tick',
  );
  assert.match(refusals[0]?.detail ?? '', /no free core|maximum/);

  const budgeted = oneType(7, 64, { policy: { clonesMax: 5 } });
  load(
    budgeted,
    'flood',
    () => 2_000,
    () => 20,
  );
  budgeted.cluster.run(minuteMs);
  assert.equal(budgeted.cluster.instances('work').length, 6);
  assert.ok(budgeted.core.decisions().some(({ detail }) => detail.includes('5 clones allowed')));
});

test('clones of CPU-bound types never exceed the cores that other programs leave free', () => {
  for (const otherCores of [0, 1, 2.5, 3.6]) {
    const run = oneType(11, 4);
    const machine = run.cluster.machines.get('a');
    assert.ok(machine !== undefined);
    machine.otherCores = otherCores;
    load(
      run,
      'flood',
      (nowMs) => (nowMs > 3_000 ? 500 : 0),
      () => 20,
    );
    run.cluster.run(30_000);
    const instances = run.cluster.instances('work').length;
    assert.ok(
      instances <= Math.max(1, Math.ceil(4 - otherCores)),
      `${instances} with ${otherCores} cores in use`,
    );
    if (otherCores <= 2.5)
      assert.ok(instances >= Math.floor(4 - otherCores), `${instances} with ${otherCores} in use`);
  }
});

test('lost, late, doubled reports and unreliable commands change how fast it acts, not what it comes to', () => {
  for (let seed = 1; seed <= 10; seed++) {
    const run = oneType(seed, 8, {
      link: {
        reportsLost: 0.1,
        reportsDoubled: 0.2,
        reportsLate: 0.1,
        commandsLost: 0.1,
        answersLost: 0.1,
        answersDoubled: 0.3,
      },
    });
    const outcomes = load(
      run,
      'work',
      (nowMs) => (nowMs > 3_000 && nowMs < 60_000 ? 300 : 20),
      () => 10,
    );
    run.cluster.run(50_000);
    const count = run.cluster.serving('work').length;
    assert.ok(
      count >= 4 && count <= 8,
      `seed ${seed}: ${count}\n${run.core.decisions().map(renderDecision).join('\n')}`,
    );
    assert.equal(outcomes.lost, 0);
    run.cluster.run(180_000);
    assert.ok(
      run.cluster.serving('work').length <= 2,
      `seed ${seed}: ${run.core.decisions().map(renderDecision).join('\n')}`,
    );
    assert.equal(outcomes.lost, 0);
    const view = run.core.view();
    assert.equal(view.types.find((type) => type.msu === 'work')?.serving, run.cluster.serving('work').length);
  }
});

test('a creation that fails is rolled back, logged, and tried again', () => {
  const run = oneType(2, 8);
  let failures = 2;
  run.cluster.commandFault = ({ body }) => (body.kind === 'add-instance' && failures-- > 0 ? 'fail' : null);
  load(
    run,
    'work',
    (nowMs) => (nowMs > 3_000 ? 150 : 20),
    () => 10,
  );
  run.cluster.run(15_000);
  const failed = run.core.decisions().find(({ outcome }) => outcome === 'failed' || outcome === 'partly');
  assert.ok(failed !== undefined);
  assert.match(failed.detail, /could not be created: start-failed/);
  assert.ok(failed.steps.some(({ text }) => text.startsWith('rolling back')));
  assert.ok(failed.steps.some(({ text }) => text.startsWith('removed')));
  assert.ok(run.cluster.serving('work').length >= 2, 'it is cloned in the end');
  const known = new Set(run.core.view().types.flatMap(({ instances }) => instances.map((i) => i.instanceId)));
  for (const instance of run.cluster.instances('work')) assert.ok(known.has(instance.instanceId));
});

test('what cannot be created is tried ever more rarely', () => {
  const run = oneType(2, 8);
  run.cluster.commandFault = ({ body }) => (body.kind === 'add-instance' ? 'fail' : null);
  load(
    run,
    'work',
    (nowMs) => (nowMs > 3_000 ? 150 : 20),
    () => 10,
  );
  run.cluster.run(3 * minuteMs);
  const failed = run.core.decisions().filter(({ outcome }) => outcome === 'failed');
  assert.ok(failed.length >= 4 && failed.length <= 9, `${failed.length} attempts in three minutes`);
});

test('a process that restarts in the middle of an order fails it once, however many instances it was to add', () => {
  const run = oneType(2, 16);
  load(
    run,
    'work',
    (nowMs) => (nowMs > 6_000 ? 300 : 20),
    () => 10,
  );
  run.cluster.run(2_000);
  const { decisionId, commands } = run.core.order({ operator: 'clone', msu: 'work', count: 6 }, 2_000);
  run.cluster.send(commands);
  run.cluster.at(2_005, () => {
    run.cluster.kill('a/main');
    run.cluster.restart('a/main');
  });
  run.cluster.run(8_000);
  assert.equal(run.core.decision(decisionId)?.outcome, 'failed');
  const what = run.core.decisions().map(renderDecision).join('\n');
  assert.ok(run.cluster.serving('work').length >= 4, `the load from 6 s on is cloned for\n${what}`);
});

test('a slow creation counts as capacity and is not ordered twice', () => {
  const run = oneType(2, 8);
  run.cluster.commandFault = ({ body }) => (body.kind === 'add-instance' ? { delayMs: 900 } : null);
  load(
    run,
    'work',
    (nowMs) => (nowMs > 3_000 ? 150 : 20),
    () => 10,
  );
  run.cluster.run(4_500);
  assert.equal(cloned(run.core.decisions()).length, 1, 'nothing is decided while a decision is under way');
  run.cluster.run(20_000);
  const count = run.cluster.serving('work').length;
  assert.ok(count >= 2 && count <= 5, `${count}`);
  const ids = run.cluster.instances('work').map(({ instanceId }) => instanceId);
  assert.equal(new Set(ids).size, ids.length);
});

test('a controller that is replaced in the middle of a clone leaves nothing half done', () => {
  for (const delayMs of [0, 1, 3, 9, 12, 20, 40]) {
    const run = oneType(4, 8);
    const outcomes = load(
      run,
      'work',
      (nowMs) => (nowMs > 3_000 ? 150 : 20),
      () => 10,
    );
    let replacement: ControllerCore | null = null;
    run.cluster.onCommand = ({ body }) => {
      if (body.kind !== 'add-instance' || replacement !== null) return;
      replacement = new ControllerCore({
        graph: graph(
          [msu('io', { isEntry: true, execution: 'async', state: 'pinned' }), msu('work')],
          ['io>work'],
        ),
        deployment: deployment({ a: { main: [['io'], ['work']] } }),
        epoch: 2,
        random: createSeededRandom(9),
      });
      run.cluster.at(run.cluster.now() + delayMs, () => run.cluster.control(replacement));
    };
    run.cluster.run(20_000);
    assert.ok(replacement !== null);
    const core: ControllerCore = replacement;
    const serving = run.cluster.serving('work');
    assert.ok(serving.length >= 2 && serving.length <= 5, `${serving.length} after ${delayMs} ms`);
    const routed =
      run.cluster.process('a/main').tables[0]?.endpoints.map((endpoint) => endpoint.instanceId) ?? [];
    assert.deepEqual(
      routed.toSorted((a, b) => a - b),
      serving.map((i) => i.instanceId).toSorted((a, b) => a - b),
      'every instance that serves is routed to, and no other',
    );
    assert.equal(outcomes.lost, 0);
    assert.ok(core.view().types[1]?.serving === serving.length);
  }
});

test('an older controller is fenced: its commands are refused, and it does nothing any more', () => {
  const run = oneType(4, 8);
  run.cluster.run(1_000);
  const app = {
    graph: graph([msu('io', { isEntry: true }), msu('work')], ['io>work']),
    deployment: deployment({ a: { main: [['io'], ['work']] } }),
  };
  run.cluster.control(new ControllerCore({ ...app, epoch: 2, random: createSeededRandom(1) }));
  run.cluster.run(1_000);
  run.cluster.control(run.core);
  run.cluster.run(1_000);
  assert.equal(run.core.isDeposed, true);
  assert.deepEqual(run.core.tick(run.cluster.now()), []);
});

/** Three machines: io everywhere, work on b and c. */
function threeMachines(seed: number): Run {
  const app = graph(
    [msu('io', { isEntry: true, execution: 'async', state: 'pinned', machines: ['a'] }), msu('work')],
    ['io>work'],
  );
  return control({
    graph: app,
    deployment: deployment({ a: { main: [['io']] }, b: { main: [['work']] }, c: { main: [['work']] } }),
    machines: { a: { cores: 4 }, b: { cores: 4 }, c: { cores: 4 } },
    seed,
  });
}

test('a machine that dies leaves the tables within 1.3 s, and its instances are placed anew', () => {
  const run = threeMachines(3);
  const outcomes = load(
    run,
    'work',
    () => 100,
    () => 5,
  );
  run.cluster.run(10_000);
  assert.equal(run.cluster.serving('work').length, 2);
  run.cluster.kill('c/main');
  const lostBefore = outcomes.lost;
  run.cluster.run(1_300);
  const endpoints = run.cluster.process('a/main').tables[0]?.endpoints ?? [];
  assert.ok(endpoints.every(({ machine }) => machine !== 'c'));
  assert.ok(outcomes.lost > lostBefore, 'until its silence was noticed, messages went there');
  run.cluster.run(3_000);
  assert.equal(run.cluster.serving('work').length, 2, run.core.decisions().map(renderDecision).join('\n'));
  const repair = run.core.decisions().find(({ operator }) => operator === 'add');
  assert.equal(repair?.cause.kind, 'below-count');
  const lostAfter = outcomes.lost;
  run.cluster.restart('c/main');
  run.cluster.run(40_000);
  assert.equal(outcomes.lost, lostAfter, 'its return costs nothing');
  assert.ok(run.cluster.serving('work').length <= 3);
});

test('a machine that is only cut off comes back with its instances', () => {
  const run = threeMachines(3);
  load(
    run,
    'work',
    () => 100,
    () => 5,
  );
  run.cluster.run(5_000);
  run.cluster.process('c/main').isCutOff = true;
  run.cluster.run(3_000);
  assert.equal(run.core.view().processes.find(({ machine }) => machine === 'c')?.status, 'dead');
  run.cluster.process('c/main').isCutOff = false;
  run.cluster.run(60_000);
  assert.equal(run.core.view().processes.find(({ machine }) => machine === 'c')?.status, 'alive');
  const routed = run.cluster.process('a/main').tables[0]?.endpoints.map(({ instanceId }) => instanceId) ?? [];
  assert.equal(routed.length, run.cluster.serving('work').length);
});

test('when nobody is heard, the controller blames itself and changes nothing', () => {
  const run = threeMachines(3);
  run.cluster.run(5_000);
  for (const process of run.cluster.processes.values()) process.isCutOff = true;
  run.cluster.run(10_000);
  assert.ok(run.core.view().processes.every(({ status }) => status === 'suspect'));
  assert.equal(run.core.view().types.find(({ msu: name }) => name === 'work')?.serving, 2);
  assert.deepEqual(run.core.decisions(), []);
});

test('an instance that its agent gives up is removed and replaced', () => {
  const run = threeMachines(8);
  load(
    run,
    'work',
    () => 50,
    () => 5,
  );
  run.cluster.run(3_000);
  const victim = run.cluster.serving('work')[0];
  assert.ok(victim !== undefined);
  run.cluster.loseInstance(victim);
  run.cluster.run(2_000);
  assert.equal(run.cluster.serving('work').length, 2);
  assert.ok(run.cluster.instances('work').every((instance) => instance !== victim));
  assert.deepEqual(
    run.core.decisions().map(({ operator, cause }) => `${operator}: ${cause.kind}`),
    ['remove: instance-lost', 'add: below-count'],
  );
});

test('what the restart policy does not bring back is not placed anew, and clones are still made of what is left', () => {
  const decided = (restart: Partial<RestartPolicy>, reason: GiveUpReason): [number, string[]] => {
    const app = graph(
      [
        msu('io', { isEntry: true, execution: 'async', state: 'pinned' }),
        msu('work', { restart: { ...defaultRestart, ...restart } }),
      ],
      ['io>work'],
    );
    const run = control({
      graph: app,
      deployment: deployment({ a: { main: [['io'], ['work'], ['work']] } }),
      machines: { a: { cores: 8 } },
      seed: 1,
    });
    load(
      run,
      'work',
      (nowMs) => (nowMs > 40_000 ? 300 : 20),
      () => 10,
    );
    run.cluster.run(10_000);
    const victim = run.cluster.serving('work')[0];
    assert.ok(victim !== undefined);
    run.cluster.loseInstance(victim, reason);
    run.cluster.run(8_000);
    const count = run.cluster.serving('work').length;
    const decisions = run.core.decisions().map(({ operator, cause }) => `${operator}: ${cause.kind}`);
    run.cluster.run(32_000);
    assert.ok(run.cluster.serving('work').length >= 4, 'overload is cloned for as always');
    return [count, decisions];
  };
  const removed = 'remove: instance-lost';
  const replaced = [2, [removed, 'add: below-count']];
  assert.deepEqual(decided({}, 'start-failed'), replaced);
  assert.deepEqual(decided({ kind: 'transient' }, 'start-failed'), replaced);
  assert.deepEqual(decided({ kind: 'transient' }, 'restart-kind'), [1, [removed]]);
  assert.deepEqual(decided({ kind: 'temporary' }, 'restart-kind'), [1, [removed]]);
  assert.deepEqual(decided({ intensity: 0 }, 'restart-intensity'), [1, [removed]]);
  assert.deepEqual(
    decided({ intensity: 3, periodMs: 10_000 }, 'restart-intensity'),
    [1, [removed]],
    'not yet',
  );
  assert.deepEqual(
    decided({ intensity: 3, periodMs: 5_000 }, 'restart-intensity'),
    replaced,
    'after a period',
  );
});

test('local dependencies come along, and where they cannot, nothing is placed', () => {
  const types = [
    msu('io', { isEntry: true, execution: 'async', state: 'pinned', machines: ['a'] }),
    msu('work', { dependencies: [{ msu: 'cache', locality: 'local' }] }),
    msu('cache', { execution: 'async' }),
  ];
  const run = control({
    graph: graph(types, ['io>work', 'work>cache:same-process']),
    deployment: deployment({ a: { main: [['io'], ['work'], ['cache']] }, b: { main: [] } }),
    machines: { a: { cores: 2 }, b: { cores: 8 } },
    seed: 1,
  });
  load(
    run,
    'work',
    (nowMs) => (nowMs > 2_000 ? 300 : 10),
    () => 10,
  );
  run.cluster.run(10_000);
  const onB = [...run.cluster.process('b/main').instances.values()].map((instance) => instance.msu.name);
  assert.ok(onB.filter((name) => name === 'work').length >= 2, `${onB}`);
  assert.equal(onB.filter((name) => name === 'cache').length, 1, 'one cache serves all of the process');
});

test('a pool that a type fills is relieved on another process, once on each, and never on the same', () => {
  const sessions = { name: 'sessions', limit: 10 };
  const app = graph(
    [
      msu('io', { isEntry: true, execution: 'async', state: 'pinned' }),
      msu('work', { execution: 'async', resources: [sessions] }),
    ],
    ['io>work'],
  );
  const run = control({
    graph: app,
    deployment: deployment({ a: { main: [['io'], ['work']], second: [] }, b: { main: [] } }),
    machines: { a: { cores: 8 }, b: { cores: 8 } },
    seed: 1,
  });
  for (const process of run.cluster.processes.values()) process.resourceLimits.set('sessions', 10);
  // Nine sessions in all, wherever they are; from 30 s on, one.
  const spread = (): void => {
    const serving = run.cluster.serving('work');
    const wanted = run.cluster.now() < 30_000 ? 9 : 1;
    for (const instance of serving) instance.resources = { sessions: wanted / serving.length };
    run.cluster.at(run.cluster.now() + 50, spread);
  };
  spread();
  const places = (): string[] => run.cluster.serving('work').map((instance) => instance.process.key);
  run.cluster.run(20_000);
  const what = run.core.decisions().map(renderDecision).join('\n');
  assert.deepEqual(places().sort(), ['a/main', 'a/second', 'b/main'], what);
  assert.match(what, /it uses up sessions \(a\/main: 90 % used, 100 % of it by this type\)/);
  run.cluster.run(60_000);
  assert.deepEqual(places(), ['a/main'], 'and taken back');
});

test('a resource that no clone here can relieve neither keeps a type from being cloned for its deadline, nor delays it', () => {
  const app = graph(
    [
      msu('io', { isEntry: true, execution: 'async', state: 'pinned' }),
      msu('work', { deadlineMs: 100, resources: [{ name: 'descriptors', limit: 0 }] }),
    ],
    ['io>work'],
  );
  const run = control({
    graph: app,
    deployment: deployment({ a: { main: [['io'], ['work']] } }),
    machines: { a: { cores: 8 } },
    seed: 3,
  });
  run.cluster.process('a/main').resourceLimits.set('descriptors', 1_000);
  for (const instance of run.cluster.serving('work')) instance.resources = { descriptors: 450 };
  const onsetMs = 10_100;
  load(
    run,
    'bursts',
    (nowMs) => (nowMs > onsetMs ? 200 : nowMs % 500 < 10 ? 400 : 0),
    () => 40,
  );
  run.cluster.run(10_000);
  const rules = run.core
    .decisions()
    .map(({ cause, outcome }) => [outcome, cause.kind === 'overload' ? cause.overload.rule : cause.kind]);
  assert.deepEqual(rules, [
    ['refused', 'limited-resource'],
    ['done', 'deadline'],
  ]);
  run.cluster.run(20_000);
  const [next] = cloned(run.core.decisions()).slice(1);
  assert.ok((next?.atMs ?? Number.NaN) - onsetMs < 500, 'nor does it keep it waiting when its queue grows');
});

test('people add, clone, move and remove by the same four operators', () => {
  const run = threeMachines(5);
  const outcomes = load(
    run,
    'work',
    () => 50,
    () => 5,
  );
  run.cluster.run(2_000);
  const order = (...args: Parameters<ControllerCore['order']>): Decision => {
    const { decisionId, commands } = run.core.order(...args);
    run.cluster.send(commands);
    run.cluster.run(1_000);
    const decision = run.core.decision(decisionId);
    assert.ok(decision !== undefined);
    return decision;
  };
  const now = (): number => run.cluster.now();
  const added = order({ operator: 'clone', msu: 'work', count: 2 }, now());
  assert.equal(added.outcome, 'done');
  assert.equal(run.cluster.serving('work').length, 4);
  const id = added.placements[0]?.instanceId;
  assert.ok(id !== undefined);
  const target = run.cluster.process('b/main').processName;
  const moved = order(
    { operator: 'reassign', instanceId: id, place: { process: target, machine: 'b' as never } },
    now(),
  );
  assert.equal(moved.outcome, 'done', moved.detail);
  assert.equal(run.cluster.serving('work').length, 4);
  const movedTo = moved.placements[0]?.instanceId;
  assert.ok(movedTo !== undefined && run.cluster.process('b/main').instances.has(movedTo));
  assert.equal(order({ operator: 'remove', instanceId: movedTo }, now()).outcome, 'done');
  assert.equal(run.cluster.serving('work').length, 3);
  run.cluster.run(2 * minuteMs);
  assert.equal(run.cluster.serving('work').length, 3, 'what people ordered is neither taken back nor mended');
  assert.equal(outcomes.lost, 0);
  assert.match(order({ operator: 'clone', msu: 'wrok' }, now()).detail, /has no type wrok; it has io, work/);
  assert.match(order({ operator: 'remove', instanceId: 999 as never }, now()).detail, /no instance 999/);
  const io = run.cluster.serving('io')[0]?.instanceId;
  assert.ok(io !== undefined);
  assert.match(order({ operator: 'remove', instanceId: io }, now()).detail, /must have at least 1/);
});

test('a recording of what came in, replayed, gives the same decisions and commands', () => {
  const seen: {
    readonly method: 'report' | 'heartbeat' | 'result' | 'tick';
    readonly input: unknown;
    readonly atMs: number;
  }[] = [];
  const run = oneType(6, 8, { link: { reportsLost: 0.05, answersDoubled: 0.2 } });
  const given: string[] = [];
  run.cluster.control({
    report: (report, atMs) => {
      seen.push({ method: 'report', input: structuredClone(report), atMs });
      return run.core.report(report, atMs);
    },
    heartbeat: (heartbeat, atMs) => {
      seen.push({ method: 'heartbeat', input: structuredClone(heartbeat), atMs });
      return run.core.heartbeat(heartbeat, atMs);
    },
    result: (result, atMs) => {
      seen.push({ method: 'result', input: structuredClone(result), atMs });
      return run.core.result(result, atMs);
    },
    tick: (atMs) => {
      seen.push({ method: 'tick', input: null, atMs });
      return run.core.tick(atMs);
    },
  });
  run.cluster.onCommand = (command) => given.push(JSON.stringify(command));
  load(
    run,
    'work',
    (nowMs) => (nowMs > 3_000 && nowMs < 20_000 ? 300 : 20),
    () => 10,
  );
  run.cluster.run(60_000);
  assert.ok(run.core.decisions().length >= 3);

  const app = graph(
    [msu('io', { isEntry: true, execution: 'async', state: 'pinned' }), msu('work')],
    ['io>work'],
  );
  const again = new ControllerCore({
    graph: app,
    deployment: deployment({ a: { main: [['io'], ['work']] } }),
    epoch: 1,
    random: createSeededRandom(6),
  });
  const repeated: string[] = [];
  const recording = JSON.parse(JSON.stringify(seen)) as typeof seen;
  for (const { method, input, atMs } of recording) {
    const commands = method === 'tick' ? again.tick(atMs) : again[method](input as never, atMs);
    for (const command of commands) repeated.push(JSON.stringify(command));
  }
  assert.deepEqual(again.decisions(), run.core.decisions());
  assert.deepEqual(repeated, given);
  assert.deepEqual(JSON.parse(JSON.stringify(again.view())), JSON.parse(JSON.stringify(run.core.view())));
});

/** A hundred machines, each with an entry and one instance of every one of nine types. */
const nineTypes = ['one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine'];

function thousandInstances(seed: number, options: Parameters<typeof deployment>[1]): Run {
  const types = [
    msu('io', { isEntry: true, execution: 'async', state: 'pinned', instancesMax: 100 }),
    ...nineTypes.map((name) => msu(name, { instancesMax: 400 })),
  ];
  const machines = Array.from({ length: 100 }, (_, index) => `m${index}`);
  const threads = [['io'], ...nineTypes.map((name) => [name])];
  return control({
    graph: graph(
      types,
      nineTypes.map((name) => `io>${name}`),
    ),
    deployment: deployment(Object.fromEntries(machines.map((name) => [name, { main: threads }])), options),
    machines: Object.fromEntries(machines.map((name) => [name, { cores: 16 }])),
    seed,
  });
}

/** The best fixed count for 150 instances' worth of work, by the default policy. */
const bestOf150 = Math.ceil(150 / 0.7);

test('of a thousand instances, a type with a new load gets within one of the best fixed count in at most two decisions', () => {
  const kinds: Readonly<Record<string, readonly [number, (random: Random) => number]>> = {
    equal: [20, () => 20],
    exponential: [10, (random) => exponential(random, 10)],
  };
  for (const [kind, [meanMs, workMs]] of Object.entries(kinds)) {
    for (let seed = 1; seed <= 2; seed++) {
      const run = thousandInstances(seed, { policy: { clonesMax: 500 } });
      for (const name of nineTypes) {
        const worth = (nowMs: number): number => (name !== 'five' ? 0.2 : nowMs > 4_000 ? 150 : 50);
        load(run, name, (nowMs) => (worth(nowMs) * 1_000) / meanMs, workMs, name);
      }
      run.cluster.run(minuteMs);
      const decisions = run.core.decisions();
      const what = `${kind}, seed ${seed}: ${decisions.map(renderDecision).join('\n')}`;
      const count = run.cluster.serving('five').length;
      assert.ok(Math.abs(count - bestOf150) <= 1, `${count}, best ${bestOf150}; ${what}`);
      assert.ok(decisions.length <= 2 && decisions.every(({ msu: name }) => name === 'five'), what);
    }
  }
});

test('a thousand instances on a hundred machines keep the right counts for 20 minutes of changing load', () => {
  const run = thousandInstances(42, {
    samplePeriodMs: 500,
    // Everything is five times as slow as by default: messages, windows, and what is to be worked off.
    policy: { windowMs: 1_500, drainTimeMs: 5_000, clonesMax: 500 },
  });
  // Half of what a hundred instances can do; three types get half as much again as they can do, for many minutes.
  const attacked = new Map([
    ['three', 1 * minuteMs],
    ['six', 1.5 * minuteMs],
    ['nine', 2 * minuteMs],
  ]);
  const outcomes = nineTypes.map((name) => {
    const fromMs = attacked.get(name) ?? Number.POSITIVE_INFINITY;
    return load(
      run,
      name,
      (nowMs) => (nowMs > fromMs && nowMs < 17 * minuteMs ? 300 : 100),
      () => 500,
      name,
    );
  });
  run.cluster.run(16.9 * minuteMs);
  const during = [...attacked.keys()].map((name) => run.cluster.serving(name).length);
  const before = run.core.decisions();
  run.cluster.run(4.1 * minuteMs);
  const decisions = run.core.decisions();
  const what = decisions.map(renderDecision).join('\n').slice(0, 4_000);
  // The messages of a second or two tell the load to one in twenty, those of ten minutes to one in four hundred.
  for (const count of during)
    assert.ok(Math.abs(count - bestOf150) <= 1, `${during}, best ${bestOf150}\n${what}`);
  for (const name of attacked.keys()) {
    const own = before.filter(({ msu: attackedName }) => attackedName === name);
    assert.ok(own.length <= 2, what);
  }
  assert.ok(
    decisions.every(({ msu: name }) => attacked.has(name)),
    what,
  );
  for (const name of attacked.keys()) {
    const own = decisions.filter(({ msu: attackedName }) => attackedName === name);
    assert.ok(cloned(own).length <= 2, what);
    assert.equal(reversals(own), 0, what);
  }
  for (const { lost, name } of outcomes) assert.equal(lost, 0, name);
  assert.ok(nineTypes.every((name) => run.cluster.serving(name).length >= 100));
});
