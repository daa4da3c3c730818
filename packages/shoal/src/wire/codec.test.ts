import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import fc from 'fast-check';
import type { GraphMessage } from '../model/index.ts';
import { type Codec, createCodec, EncodeError, payloadMemory } from './codec.ts';

/** Encodes where there is just enough room, and checks that not a byte less would do. */
export function roundTrip(codec: Codec, value: unknown): unknown {
  const target = Buffer.alloc(70_000, 0xee);
  const memory = payloadMemory(target);
  const length = codec.encode(value, memory, 5, 65_000);
  assert.ok(length >= 0);
  assert.ok(target.subarray(0, 5).every((byte) => byte === 0xee));
  assert.ok(target.subarray(5 + length).every((byte) => byte === 0xee));
  if (length > 0) {
    const tight = Buffer.alloc(length + 64, 0xee);
    assert.equal(codec.encode(value, payloadMemory(tight), 0, length - 1), -1);
    assert.ok(
      tight.subarray(length - 1).every((byte) => byte === 0xee),
      'nothing is written past the limit',
    );
    assert.equal(codec.encode(value, payloadMemory(tight), 0, length), length);
  }
  const decoded = codec.decode(memory, 5, length);
  target.fill(0);
  return decoded;
}

// Lone surrogates have no UTF-8 and become U+FFFD, as everywhere in Node.
const text = fc
  .oneof(
    fc.string({ maxLength: 200 }),
    fc.string({ unit: 'binary', maxLength: 60 }),
    // Characters of several bytes after some, and before some, of one.
    fc
      .tuple(
        fc.string({ maxLength: 20 }),
        fc.string({ unit: 'binary', maxLength: 1 }),
        fc.string({ maxLength: 9 }),
      )
      .map((parts) => parts.join('')),
  )
  .map((s) => s.toWellFormed?.() ?? Buffer.from(s).toString());
const binary = fc.uint8Array({ maxLength: 300 });
const number = fc.double();
const date = fc.date({ noInvalidDate: true, min: new Date(-1e12), max: new Date(4e12) });
/** What survives MessagePack as it is. */
const anyValue = fc.anything({
  withBigInt: false,
  withSet: true,
  withNullPrototype: false,
  withObjectString: false,
  withSparseArray: false,
  withTypedArray: false,
  key: fc.string({ maxLength: 8 }).filter((key) => key !== '__proto__'),
  // MessagePack has no negative zero.
  values: [fc.boolean(), fc.integer(), fc.double().map((n) => n + 0), text, fc.constant(null), date],
  maxDepth: 3,
});

test('bytes come back as they were, and share no memory with what they came in', () => {
  const codec = createCodec({ kind: 'bytes', fields: null });
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 5_000 }), (bytes) => {
      assert.deepEqual(roundTrip(codec, bytes), Buffer.from(bytes));
    }),
    { numRuns: 200 },
  );
});

test('values come back as they were', () => {
  const codec = createCodec({ kind: 'value', fields: null });
  fc.assert(
    fc.property(anyValue, (value) => {
      assert.deepEqual(roundTrip(codec, value), value);
    }),
    { numRuns: 500 },
  );
});

const fieldArbitrary = {
  number,
  boolean: fc.boolean(),
  string: text,
  bytes: binary.map((bytes) => Buffer.from(bytes)),
  value: anyValue.filter((value) => value !== undefined),
};
type Kind = keyof typeof fieldArbitrary;
const kinds = Object.keys(fieldArbitrary) as Kind[];

const recordCase = fc
  .uniqueArray(
    fc.record({
      name: fc.string({ minLength: 1, maxLength: 6 }).filter((name) => name !== '__proto__'),
      kind: fc.constantFrom(...kinds),
      isOptional: fc.boolean(),
      isPresent: fc.boolean(),
    }),
    { selector: (field) => field.name, maxLength: 8 },
  )
  .chain((fields) => {
    const present = fields.filter((field) => !field.isOptional || field.isPresent);
    const values: Record<string, fc.Arbitrary<unknown>> = {};
    for (const field of present) values[field.name] = fieldArbitrary[field.kind];
    const message: GraphMessage = {
      kind: 'record',
      fields: Object.fromEntries(
        fields.map((field) => [field.name, field.isOptional ? (`${field.kind}?` as const) : field.kind]),
      ),
    };
    return fc.record({ message: fc.constant(message), value: fc.record(values) });
  });

