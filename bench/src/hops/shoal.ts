/** Shoal's own rows: the app of `shoal-app.ts` in four placements, and `isolate`. */
import { BroadcastChannel } from 'node:worker_threads';
import { isolate } from 'shoal';
import { type InitialThread, startRuntime } from 'shoal/internal/runtime';
import { askBy, sessionOf } from './drive.ts';
import { makePayloads, type Payload, type PayloadKind } from './payload.ts';
import type { Command, OnChannel } from './shoal-app.ts';
import type { HopSession, HopSystem, RoundTrips, Throughput } from './system.ts';
import { workerFile } from './worker-file.ts';

let channels = 0;
/** A result that is so late will not come: something failed in the app, and was logged. */
const overdueMs = 10_000;

function thread(name: string, ...instances: string[]): InitialThread {
  return { name, core: -1, nice: 0, scheduling: 'fifo', instances };
}

async function openApp(
  payload: PayloadKind,
  where: HopSystem['where'],
  kind: HopSystem['kind'],
): Promise<HopSession> {
  const channelName = `shoal-hops-${process.pid}-${++channels}`;
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  const appUrl = new URL(`./shoal-app.${extension}`, import.meta.url);
  const sockets = where === 'cross-thread-sockets' ? '1' : '0';
  appUrl.search = new URLSearchParams({ payload, sockets, channel: channelName }).toString();
  const channel = new BroadcastChannel(channelName);
  const placed =
    where === 'same-thread'
      ? [thread('both', 'caller', 'answer')]
      : [thread('caller', 'caller'), thread('answer', 'answer')];
  const runtime = await startRuntime({
    appUrl,
    threads: [thread('control', 'control'), ...placed],
    spareThreads: 0,
    // Many idle runtimes share this process with the systems that are being measured.
    samplePeriodMs: 1_000,
    log: (level, text) => {
      if (level === 'error') process.stderr.write(`${text}\n`);
    },
  });
  const run = <T extends RoundTrips | Throughput>(command: Command): Promise<T> =>
    new Promise((resolve, reject) => {
      const overdue = setTimeout(
        () => reject(new Error(`no result of ${command.what} (${where})`)),
        command.durationMs + overdueMs,
      );
      // Typed loosely by Node.
      channel.onmessage = (event: unknown) => {
        const { data } = event as { data: OnChannel };
        if (data.to !== 'bench') return;
        clearTimeout(overdue);
        resolve(data.result as T);
      };
      const message: OnChannel = { to: 'app', command };
      channel.postMessage(message);
    });
  return {
    roundTrips:
      kind === 'one-way' ? null : (durationMs) => run<RoundTrips>({ what: 'round-trips', durationMs }),
    throughput: (durationMs) =>
      run<Throughput>({ what: kind === 'one-way' ? 'one-way' : 'throughput', durationMs }),
    close: async () => {
      await runtime.close();
      channel.close();
    },
  };
}

function placement(name: string, where: HopSystem['where'], kind: HopSystem['kind'] = 'request'): HopSystem {
  return { name, system: 'shoal', kind, where, open: (payload) => openApp(payload, where, kind) };
}

export const shoalSystems: readonly HopSystem[] = [
  placement('shoal, both on one thread', 'same-thread'),
  placement('shoal, parked threads', 'cross-thread'),
  placement('shoal, sockets on the caller’s thread', 'cross-thread-sockets'),
  placement('shoal, parked threads, one way', 'cross-thread', 'one-way'),
  {
    name: 'shoal, isolate',
    system: 'shoal',
    kind: 'request',
    where: 'cross-thread-sockets',
    open: async (kind) => {
      // As with the others, there is one worker, and nothing is refused for being late.
      const options = { instancesMax: 1, deadlineMs: 0 };
      const answer = await isolate<(payload: Payload) => Payload>(workerFile('piscina'), options);
      return sessionOf(askBy(answer), makePayloads(kind), () => answer.close());
    },
  },
];
