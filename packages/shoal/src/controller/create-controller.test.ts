import assert from 'node:assert/strict';
import { test } from 'node:test';
import { instanceId } from '../model/index.ts';
import { createSeededRandom, SimulatedCluster } from '../testing/index.ts';
import { deployment, graph, msu } from './fixture.ts';
import { type Controller, createController, type Decision } from './index.ts';

interface Live {
  readonly cluster: SimulatedCluster;
  readonly controller: Controller;
  readonly lines: string[];
}

function live(isActive = true): Live {
  const options = {
    graph: graph(
      [msu('io', { isEntry: true, execution: 'async', state: 'pinned' }), msu('work')],
      ['io>work'],
    ),
    deployment: deployment({ a: { main: [['io'], ['work']] } }, { policy: { isActive } }),
    machines: { a: { cores: 8 } },
    seed: 1,
  };
  const cluster = new SimulatedCluster(options);
  const lines: string[] = [];
  const controller = createController({
    ...options,
    bus: cluster.bus(),
    clock: cluster,
    epoch: 1,
    random: createSeededRandom(1),
    log: (line) => lines.push(line),
  });
  cluster.addLoad({
    name: 'work',
    ratePerSecond: (nowMs) => (nowMs > 2_000 && nowMs < 20_000 ? 200 : 20),
    path: () => [
      { msu: 'io', workMs: 0.02 },
      { msu: 'work', workMs: 10 },
    ],
  });
  return { cluster, controller, lines };
}

/** Lets the simulation go on until the order is over. */
async function settle(cluster: SimulatedCluster, order: Promise<Decision>): Promise<Decision> {
  let decision: Decision | null = null;
  void order.then((answer) => (decision = answer));
  for (let i = 0; i < 200 && decision === null; i++) await cluster.runLive(50);
  assert.ok(decision !== null, 'every order comes to an end');
  return decision;
}

test('the first tables go out with the first report, version 1, with what the deployment runs', async () => {
  const { cluster, controller } = live();
  await cluster.runLive(110);
  const table = cluster.process('a/main').tables[0];
  assert.equal(table?.version, 1);
  assert.deepEqual(
    table?.endpoints.map((endpoint) => endpoint.instanceId),
    [2],
  );
  assert.deepEqual(controller.decisions(), []);
  await controller.close();
});

test('an overload is cloned for, logged when it is decided and when it serves, explained, and taken back', async () => {
  const { cluster, controller, lines } = live();
  await cluster.runLive(6_000);
  const count = cluster.serving('work').length;
  assert.ok(count >= 3 && count <= 4, `${count}`);
  assert.match(lines[0] ?? '', /^2\.\d+ s \[1\] clone work work#3 on a\/main.*never empty.*under way$/);
  assert.match(lines[1] ?? '', /→ serving after \d+ ms$/);
  assert.match(
    controller.explain('work'),
    new RegExp(`^work: ${count} serving \\(1 from the start, ${count - 1} added since\\)`),
  );
  assert.match(controller.explain('work#3'), /It is there because of: .* clone work/);
  assert.match(controller.explain('2'), /It runs since the start/);
  assert.match(controller.explain('wrok'), /no type or instance wrok\. Types: io, work\./);
  await cluster.runLive(60_000);
  assert.equal(cluster.serving('work').length, 1);
  assert.match(controller.explain('work#3'), /not there any more/);
  assert.ok(
    lines.some((line) => /remove work #\d, because for 20/.test(line)),
    lines.join('\n'),
  );
  JSON.parse(JSON.stringify({ view: controller.view(), decisions: controller.decisions() }));
  await controller.close();
});

test("people's orders resolve with what came of them", async () => {
  const { cluster, controller } = live();
  await cluster.runLive(500);
  const clone = await settle(cluster, controller.clone('work'));
  assert.equal(clone.outcome, 'done');
  assert.ok(clone.servingAtMs !== null);
  const id = clone.placements[0]?.instanceId ?? instanceId(0);
  const process = cluster.process('a/main').processName;
  const moved = await settle(cluster, controller.reassign(id, { process }));
  assert.equal(moved.outcome, 'done');
  assert.deepEqual(moved.removes, [id]);
  assert.equal(cluster.serving('work').length, 2);
  const added = await settle(cluster, controller.add('work', { process }));
  assert.equal(added.outcome, 'done');
  const removed = await settle(cluster, controller.remove(added.placements[0]?.instanceId ?? instanceId(0)));
  assert.equal(removed.outcome, 'done');
  const refused = await controller.clone('work', 0);
  assert.equal(refused.outcome, 'refused');
  assert.match(refused.detail, /0 is no count/);
  const nowhere = await controller.add('work', { process: 'b' as never });
  assert.match(nowhere.detail, /no process is called b; there are a\/main/);
  await controller.close();
});

test('told to observe only, it says once what it would do, and does nothing but route', async () => {
  const { cluster, controller, lines } = live(false);
  await cluster.runLive(10_000);
  assert.equal(cluster.instances('work').length, 1);
  assert.equal(lines.length, 1);
  assert.match(lines[0] ?? '', /refused: not cloned: the policy says to observe only/);
  await controller.close();
});

test('a closed controller sends nothing, and open orders resolve as they stand', async () => {
  const { cluster, controller } = live();
  await cluster.runLive(500);
  const order = controller.clone('work');
  await controller.close();
  assert.equal((await order).outcome, 'running');
  let commands = 0;
  cluster.onCommand = () => commands++;
  await cluster.runLive(5_000);
  assert.equal(commands, 0);
});

test('an order to a controller that is closed, or that a newer one has replaced, is refused at once', async () => {
  const closed = live();
  await closed.cluster.runLive(500);
  await closed.controller.close();
  let commands = 0;
  closed.cluster.onCommand = () => commands++;
  const refused = await settle(closed.cluster, closed.controller.clone('work'));
  assert.equal(refused.outcome, 'refused');
  assert.match(refused.detail, /this controller is closed/);
  assert.equal(commands, 0);

  const old = live();
  await old.cluster.runLive(500);
  old.cluster.process('a/main').epoch = 2;
  const open = old.controller.clone('work');
  await old.cluster.runLive(500);
  const asItStands = await settle(old.cluster, open);
  assert.equal(asItStands.outcome, 'running', 'nothing more will come of it here');
  const later = await settle(old.cluster, old.controller.clone('work'));
  assert.equal(later.outcome, 'refused');
  assert.match(later.detail, /a newer controller has taken over/);
  await old.controller.close();
});
