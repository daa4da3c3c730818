/** The hostile request: a text that burns about `hostileCostMs` in the service's pattern, found by trying. */
import { readFileSync } from 'node:fs';
import { request } from 'node:https';
import os from 'node:os';
import { Worker } from 'node:worker_threads';
import { LabError } from '../lab-error.ts';
import { hostileCostMs, type Plan } from './plan.ts';
import type { DemoServer } from './servers.ts';

/** A run of letters that costs a little; any number of them cost so much more. */
const block = `${'a'.repeat(16)}+`;
/** The first requests compile the pattern, and say how long the text is to be. */
const warmUpMs = 500;
/** Texts longer than the service takes would be refused, not searched. */
const blocksMax = 240;
/** Found, when so close, with each further try so much less close: how many are sent goes by what it burns. */
const tolerance = 0.2;
const triesMax = 4;

export interface HostileText {
  /** Path and query of the request. */
  readonly path: string;
  readonly characters: number;
  /** CPU of the server process that one request burns, milliseconds, as measured in the mean. */
  readonly costMs: number;
}

/** CPU time of a process so far, in milliseconds: of all its threads that live. */
function cpuMs(pid: number): number {
  // utime and stime are in ticks of 10 ms; schedstat of the main thread is exact, and the monolith has one.
  const [spent] = readFileSync(`/proc/${pid}/task/${pid}/schedstat`, 'utf8').split(' ');
  return Number(spent) / 1e6;
}

function get(port: number, path: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const sent = request(
      { host: '127.0.0.1', port, path, rejectUnauthorized: false, agent: false, timeout: 10_000 },
      (response) => {
        response.resume();
        response.on('end', () => resolve(response.statusCode ?? 0));
      },
    );
    sent.on('error', reject);
    sent.end();
  });
}

/**
 * What a request burns in the mean, measured for so long, one after the other: what the attack is worth is how many come
 * times that. (On a busy host the same request burned 102 ms or 185, for seconds at a time, as the two virtual cores were
 * two cores' threads or one core's.)
 */
async function costOf(server: DemoServer, path: string, forMs: number): Promise<number> {
  const endsAt = performance.now() + forMs;
  const before = cpuMs(server.pid);
  let count = 0;
  do {
    const status = await get(server.port, path);
    if (status !== 200) throw new LabError(`A search was answered ${status}: it cannot be calibrated.`);
    count++;
  } while (performance.now() < endsAt);
  return (cpuMs(server.pid) - before) / count;
}

/** What a thread does that keeps a core busy: the same as a hostile request, for ever. */
const burner = `for (;;) /^(a+)+$/.test('${'a'.repeat(24)}!');`;

/**
 * Does something while all cores but one are busy, as they are under an attack: two virtual cores are often one core's
 * two threads, and each of them is then half as fast as alone.
 */
async function whileCoresAreBusy<T>(run: () => Promise<T>): Promise<T> {
  const burners = Array.from(
    { length: os.availableParallelism() - 1 },
    () => new Worker(burner, { eval: true }),
  );
  try {
    return await run();
  } finally {
    await Promise.all(burners.map((worker) => worker.terminate()));
  }
}

/** What a request with the text burns now, in a monolith process that does nothing else: machines change their speed. */
export function costNow(monolith: DemoServer, { path }: HostileText, { measuringMs }: Plan): Promise<number> {
  return whileCoresAreBusy(async () => {
    await costOf(monolith, path, warmUpMs);
    return costOf(monolith, path, measuringMs);
  });
}

/** Grows the text until one request burns what it is to burn, in a monolith process that does nothing else. */
export function findHostileText(monolith: DemoServer, plan: Plan): Promise<HostileText> {
  return whileCoresAreBusy(() => growText(monolith, plan));
}

async function growText(monolith: DemoServer, { measuringMs }: Plan): Promise<HostileText> {
  const pathOf = (blocks: number): string => `/search?q=${block.repeat(blocks)}`;
  let blocks = 20;
  const fit = (costMs: number): void => {
    blocks = Math.min(blocksMax, Math.max(1, Math.round((blocks * hostileCostMs) / costMs)));
  };
  await costOf(monolith, pathOf(blocks), warmUpMs);
  fit(await costOf(monolith, pathOf(blocks), warmUpMs));
  for (let tries = 0; tries < triesMax; tries++) {
    const path = pathOf(blocks);
    const costMs = await costOf(monolith, path, measuringMs);
    const isClose = Math.abs(costMs / hostileCostMs - 1) <= tolerance * (tries + 1);
    if (isClose || (blocks === blocksMax && costMs > hostileCostMs / 2))
      return { path, characters: blocks * block.length, costMs };
    fit(costMs);
  }
  throw new LabError(`No text was found that costs about ${hostileCostMs} ms: the machine is too restless.`);
}
