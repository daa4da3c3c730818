// One end of two lanes, an ordered and an unordered one, on a thread that a test kills.
import { parentPort, workerData } from 'node:worker_threads';
import { createCodec, Envelope } from '../../wire/index.ts';
import { doneCode, failedCode, type LaneMemory, LaneReader, LaneWriter } from '../lane.ts';

/** What the thread is started with. */
export interface LaneEndStart {
  readonly role: 'writer' | 'reader';
  readonly lanes: readonly LaneMemory[];
  /** Per lane and message: how often it was handled, and whether it was found as poison. */
  readonly handled: readonly SharedArrayBuffer[];
  readonly poison: readonly SharedArrayBuffer[];
  /** Words: 0: wait (0), run (1) or stop (2), set by the test; 1: messages whose payload was not theirs. */
  readonly control: SharedArrayBuffer;
  /** Messages a lane carries at most. */
  readonly messagesMax: number;
}

const start = workerData as LaneEndStart;
const control = new Int32Array(start.control);
const codec = createCodec({ kind: 'bytes', fields: null });
/** Messages of the unordered lane that are in service at a time. */
const concurrency = 3;

/** Most fit a slot, some need the spill area. */
function lengthOf(id: number): number {
  return id % 7 === 0 ? 150 + ((id * 37) % 3_000) : id % 100;
}

/** Waits while the test replaces the other end, so that the replacement gets the core. */
function isStopped(): boolean {
  Atomics.wait(control, 0, 0);
  return Atomics.load(control, 0) === 2;
}

function write(): void {
  const writers = start.lanes.map((lane) => new LaneWriter(lane));
  // The id of a message is its number in the lane plus one: the lane itself knows what was accepted.
  const heads = start.lanes.map((lane) => new Int32Array(lane.buffer));
  const envelope = new Envelope();
  let isFull = false;
  while (!isStopped()) {
    isFull = true;
    writers.forEach((writer, at) => {
      const id = Atomics.load(heads[at] as Int32Array, 0) + 1;
      if (id >= start.messagesMax) return;
      envelope.id = id;
      if (writer.write(envelope, codec, Buffer.alloc(lengthOf(id), id & 255)) === 'accepted') isFull = false;
    });
    if (isFull) Atomics.wait(control, 2, 0, 0.05);
  }
}

function handle(reader: LaneReader, at: number, index: number, id: number): void {
  const payload = reader.payload(index, codec) as Buffer;
  const isRight = payload.length === lengthOf(id) && payload.every((byte) => byte === (id & 255));
  if (!isRight) Atomics.add(control, 1, 1);
  (new Uint8Array(start.handled[at] as SharedArrayBuffer)[id] as number)++;
}

function recover(reader: LaneReader, at: number): void {
  const found = new Uint8Array(start.poison[at] as SharedArrayBuffer);
  const envelope = new Envelope();
  for (const place of reader.recover()) {
    reader.readHeader(place, envelope);
    found[envelope.id] = 1;
    reader.finishRecovered(place, failedCode('thread-lost'));
  }
}

function read(): void {
  const readers = start.lanes.map((lane) => new LaneReader(lane));
  readers.forEach(recover);
  const running: number[][] = [[], []];
  const envelope = new Envelope();
  for (;;) {
    let isEmpty = true;
    readers.forEach((reader, at) => {
      const own = running[at] as number[];
      const max = reader.memory.isOrdered ? 1 : concurrency;
      if (reader.poll() > 0 && own.length < max) {
        const index = reader.take(envelope);
        own.push(index);
        handle(reader, at, index, envelope.id);
      }
      if (own.length > 0 && (reader.waiting === 0 || own.length === max)) {
        reader.finish((own.length % 2 === 0 ? own.shift() : own.pop()) as number, doneCode);
      }
      if (reader.waiting > 0 || own.length > 0) isEmpty = false;
    });
    if (isStopped() && isEmpty) return;
    if (isEmpty) Atomics.wait(control, 2, 0, 0.05);
  }
}

parentPort?.postMessage('ready');
if (start.role === 'writer') write();
else read();