test('records of any fields come back as they were, absent fields absent', () => {
  fc.assert(
    fc.property(recordCase, ({ message, value }) => {
      assert.deepEqual(roundTrip(createCodec(message), value), { ...value });
    }),
    { numRuns: 500 },
  );
});

test('names are only names, whatever characters are in them, and fields keep their order', () => {
  const names = [
    'a-b',
    '0x',
    'constructor',
    '"',
    '\\',
    '`$`',
    '\n',
    '\u2028',
    'at',
    'size',
    'record',
    '*/',
    '}',
  ];
  const fields = Object.fromEntries(
    names.map((name, i) => [name, i % 3 === 1 ? ('number?' as const) : ('number' as const)]),
  );
  const value = Object.fromEntries(names.map((name, i) => [name, i]));
  const decoded = roundTrip(createCodec({ kind: 'record', fields }), value) as Record<string, number>;
  assert.deepEqual(Object.entries(decoded), Object.entries(value));
});

test('where Node may not make code, the error says so', () => {
  const url = new URL(import.meta.url.endsWith('.ts') ? './codec.ts' : './codec.js', import.meta.url).href;
  const script = `const { createCodec } = await import(${JSON.stringify(url)});
    createCodec({ kind: 'value', fields: null });
    try { createCodec({ kind: 'record', fields: { a: 'number' } }); }
    catch ({ code, message }) { process.stdout.write(code + ' ' + message); }`;
  const flags = process.execArgv.filter((flag) => !flag.startsWith('--test'));
  const { stdout, stderr } = spawnSync(
    process.execPath,
    [...flags, '--disallow-code-generation-from-strings', '--input-type=module', '--eval', script],
    { encoding: 'utf8' },
  );
  assert.match(stdout, /^SHOAL_START_FAILED .*start it without --disallow-code-generation/, stderr);
});

test('a connection keeps everything that tells it from another', () => {
  const sent = {
    descriptor: 17,
    inode: 2 ** 40 + 3,
    remoteAddress: '2001:db8::1',
    remotePort: 65_535,
    localAddress: '127.0.0.1',
    localPort: 443,
  };
  assert.deepEqual(roundTrip(createCodec({ kind: 'connection', fields: null }), sent), sent);
});

test('a value of the wrong shape is an EncodeError that names the field', () => {
  const target = Buffer.alloc(1_000);
  const record = createCodec({ kind: 'record', fields: { a: 'number', b: 'string?' } });
  const wrong: [Codec, unknown, RegExp][] = [
    [createCodec({ kind: 'bytes', fields: null }), 'text', /type string/],
    [createCodec({ kind: 'bytes', fields: null }), null, /null/],
    [record, null, /null/],
    [record, { a: '1' }, /'a'.*number.*string/],
    [record, {}, /'a'.*undefined/],
    [record, { a: 1, b: null }, /'b'.*null/],
    [record, { a: 1, b: [1] }, /'b'.*an array/],
  ];
  for (const [codec, value, message] of wrong) {
    assert.throws(
      () => codec.encode(value, payloadMemory(target), 0, 1_000),
      (error) => error instanceof EncodeError && message.test(error.message),
    );
  }
});

test('a value that MessagePack cannot hold is an EncodeError too, and the next one is encoded as ever', () => {
  const codec = createCodec({ kind: 'value', fields: null });
  const target = Buffer.alloc(1_000);
  const cyclic: Record<string, unknown> = {};
  cyclic.self = cyclic;
  const throwing = {
    get x(): number {
      throw new Error('no');
    },
  };
  for (const value of [cyclic, throwing, () => {}, { nested: [() => {}] }, Symbol('s')]) {
    assert.throws(() => codec.encode({ value }, payloadMemory(target), 0, 1_000), EncodeError);
    assert.deepEqual(roundTrip(codec, { after: [1, 'two'] }), { after: [1, 'two'] });
  }
});
