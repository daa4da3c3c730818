import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  type CoreTicks,
  idleShare,
  numberAfter,
  parseAllowedCores,
  parseCoreList,
  parseCoreTicks,
  parseDescriptorsMax,
  parseNetworkBytes,
  parseSchedstat,
  parseStat,
} from './parse.ts';

test('a thread whose name holds parentheses and blanks is read all the same', () => {
  const text =
    '77 (a) b (c)) S 1 2 3 0 -1 4194560 3055 237323 4 1 250 34 454 260 20 5 11 0 143152 5124096 928';
  assert.deepEqual(parseStat(text), { isRunnable: false, minorFaults: 3055, majorFaults: 4, cpuMs: 2_840 });
});

test('schedstat gives milliseconds on a core and milliseconds of waiting for one', () => {
  assert.deepEqual(parseSchedstat('24902919 21153728 85\n'), {
    cpuMs: 24.902919,
    runQueueWaitMs: 21.153728,
  });
});

test('texts that are not what the kernel documents give null, not wrong figures', () => {
  fc.assert(
    fc.property(fc.stringMatching(/^[a-z ():]*$/), (text) => {
      assert.equal(parseSchedstat(text), null);
      assert.equal(parseStat(text), null);
    }),
  );
});

test('a label is found at the start of a line only', () => {
  const status = 'voluntary_ctxt_switches:\t12\nnonvoluntary_ctxt_switches:\t345\n';
  assert.equal(numberAfter(status, 'voluntary_ctxt_switches:'), 12);
  assert.equal(numberAfter(status, 'nonvoluntary_ctxt_switches:'), 345);
  assert.equal(numberAfter(`Name:\tx\nnon${status}`, 'voluntary_ctxt_switches:'), -1);
  assert.equal(numberAfter(status, 'VmRSS:'), -1);
});

test('core lists are read with ranges and gaps', () => {
  assert.deepEqual(parseCoreList('0-3,8,10-11\n'), [0, 1, 2, 3, 8, 10, 11]);
  assert.deepEqual(parseCoreList(''), []);
  assert.deepEqual(
    parseAllowedCores('Cpus_allowed:\t3\nCpus_allowed_list:\t1,5-6\nMems_allowed:\t1\n'),
    [1, 5, 6],
  );
});

test('the descriptor limit is the soft one, and 0 stands for none', () => {
  const line = (soft: string): string =>
    `Max file size  unlimited unlimited bytes\nMax open files  ${soft}  4096 files\n`;
  assert.equal(parseDescriptorsMax(line('1024')), 1_024);
  assert.equal(parseDescriptorsMax(line('unlimited')), 0);
  assert.equal(parseDescriptorsMax(''), 0);
});

const procStat = `cpu  300 0 100 1000 50 0 5 45 0 0
cpu0 100 0 50 500 50 0 0 0 0 0
cpu1 200 0 50 500 0 0 5 45 0 0
intr 8092 0 4241
`;

test('time stolen by the hypervisor is neither idle nor lost from the total; waiting for a disk is idle', () => {
  assert.deepEqual(parseCoreTicks(procStat), [
    { core: 0, idle: 550, total: 700 },
    { core: 1, idle: 500, total: 800 },
  ]);
});

test('idle time counts only on the cores that this process may use', () => {
  const earlier = parseCoreTicks(procStat);
  const later: CoreTicks[] = [
    { core: 0, idle: 552, total: 710 },
    { core: 1, idle: 510, total: 810 },
  ];
  assert.equal(idleShare(earlier, later, new Set([0])), 0.2);
  assert.equal(idleShare(earlier, later, new Set([1])), 1);
  assert.equal(idleShare(earlier, later, new Set([0, 1])), 0.6);
  assert.equal(idleShare(earlier, earlier, new Set([0, 1])), null);
});

test('an idle share stays between 0 and 1 whatever the counters do, cores that come and go included', () => {
  const ticks = fc.uniqueArray(fc.record({ core: fc.nat(4), idle: fc.nat(1_000), total: fc.nat(2_000) }), {
    selector: (entry) => entry.core,
  });
  fc.assert(
    fc.property(ticks, ticks, (earlier, later) => {
      const share = idleShare(earlier, later, new Set([0, 1, 2, 3]));
      assert.ok(share === null || (share >= 0 && share <= 1));
    }),
  );
});

test('network bytes leave loopback out, and take names that touch their figures', () => {
  const text = `Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo: 1315486   10967    0    0    0     0          0         0  1315486   10967    0    0    0     0       0          0
  eth0:738799791   21849    0    0    0     0          0         0  2500527   15622    0    0    0     0       0          0
 veth1: 9 1 0 0 0 0 0 0 7 1 0 0 0 0 0 0
`;
  assert.deepEqual(parseNetworkBytes(text), { inBytes: 738_799_800, outBytes: 2_500_534 });
});
