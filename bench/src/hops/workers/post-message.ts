/** Answers `[id, payload]` with `[id, answer]`; counts bare payloads and acknowledges every `ackEvery` of them. */
import { parentPort } from 'node:worker_threads';
import { answer, numberIn, type Payload } from '../payload.ts';

/** Messages that one acknowledgement stands for. */
export const ackEvery = 4_096;

if (parentPort !== null) {
  const port = parentPort;
  let received = 0;
  let checksum = 0;
  port.on('message', (message: [number, Payload] | Payload) => {
    if (Array.isArray(message)) {
      port.postMessage([message[0], answer(message[1])]);
      return;
    }
    checksum += numberIn(message);
    if (++received % ackEvery === 0) port.postMessage(checksum);
  });
}
