/** Node's own channel between threads, with the least that a program must add to it. */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { type Ask, sessionOf } from './drive.ts';
import { makePayloads, type Payload, type PayloadKind, payloadCount } from './payload.ts';
import type { HopSession, HopSystem, Throughput } from './system.ts';
import { workerFile } from './worker-file.ts';
import { ackEvery } from './workers/post-message.ts';

async function startWorker(): Promise<Worker> {
  const worker = new Worker(workerFile('post-message'));
  await once(worker, 'online');
  return worker;
}

export const postMessageRequest: HopSystem = {
  name: 'postMessage, replies matched by number',
  system: 'postMessage',
  kind: 'request',
  where: 'cross-thread',
  open: async (kind) => {
    const worker = await startWorker();
    const waiting = new Map<number, (reply: Payload) => void>();
    let lastId = 0;
    worker.on('message', ([id, reply]: [number, Payload]) => {
      const onReply = waiting.get(id);
      waiting.delete(id);
      onReply?.(reply);
    });
    const ask: Ask = (payload, onReply) => {
      const id = ++lastId;
      waiting.set(id, onReply);
      worker.postMessage([id, payload]);
    };
    return sessionOf(ask, makePayloads(kind), () => worker.terminate());
  },
};

/** Batches not yet acknowledged while more is sent. */
const batchesAhead = 2;

export const postMessageOneWay: HopSystem = {
  name: 'postMessage, one way',
  system: 'postMessage',
  kind: 'one-way',
  where: 'cross-thread',
  open: async (kind: PayloadKind): Promise<HopSession> => {
    const worker = await startWorker();
    const payloads = makePayloads(kind);
    const sendBatch = (): void => {
      for (let i = 0; i < ackEvery; i++) worker.postMessage(payloads[i % payloadCount]);
    };
    const throughput = (durationMs: number): Promise<Throughput> =>
      new Promise((resolve) => {
        const startMs = performance.now();
        let sent = batchesAhead;
        let acknowledged = 0;
        worker.on('message', function onAck(checksum: number) {
          acknowledged++;
          if (performance.now() - startMs < durationMs) {
            sent++;
            sendBatch();
          } else if (acknowledged === sent) {
            worker.off('message', onAck);
            const seconds = (performance.now() - startMs) / 1_000;
            resolve({ perSecond: (acknowledged * ackEvery) / seconds, checksum });
          }
        });
        for (let i = 0; i < batchesAhead; i++) sendBatch();
      });
    return {
      roundTrips: null,
      throughput,
      close: async () => {
        await worker.terminate();
      },
    };
  },
};
