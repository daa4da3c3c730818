// The guide's promise, tried: the same attack on the service before and after one function was isolated.
import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import autocannon from 'autocannon';

const isSource = import.meta.filename.endsWith('.ts');
const main = path.join(import.meta.dirname, isSource ? 'main.ts' : 'main.js');
const evil = `/search?q=${'a'.repeat(60)}!!`;

interface Service {
  readonly url: string;
  readonly log: string[];
  readonly child: ChildProcess;
}

async function start(which: 'before' | 'after'): Promise<Service> {
  const child = spawn(
    process.execPath,
    [...process.execArgv.filter((arg) => !arg.startsWith('--test')), main, which],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  const log: string[] = [];
  const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream });
  const url = await new Promise<string>((resolve, reject) => {
    lines.on('line', (line) => {
      if (line.startsWith('http://')) resolve(line);
      else log.push(line);
    });
    child.once('exit', (code) => reject(new Error(`the service ended with code ${code}`)));
  });
  return { url, log, child };
}

async function end(service: Service): Promise<void> {
  service.child.removeAllListeners('exit');
  const exited = once(service.child, 'exit');
  service.child.kill('SIGKILL');
  await exited;
}

/** The status of one request, or 'timeout'. */
async function probe(url: string, timeoutMs: number): Promise<number | 'timeout'> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(timeoutMs) });
    await response.arrayBuffer();
    return response.status;
  } catch {
    return 'timeout';
  }
}

function attack(url: string, seconds: number): Promise<autocannon.Result> {
  return autocannon({ url: url + evil, connections: 8, duration: seconds, timeout: 5 });
}

test('before: one request kills the event loop, and nobody is answered any more', async () => {
  const service = await start('before');
  try {
    assert.equal(await probe(`${service.url}/health`, 2_000), 200);
    const attacked = attack(service.url, 2);
    await new Promise((resolve) => setTimeout(resolve, 500));
    assert.equal(await probe(`${service.url}/health`, 2_000), 'timeout');
    await attacked;
  } finally {
    await end(service);
  }
});

test('after: the function is cloned and killed, attackers get 503, everybody else is served', async () => {
  const service = await start('after');
  try {
    const attacked = attack(service.url, 4);
    const health: (number | 'timeout')[] = [];
    for (let i = 0; i < 30; i++) {
      health.push(await probe(`${service.url}/health`, 2_000));
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    const { statusCodeStats, timeouts } = (await attacked) as autocannon.Result & {
      statusCodeStats: Record<string, { count: number }>;
    };
    assert.deepEqual([...new Set(health)], [200], 'every health check is answered');
    assert.deepEqual(Object.keys(statusCodeStats), ['503'], 'every attack request is answered with 503');
    assert.equal(timeouts, 0);
    assert.ok(
      service.log.some((line) => line.includes('run-limit-kill')),
      service.log.join('\n'),
    );
    // Calm again: honest searches work, as soon as what the attack left is worked off.
    let response = await fetch(`${service.url}/search?q=eel`);
    for (let i = 0; i < 50 && response.status !== 200; i++) {
      await response.arrayBuffer();
      await new Promise((resolve) => setTimeout(resolve, 200));
      response = await fetch(`${service.url}/search?q=eel`);
    }
    assert.deepEqual(await response.json(), { words: ['eel'] });
  } finally {
    await end(service);
  }
});

test('the change is at most 15 lines', () => {
  const source = path.resolve(import.meta.dirname, '..', 'src');
  let diff = '';
  try {
    execFileSync('diff', ['-w', path.join(source, 'before.ts'), path.join(source, 'after.ts')]);
  } catch (error) {
    diff = String((error as { stdout: Buffer }).stdout);
  }
  const changed = diff.split('\n').filter((line) => line.startsWith('>')).length;
  assert.ok(changed > 0 && changed <= 15, `${changed} lines`);
});
