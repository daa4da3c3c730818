import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { LabError } from '../lab-error.ts';
import { defaultSpec } from './default-spec.ts';
import { CORES_MIN, parseSpec } from './spec.ts';

const example = new URL('../../testbed.example.yaml', import.meta.url);

function faultsOf(text: string, cores = 2): string[] {
  try {
    parseSpec(text, 'lab.yaml', cores);
  } catch (error) {
    assert.ok(error instanceof LabError);
    return error.message.split('\n');
  }
  return assert.fail('the spec was taken');
}

test('the example file says what the default is', () => {
  const given = parseSpec(readFileSync(example, 'utf8'), 'example', 2);
  const plain = given.machines.map((machine) => ({ ...machine, sysctls: {} }));
  assert.deepEqual(plain, defaultSpec(9, 2).machines);
});

test('the default has a load balancer, three web and three database machines, a client and an attacker in two cores', () => {
  const { machines } = defaultSpec(undefined, 2);
  assert.deepEqual(
    machines.map(({ name }) => name),
    ['lb', 'web1', 'web2', 'web3', 'db1', 'db2', 'db3', 'client', 'attacker'],
  );
  assert.ok(machines.reduce((sum, { cores }) => sum + cores, 0) <= 2);
});

test('a default of any size fits the host, with no machine below the least quota', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 64 }), fc.integer({ min: 1, max: 64 }), (count, cores) => {
      let machines: ReturnType<typeof defaultSpec>['machines'];
      try {
        ({ machines } = defaultSpec(count, cores));
      } catch (error) {
        assert.ok(error instanceof LabError && count * CORES_MIN > (cores - 0.1) * 0.4);
        return;
      }
      assert.equal(new Set(machines.map(({ name }) => name)).size, count);
      assert.ok(machines.every((machine) => machine.cores >= CORES_MIN));
      assert.ok(machines.reduce((sum, machine) => sum + machine.cores, 0) <= cores);
    }),
  );
});

test('every fault of a spec is listed with its line and column', () => {
  const faults = faultsOf(
    [
      'machines:',
      '  - { name: Web, role: web, cores: 0.25, memoryMiB: 384 }',
      '  - { name: db, role: databse, cores: 0.01, memoryMiB: 384 }',
      '  - { name: x, role: web, cores: 0.5, memoryMiB: 64, color: red }',
      '  - { name: y, role: web, cores: 0.5 }',
    ].join('\n'),
  );
  assert.deepEqual(
    faults.map((fault) => fault.split(': ').slice(0, 2).join(' ')),
    [
      'lab.yaml:2:13 machines.0.name',
      'lab.yaml:3:23 machines.1.role',
      'lab.yaml:3:39 machines.1.cores',
      'lab.yaml:4:5 machines.2',
      'lab.yaml:5:5 machines.3.memoryMiB',
    ],
  );
});

test('a spec that wants more cores than there are is refused, unless it says overcommit', () => {
  const text = 'machines: [{ name: web, role: web, count: 5, cores: 0.5, memoryMiB: 64 }]';
  assert.match(faultsOf(text).join(), /add up to 2\.5 cores and this host has 2/);
  assert.equal(parseSpec(`overcommit: true\n${text}`, 'lab.yaml', 2).machines.length, 5);
});

test('names used twice and names that grow too long with their number are refused', () => {
  const faults = faultsOf(
    [
      'machines:',
      '  - { name: web, role: web, count: 2, cores: 0.1, memoryMiB: 64 }',
      '  - { name: web1, role: web, cores: 0.1, memoryMiB: 64 }',
      '  - { name: abcdefghijkl, role: web, count: 1, cores: 0.1, memoryMiB: 64 }',
    ].join('\n'),
  );
  assert.equal(faults.length, 2);
  assert.match(faults[0] ?? '', /lab\.yaml:3:.*two machines are named "web1"/);
  assert.match(faults[1] ?? '', /lab\.yaml:4:.*longer than 12/);
});

test('broken YAML, an empty file and JSON are told apart', () => {
  assert.match(faultsOf('machines: [').join(), /^lab\.yaml:1:/);
  assert.match(faultsOf('').join(), /^lab\.yaml:1:1: the file: /);
  const json = '{"machines":[{"name":"a","role":"web","cores":0.5,"memoryMiB":64}]}';
  assert.equal(parseSpec(json, 'lab.json', 2).machines[0]?.name, 'a');
});

test('settings outside of the network are refused: they would change the host', () => {
  const text = 'machines: [{ name: a, role: web, cores: 0.5, memoryMiB: 64, sysctls: { kernel.panic: 1 } }]';
  assert.match(faultsOf(text).join(), /only settings below net\. belong to one machine/);
});
