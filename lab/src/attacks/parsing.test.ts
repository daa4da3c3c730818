// The small readers of foreign text: kernel files, other programs' output, command lines.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { parsePhase, parseTarget } from './commands.ts';
import { parseSocketBytes } from './socket-bytes.ts';
import { hasDefaultRoute, isLoopback } from './target-guard.ts';
import { parseProcessStat } from './target-probe.ts';

test('a default route is told from others by its mask', () => {
  const header = 'Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n';
  const local = 'eth0\t00004D0A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n';
  const standard = 'eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n';
  assert.equal(hasDefaultRoute(header), false);
  assert.equal(hasDefaultRoute(header + local), false);
  assert.equal(hasDefaultRoute(header + local + standard), true);
});

test('loopback addresses are known, names and look-alikes are not', () => {
  for (const host of ['127.0.0.1', '127.8.8.8', '::1', 'localhost']) assert.ok(isLoopback(host));
  for (const host of ['127.evil.example', '128.0.0.1', '::2', 'localhost.example', ''])
    assert.ok(!isLoopback(host));
});

test('a process name with blanks and parentheses does not shift the fields of its stat', () => {
  const stat = '4242 (a (very) odd) name) S 17 1 1 0 -1 4194304 100 0 0 0 11 22 33 44 20 0 1 0 99 0 0';
  assert.deepEqual(parseProcessStat(stat), { parent: 17, cpuTicks: 110 });
  const own = parseProcessStat(readFileSync('/proc/self/stat', 'utf8'));
  assert.equal(own.parent, process.ppid);
});

test('bytes of sockets are read for the given processes only', () => {
  const line = (port: number, pid: number): string =>
    `0  0  127.0.0.1:${port} 127.0.0.1:8443 users:(("slowhttptest",pid=${pid},fd=4)) cubic bytes_sent:739 ` +
    'bytes_acked:740 bytes_received:1911 segs_out:8\n';
  assert.deepEqual(parseSocketBytes(line(4000, 7) + line(4001, 8), new Set([7])), [
    { local: '127.0.0.1:4000', sent: 739, received: 1911 },
  ]);
  assert.deepEqual(parseSocketBytes('', new Set([7])), []);
});

test('targets and phases are read from the command line, and nonsense is refused', () => {
  assert.deepEqual(parseTarget('127.0.0.1:8443'), { host: '127.0.0.1', port: 8443 });
  assert.deepEqual(parseTarget('[::1]:80'), { host: '::1', port: 80 });
  assert.deepEqual(parsePhase('2.5:10'), { shape: 'steady', rate: 2.5, durationMs: 10_000 });
  assert.deepEqual(parsePhase('1-100:60'), { shape: 'ramp', fromRate: 1, toRate: 100, durationMs: 60_000 });
  for (const wrong of ['', '8443', 'host:', '::1:80'])
    assert.throws(() => parseTarget(wrong), /Give host:port/);
  for (const wrong of ['', '5', '-1:5', '1-:5', '1:x'])
    assert.throws(() => parsePhase(wrong), /Give RATE:SECONDS/);
});
