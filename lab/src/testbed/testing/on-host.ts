import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { LabError } from '../../lab-error.ts';
import { hostObstacle } from '../host.ts';
import { startTestbed, type Testbed } from '../testbed.ts';
import { twoMachines } from './two-machines.ts';

/**
 * A test of something that needs a host with root and namespaces. On other hosts it is a test that a testbed is
 * refused there with the one sentence that says why.
 */
export function testOnHost(name: string, body: () => Promise<void>): void {
  void test(name, async () => {
    const obstacle = hostObstacle();
    if (obstacle === null) {
      await body();
      return;
    }
    assert.match(obstacle, /^The testbed needs [^\n]+\.$/);
    await assert.rejects(startTestbed({ spec: twoMachines }), new LabError(obstacle));
  });
}

/** A test with a testbed of two machines, which is closed at its end. */
export function testWithTestbed(name: string, body: (testbed: Testbed) => Promise<void>): void {
  testOnHost(name, async () => {
    const logFolder = mkdtempSync(path.join(tmpdir(), 'shoal-testbed-'));
    const testbed = await startTestbed({ spec: twoMachines, logFolder });
    try {
      await body(testbed);
    } finally {
      await testbed.close();
      rmSync(logFolder, { recursive: true });
    }
  });
}
