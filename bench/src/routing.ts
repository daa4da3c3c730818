/**
 * Routing: nanoseconds a decision takes, by policy and number of endpoints; and the share of keys that move when an
 * endpoint joins and leaves.
 *
 * Measured: `router.choose` in a loop that draws keys from a list, on one thread, with the tables in the caches
 * they would have to share with an application; queue lengths are read from a shared array as they are in a
 * runtime. The loop with a router that does nothing is measured too and taken off. Not measured: what a decision
 * costs when its table has been pushed out of the caches, and contention for the shared lengths.
 */

import type { InstanceId, MachineId, RoutingPolicy } from 'shoal';
import { createRouter, type Router, type RouterContext, type RouterEndpoint } from 'shoal/internal/routing';
import { type BenchOptions, describeMachine, median, printTable, type Row, writeRows } from './report.ts';

const policies: readonly RoutingPolicy[] = [
  'shortest-queue',
  'keyed',
  'round-robin',
  'same-process',
  'same-machine-as-origin',
  'same-instance',
  'explicit',
  'all',
];
const sizes = [2, 16, 256];
const keyCount = 8_192;
const machine = 'machine-1' as MachineId;

/** Weyl sequence: distinct keys over the full 53 bits, the same in every run. */
const keys = Float64Array.from({ length: keyCount }, (_, i) => ((i + 1) * 5_579_830_417_489) % 2 ** 53);

function makeEndpoints(count: number, lengths: Int32Array): RouterEndpoint[] {
  return Array.from({ length: count }, (_, index) => ({
    instanceId: (index + 1) as InstanceId,
    machine,
    isLocalProcess: true,
    weight: 1 + (index % 3),
    isDraining: false,
    queueLength: () => Atomics.load(lengths, index),
  }));
}

/** xorshift32: cheap, so that the generator is not what is measured. */
function createRandom(): () => number {
  let state = 0x2545f491;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 0x1_0000_0000;
  };
}

/** A named instance is looked up; where all get it, the list of them is there, and its first is what there is to find. */
function asUsed(policy: RoutingPolicy, router: Router, instanceId: number): Router {
  if (policy === 'explicit') return { ...router, choose: () => router.indexOf(instanceId) };
  if (policy === 'all') return { ...router, choose: () => router.active[0] ?? -1 };
  return router;
}

/** Nanoseconds a decision, and the sum of all choices. */
function timeDecisions(router: Router, decisions: number): { ns: number; checksum: number } {
  let checksum = 0;
  const start = process.hrtime.bigint();
  for (let i = 0; i < decisions; i++) {
    checksum = (checksum + router.choose(keys[i & (keyCount - 1)] as number) + 1) | 0;
  }
  return { ns: Number(process.hrtime.bigint() - start) / decisions, checksum };
}

function measure(policy: RoutingPolicy, count: number, isBusy: boolean, decisions: number): Row {
  const lengths = new Int32Array(new SharedArrayBuffer(4 * count));
  for (let i = 0; i < count; i++) lengths[i] = isBusy ? 1 + ((i * 7) % 5) : 0;
  // The chain has met six instances, of which only the oldest is an endpoint: the longest search there is.
  const provenance = Float64Array.of(1, 90_001, 90_002, 90_003, 90_004, 90_005);
  const context: RouterContext = { originMachine: machine, provenance, provenanceLength: 6 };
  const endpoints = makeEndpoints(count, lengths);
  const startedAt = process.hrtime.bigint();
  const made = createRouter(policy, endpoints, createRandom(), context);
  const router = asUsed(policy, made, count);
  const buildMs = Number(process.hrtime.bigint() - startedAt) / 1e6;
  const nothing: Router = { ...router, choose: (flowKey) => (flowKey > 0 ? 0 : 1) };
  const rounds: number[] = [];
  let checksum = 0;
  timeDecisions(router, decisions);
  for (let round = 0; round < 5; round++) {
    const empty = timeDecisions(nothing, decisions);
    const full = timeDecisions(router, decisions);
    rounds.push(full.ns - empty.ns);
    checksum = full.checksum;
  }
  if (checksum === 0) throw new Error(`${policy} chose nothing`);
  const queues = isBusy ? 'busy' : 'idle';
  return {
    policy,
    endpoints: count,
    queues,
    nsPerDecision: Number(median(rounds).toFixed(2)),
    buildMs: Number(buildMs.toFixed(2)),
    checksum,
  };
}

