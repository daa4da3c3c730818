// The guide's promise, tried: the same attack on the service before and after one function was isolated.
import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpus } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import autocannon from 'autocannon';

const isSource = import.meta.filename.endsWith('.ts');
const main = path.join(import.meta.dirname, isSource ? 'main.ts' : 'main.js');
const evil = `/search?q=${'a'.repeat(60)}!!`;
/** An attack ends by itself after so long. */
const attackMaxSeconds = 60;

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

/** The log tells of a clone, and of a call that ran over its limit on the clone's thread: it has served. */
function wasCloned(log: readonly string[]): boolean {
  const cloned = log.findIndex((line) => /clone function function#\d+ on .* → serving after/.test(line));
  const served = /thread-lost: thread (spare|clone)-\d+ was ended: it ran over its limit/;
  return cloned !== -1 && log.slice(cloned).some((line) => served.test(line));
}

/** Milliseconds of all cores, and those of them in which they had nothing to do. */
function cpuTimes(): { all: number; idle: number } {
  let all = 0;
  let idle = 0;
  for (const { times } of cpus()) {
    all += times.user + times.nice + times.sys + times.irq + times.idle;
    idle += times.idle;
  }
  return { all, idle };
}

function idleShare(since: { all: number; idle: number }): number {
  const { all, idle } = cpuTimes();
  return (idle - since.idle) / (all - since.all);
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

interface Attack {
  stop(): void;
  readonly result: Promise<autocannon.Result & { statusCodeStats: Record<string, { count: number }> }>;
}

/** Goes on until it is stopped. */
function attack(url: string): Attack {
  let stop = (): void => {};
  const result = new Promise((resolve, reject) => {
    const options = { url: url + evil, connections: 8, duration: attackMaxSeconds, timeout: 5 };
    const running = autocannon(options, (error, figures) => (error ? reject(error) : resolve(figures)));
    stop = () => running.stop();
  });
  return { stop, result: result as Attack['result'] };
}

test('before: one request kills the event loop, and nobody is answered any more', async () => {
  const service = await start('before');
  try {
    assert.equal(await probe(`${service.url}/health`, 2_000), 200);
    const attacked = attack(service.url);
    await new Promise((resolve) => setTimeout(resolve, 500));
    assert.equal(await probe(`${service.url}/health`, 2_000), 'timeout');
    attacked.stop();
    await attacked.result;
  } finally {
    await end(service);
  }
});

test('after: the function is killed and, where a core is free, cloned; attackers get 503, honest searches pass them', async () => {
  const service = await start('after');
  try {
    const attacked = attack(service.url);
    const health: (number | 'timeout')[] = [];
    const searches: Promise<number | 'timeout'>[] = [];
    const before = cpuTimes();
    // The attack goes on until a clone has had its share of it.
    const endsAt = performance.now() + attackMaxSeconds * 1_000;
    while (performance.now() < endsAt && !(health.length >= 30 && wasCloned(service.log))) {
      health.push(await probe(`${service.url}/health`, 2_000));
      searches.push(probe(`${service.url}/search?q=eel`, 5_000));
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    attacked.stop();
    const { statusCodeStats, timeouts } = await attacked.result;
    const log = service.log.join('\n');
    assert.deepEqual([...new Set(health)], [200], 'every health check is answered');
    const served = (await Promise.all(searches)).filter((status) => status === 200).length;
    assert.ok(served > searches.length / 2, `of ${searches.length} honest searches ${served} were served`);
    assert.deepEqual(Object.keys(statusCodeStats), ['503'], 'every attack request is answered with 503');
    assert.equal(timeouts, 0);
    assert.match(log, /run-limit-kill: 'function' ran \d+ ms, its limit is 200 ms/);
    if (!wasCloned(service.log)) {
      // Only cores that others keep busy excuse that; with one free, half of two would be idle.
      assert.ok(idleShare(before) < 0.25, log);
      assert.match(log, /wants 2, has 1 → refused: not cloned: no free core/);
    }
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
