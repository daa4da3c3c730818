import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LabError } from '../lab-error.ts';
import { parseTsungLog, tsungScenario } from './tsung.ts';

test("the totals are read from the last dump of Tsung's log", () => {
  const log = `# stats: dump at 1
stats: users 3 4
stats: 200 900 900
stats: connect 900 3.1 1.0 9.0 2.0 0 0
stats: request 900 51.0 1.2 60.0 50.1 0 0
# stats: dump at 2
stats: users_count 100 1001
stats: 200 100 1000
stats: connect 100 3.0 1.0 8.0 2.1 3.05 1000
stats: request 100 50.9 1.2 59.0 50.1 51.0 1000
`;
  assert.deepEqual(parseTsungLog(log), {
    visitors: 1_001,
    requests: 1_000,
    requestMeanMs: 51,
    connectMeanMs: 3.05,
    ok: 1_000,
  });
});

test('a log without requests is an error', () => {
  assert.throws(() => parseTsungLog('# stats: dump at 1\n'), LabError);
});

test('the scenario holds what was asked for', () => {
  const scenario = tsungScenario({
    host: '10.77.0.1',
    port: 443,
    visitorsPerSecond: 100,
    durationSeconds: 30,
  });
  assert.match(scenario, /host="10\.77\.0\.1" port="443" type="tcp"/);
  assert.match(scenario, /arrivalrate="100" unit="second"/);
  assert.match(scenario, /duration="30" unit="second"/);
});
