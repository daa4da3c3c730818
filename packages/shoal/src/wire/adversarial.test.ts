import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { GraphMessage } from '../model/index.ts';
import { createCodec, DecodeError, payloadMemory } from './codec.ts';

const messages: GraphMessage[] = [
  { kind: 'bytes', fields: null },
  { kind: 'value', fields: null },
  { kind: 'connection', fields: null },
  { kind: 'record', fields: { a: 'string', b: 'bytes?', c: 'number', d: 'boolean', e: 'value?' } },
  { kind: 'record', fields: { only: 'boolean?' } },
  { kind: 'record', fields: {} },
];

/** Decodes what is not to be trusted: a value or a DecodeError, soon, and never a byte from outside. */
function decodeHostile(message: GraphMessage, bytes: Uint8Array): void {
  const surroundings = Buffer.alloc(bytes.length + 2_000, 0xc1);
  surroundings.set(bytes, 1_000);
  const startedAt = process.hrtime.bigint();
  try {
    createCodec(message).decode(payloadMemory(surroundings), 1_000, bytes.length);
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
  }
  const tookMs = Number(process.hrtime.bigint() - startedAt) / 1e6;
  assert.ok(tookMs < 1_000, `${tookMs} ms for ${bytes.length} bytes`);
}

test('random bytes are a value or a DecodeError', () => {
  fc.assert(fc.property(fc.constantFrom(...messages), fc.uint8Array({ maxLength: 400 }), decodeHostile), {
    numRuns: 3_000,
  });
});

const right = { a: 'text, text, text', b: Buffer.alloc(30, 7), c: 3.5, d: true, e: { list: [1, 'x', null] } };

test('a record that is cut short anywhere, or has bytes too many, is a DecodeError', () => {
  const message = messages[3] as GraphMessage;
  const codec = createCodec(message);
  const target = Buffer.alloc(1_000);
  const length = codec.encode(right, payloadMemory(target), 0, 1_000);
  for (let cut = 0; cut < length; cut++) {
    assert.throws(
      () => codec.decode(payloadMemory(target), 0, cut),
      DecodeError,
      `cut at ${cut} of ${length}`,
    );
  }
  assert.throws(() => codec.decode(payloadMemory(target), 0, length + 1), DecodeError);
});

test('a record with any bytes changed is a value or a DecodeError', () => {
  const message = messages[3] as GraphMessage;
  const target = Buffer.alloc(1_000);
  const length = createCodec(message).encode(right, payloadMemory(target), 0, 1_000);
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(length - 1), fc.nat(255)), { minLength: 1, maxLength: 6 }),
      (changes) => {
        const bytes = Buffer.from(target.subarray(0, length));
        for (const [at, byte] of changes) bytes[at] = byte;
        decodeHostile(message, bytes);
      },
    ),
    { numRuns: 3_000 },
  );
});

test('booleans and presences are 0 or 1, and nothing else', () => {
  const codec = createCodec({ kind: 'record', fields: { only: 'boolean?' } });
  assert.deepEqual(codec.decode(payloadMemory(Buffer.from([1, 1])), 0, 2), { only: true });
  assert.deepEqual(codec.decode(payloadMemory(Buffer.from([0])), 0, 1), {});
  assert.throws(() => codec.decode(payloadMemory(Buffer.from([1, 2])), 0, 2), DecodeError);
  assert.throws(() => codec.decode(payloadMemory(Buffer.from([2, 1])), 0, 2), DecodeError);
});

test('values that say they are enormous are refused without being made', () => {
  const claims = [
    [0xdd, 0xff, 0xff, 0xff, 0xff], // an array of 4 Gi
    [0xdf, 0xff, 0xff, 0xff, 0xff], // a map of 4 Gi
    [0xdb, 0xff, 0xff, 0xff, 0xff, 65], // a string of 4 GiB
    [0xc6, 0xff, 0xff, 0xff, 0xff, 1], // bytes of 4 GiB
    [0xc9, 0xff, 0xff, 0xff, 0xff, 0x74], // an extension of 4 GiB
    Array.from({ length: 5_000 }, () => 0x91), // nested 5,000 deep
  ];
  const value = createCodec({ kind: 'value', fields: null });
  const before = process.memoryUsage().rss;
  for (const claim of claims) {
    assert.throws(() => value.decode(payloadMemory(Buffer.from(claim)), 0, claim.length), DecodeError);
  }
  assert.ok(process.memoryUsage().rss - before < 200 * 2 ** 20);
});