/** Shares of keys that change their instance, in percent, with the least that any consistent routing needs. */
function measureMovement(policy: RoutingPolicy, count: number): Row {
  const lengths = new Int32Array(count + 1);
  const endpoints = makeEndpoints(count + 1, lengths).map((endpoint) => ({ ...endpoint, weight: 1 }));
  const context: RouterContext = { originMachine: machine, provenance: [], provenanceLength: 0 };
  const make = (some: RouterEndpoint[], previous?: Router): Router =>
    createRouter(policy, some, createRandom(), context, previous);
  const owners = (router: Router): number[] =>
    Array.from(keys, (key) => router.endpoints[router.choose(key)]?.instanceId ?? 0);
  const beforeRouter = make(endpoints.slice(0, count));
  const startedAt = process.hrtime.bigint();
  const joinedRouter = make(endpoints, beforeRouter);
  const updateMs = Number(process.hrtime.bigint() - startedAt) / 1e6;
  const before = owners(beforeRouter);
  const joined = owners(joinedRouter);
  const newcomer = endpoints[count]?.instanceId ?? 0;
  // The first endpoint leaves: only keys that it owned may move.
  const left = owners(make(endpoints.slice(1), joinedRouter));
  const percent = (n: number): number => Number(((100 * n) / keyCount).toFixed(2));
  return {
    policy,
    endpoints: count,
    joinMovedPercent: percent(joined.filter((owner, i) => owner !== before[i]).length),
    joinMovedElsewherePercent: percent(
      joined.filter((owner, i) => owner !== before[i] && owner !== newcomer).length,
    ),
    leaveMovedPercent: percent(left.filter((owner, i) => owner !== joined[i]).length),
    leaveMovedOfOthersPercent: percent(
      left.filter((owner, i) => owner !== joined[i] && joined[i] !== 1).length,
    ),
    leastPossiblePercent: Number((100 / (count + 1)).toFixed(2)),
    updateMs: Number(updateMs.toFixed(2)),
  };
}

/** For comparison: the hash modulo the number of endpoints, which moves nearly all keys. */
function moduloMovement(count: number): Row {
  const owners = (of: number): number[] => Array.from(keys, (key) => key % of);
  const small = owners(count);
  const large = owners(count + 1);
  const moved = large.filter((owner, i) => owner !== small[i]).length;
  const elsewhere = large.filter((owner, i) => owner !== small[i] && owner !== count).length;
  const percent = (n: number): number => Number(((100 * n) / keyCount).toFixed(2));
  return {
    policy: '(key modulo count)',
    endpoints: count,
    joinMovedPercent: percent(moved),
    joinMovedElsewherePercent: percent(elsewhere),
    leaveMovedPercent: percent(moved),
    leaveMovedOfOthersPercent: percent(elsewhere),
    leastPossiblePercent: Number((100 / (count + 1)).toFixed(2)),
    updateMs: 0,
  };
}

export async function routing(options: BenchOptions): Promise<void> {
  const decisions = options.tiny === true ? 1_000 : 2_000_000;
  process.stdout.write(`routing: ${JSON.stringify(describeMachine())}\n\n`);
  const speed = sizes.flatMap((count) =>
    policies.flatMap((policy) => {
      const readsQueues =
        policy === 'shortest-queue' ||
        policy.startsWith('same-process') ||
        policy === 'same-machine-as-origin';
      const states = readsQueues ? [false, true] : [false];
      return states.map((isBusy) => measure(policy, count, isBusy, decisions));
    }),
  );
  printTable(speed);
  process.stdout.write('\nKeys that move when one endpoint joins, and when one leaves:\n');
  const movement = sizes.flatMap((count) => [measureMovement('keyed', count), moduloMovement(count)]);
  printTable(movement);
  const wrong = movement.filter(
    (row) =>
      row.policy === 'keyed' &&
      Number(row.joinMovedElsewherePercent) + Number(row.leaveMovedOfOthersPercent) > 0,
  );
  if (wrong.length > 0) throw new Error('keys moved that had no reason to');
  writeRows(options.jsonFile, 'routing', [
    ...speed.map((row) => ({ kind: 'decision', ...row })),
    ...movement.map((row) => ({ kind: 'movement', ...row })),
  ]);
}
