import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type App,
  connect,
  defineApp,
  defineMsu,
  type Reply,
  type RequestPort,
  requests,
  type StateKind,
  serves,
  stateKinds,
  value,
} from '../model/index.ts';
import { InstanceFloat } from './shared-block.ts';
import { startByHand } from './test-support/by-hand.ts';

const number = value<number>();

/** Adds what it is asked to what it holds of the key. */
function adder(state: StateKind): App {
  const counter = defineMsu({
    name: 'counter',
    state,
    in: { add: serves(number, number), forget: serves(number, value<boolean>()) },
    create: (context) => ({
      add: (amount, { flowKey }) => {
        const states = context.states<number>();
        const total = (states.get(flowKey) ?? 0) + amount;
        states.set(flowKey, total);
        return total;
      },
      forget: (_, { flowKey }) => context.states().delete(flowKey),
    }),
  });
  const driver = defineMsu({
    name: 'driver',
    out: { add: requests(number, number), forget: requests(number, value<boolean>()) },
    create: () => ({}),
  });
  return defineApp({
    name: 'adder',
    msus: [driver, counter],
    edges: [connect(driver.out.add, counter.in.add), connect(driver.out.forget, counter.in.forget)],
  });
}

test('an instance that holds statesMax states takes no further key, keeps what it holds, and goes on with it', async () => {
  const hand = await startByHand(adder('keyed'), [['driver'], ['counter']], { statesMax: 3 });
  const ask = (port: string, flowKey: number): unknown => {
    let answer: Reply<unknown> | undefined;
    hand.out<RequestPort<number, unknown>>('driver', port).ask(1, (reply) => (answer = reply), { flowKey });
    hand.run();
    hand.run();
    return answer?.outcome === 'done' ? answer.value : answer;
  };
  assert.deepEqual(
    [1, 2, 3].map((key) => ask('add', key)),
    [1, 1, 1],
  );
  assert.deepEqual(ask('add', 4), {
    outcome: 'failed',
    reason: 'handler-error',
    detail:
      "ShoalError: Instance 2 of 'counter' holds 3 states, its limit: delete some, or raise limits.statesMax.",
  });
  assert.deepEqual(
    [1, 2, 3].map((key) => ask('add', key)),
    [2, 2, 2],
  );
  assert.equal(hand.instance('counter').stats[InstanceFloat.states], 3);
  assert.equal(ask('forget', 2), true);
  assert.equal(ask('add', 4), 1);
});

test('the error of too many states has its code and its limit as facts', async () => {
  const hand = await startByHand(adder('keyed'), [['counter']], { statesMax: 1 });
  const states = hand.context('counter').states();
  states.set(7, 'x');
  assert.throws(() => states.set(8, 'y'), { code: 'SHOAL_STATES_FULL', facts: { limit: 1 } });
  states.set(7, 'z');
  assert.deepEqual([states.size, states.get(7), [...states.keys()]], [1, 'z', [7]]);
});

test('only keyed types have states', async () => {
  for (const state of stateKinds) {
    const hand = await startByHand(adder(state), [['counter']]);
    const context = hand.context('counter');
    if (state === 'keyed') assert.equal(context.states().size, 0);
    else
      assert.throws(() => context.states(), {
        code: 'SHOAL_BAD_CALL',
        message: new RegExp(`'counter' has the state '${state}'`),
      });
  }
});
