import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LabError } from '../lab-error.ts';
import { type Calibration, calibrate } from './calibrate.ts';
import { startAttack } from './start.ts';
import { type Target, withTarget } from './target/start-target.ts';
import { probeProcess } from './target-probe.ts';

const quick = { batches: 3, batchCpuSeconds: 0.2, loadCores: 0.4 } as const;

function calibrateRedos({ host, port, pid }: Target, length: number): Promise<Calibration> {
  const choice = { attack: 'redos', settings: { length }, host, port, tls: false } as const;
  return calibrate(choice, probeProcess(pid), quick);
}

test('each further letter of a redos text doubles its cost, and an attack of known strength burns the cores it is told to', () =>
  withTarget({ tls: false }, async (target) => {
    const [shorter, longer] = [await calibrateRedos(target, 20), await calibrateRedos(target, 22)];
    // The least of the batches, of several requests each, for now and then V8 drops a compiled pattern and interprets
    // it once, which costs nine times as much.
    const ratio = longer.cpuSecondsPerRequest.min / shorter.cpuSecondsPerRequest.min;
    assert.ok(ratio > 2 && ratio < 8, `two letters more cost ${ratio} times as much`);
    assert.ok(longer.attackerCpuPerTargetCpu < 0.5);

    const cpuSecondsPerRequest = longer.cpuSecondsPerRequest.median;
    const probe = probeProcess(target.pid);
    const attackOnce = async (): Promise<number> => {
      const before = probe.cpuSeconds();
      const attack = await startAttack({
        attack: 'redos',
        settings: { length: 22 },
        host: target.host,
        port: target.port,
        tls: false,
        strength: { cpuSecondsPerRequest },
        phases: [{ shape: 'steady', rate: 0.3, durationMs: 3000 }],
      });
      const { sent } = await attack.done;
      assert.ok(Math.abs(sent - 0.9 / cpuSecondsPerRequest) <= 1);
      return probe.cpuSeconds() - before;
    };
    let burnt = await attackOnce();
    // Interpreted patterns can take it beyond that (1.64 was seen), but hardly twice in a row.
    if (burnt >= 1.6) burnt = await attackOnce();
    assert.ok(burnt > 0.5 && burnt < 1.6, `burnt ${burnt} CPU s of 0.9`);
  }));

test('slowloris is found to hold a descriptor for each connection', () =>
  withTarget({ tls: false }, async ({ host, port, pid }) => {
    const choice = { attack: 'slowloris', host, port, tls: false } as const;
    const found = await calibrate(choice, probeProcess(pid), { ...quick, batches: 1, batchMsMax: 3000 });
    assert.ok(
      found.descriptorsPerRequest > 0.8 && found.descriptorsPerRequest < 1.5,
      String(found.descriptorsPerRequest),
    );
  }));

test('a mixed attack, and a target that is not there, cannot be calibrated', async () => {
  const probe = probeProcess(process.pid);
  const mixed = { attack: 'mixed', host: '127.0.0.1', port: 1 } as const;
  await assert.rejects(calibrate(mixed, probe), /calibrate each of its members/);
  const nobody = { attack: 'redos', host: '127.0.0.1', port: 1, tls: false } as const;
  await assert.rejects(calibrate(nobody, probe), (error: Error) => {
    assert.ok(error instanceof LabError);
    return /refused or broke off 5 of 5 requests/.test(error.message);
  });
  await assert.rejects(calibrate(nobody, probeProcess(2 ** 22 - 1)), /There is no process 4194303/);
});
